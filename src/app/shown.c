/** See shown.h. */
#include "app/shown.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "match/result.h"

int ncc_shown_rank(uint8_t status) {
  if (status == NCC_PAIR_UNCERTAIN) return 1;
  return ncc_result_has_peak(status) || status == NCC_PAIR_MASKED ? 2 : 0;
}

typedef struct ranked {
  int64_t row;
  int rank;
  double peak; /**< 0 without an answer */
} ranked;

static int compare_ranked(const void *a, const void *b) {
  const ranked *p = a, *q = b;
  if (p->rank != q->rank) return p->rank - q->rank;
  if (p->peak != q->peak) return p->peak < q->peak ? -1 : 1;
  return (p->row > q->row) - (p->row < q->row);
}

ncc_status ncc_shown_order(const ncc_output_data *data, int64_t **rows, int64_t *n) {
  ncc_status status = NCC_OK;
  const size_t most = (size_t)(data->n_pairs ? data->n_pairs : 1);
  ranked *all = malloc(most * sizeof *all);
  *rows = malloc(most * sizeof **rows);
  *n = 0;
  NCC_CHECK(all && *rows, NCC_ERR_NOMEM, "no memory for %" PRId64 " pairs", data->n_pairs);
  for (int64_t row = 0; row < data->n_pairs; row++) {
    if (data->pairs[row][0] == -1 || data->pairs[row][1] == -1) continue;
    const int rank = ncc_shown_rank(data->status[row]);
    all[(*n)++] = (ranked){row, rank, ncc_result_has_peak(data->status[row]) ? data->peaks[row] : 0};
  }
  qsort(all, (size_t)*n, sizeof *all, compare_ranked);
  for (int64_t i = 0; i < *n; i++) (*rows)[i] = all[i].row;
cleanup:
  free(all);
  if (status != NCC_OK) free(*rows), *rows = NULL;
  return status;
}

ncc_result ncc_shown_result(const ncc_output_data *data, int64_t row) {
  ncc_result r = ncc_result_none((ncc_pair_status)data->status[row]);
  r.y = data->coords[row][0];
  r.x = data->coords[row][1];
  r.peak = data->peaks[row];
  r.overlap = (double)data->overlap[row];
  r.at_border = data->at_border[row];
  if (data->angles) r.angle = data->angles[row];
  if (!data->subpixel) return r;
  r.subpixel_y = data->subpixel[row][0];
  r.subpixel_x = data->subpixel[row][1];
  if (data->curvature) {
    r.curvature_y = data->curvature[row][0];
    r.curvature_x = data->curvature[row][1];
  }
  r.second_y = data->second_coords[row][0];
  r.second_x = data->second_coords[row][1];
  r.second_peak = data->second_peaks[row];
  return r;
}

ncc_status ncc_shown_map(const ncc_pair_place *place, const ncc_catalog *catalog, int64_t row,
                         const ncc_pair_pixels *pixels, ncc_map *out) {
  const ncc_status status =
      ncc_map_create(&place->search, place->windowed ? &place->window : NULL, pixels, ncc_few_threads(), out);
  if (status != NCC_OK) {
    ncc_error_prefix("%s: pair %" PRId64, catalog->path, row);
    return status;
  }
  ncc_rect *search = &out->geometry.search;
  search->y0 += place->y0;
  search->y1 += place->y0;
  search->x0 += place->x0;
  search->x1 += place->x0;
  return status;
}
