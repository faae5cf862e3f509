/** Displacements on a regular grid to a file: see tiles.h. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/tiles.h"
#include "base/text.h"
#include "io/output/field.h"
#include "mosaic/lattice.h"

/** The layers of an edge. @return how many of its points are known. */
static int64_t fill(const ncc_tiles *tiles, const ncc_tile_edge *edge, const ncc_lattice *lattice, float *layers) {
  const ncc_output_data *data = tiles->data;
  const int64_t places = lattice->n[0] * lattice->n[1];
  int64_t known = 0;
  for (int64_t i = 0; i < NCC_FIELD_LAYERS * places; i++) layers[i] = NAN;
  for (int64_t p = edge->first; p < edge->first + edge->n; p++) {
    const ncc_tile_point *point = &tiles->points[p];
    const int64_t row = point->row;
    if (data->status[row] != NCC_PAIR_OK) continue;
    float *at = layers + ncc_lattice_place(lattice, point->at);
    at[0] = (float)point->moved[1];
    at[places] = (float)point->moved[0];
    at[2 * places] = (float)data->peaks[row];
    if (data->second_peaks) at[3 * places] = (float)(data->peaks[row] / data->second_peaks[row]);
    known++;
  }
  return known;
}

ncc_status ncc_tiles_write_field(const ncc_tiles *tiles, const char *path) {
  ncc_status status = NCC_OK;
  ncc_lattice lattice;
  ncc_field_writer *writer = NULL;
  float *layers = NULL;
  int64_t known = 0;
  double(*at)[2] = malloc((size_t)(tiles->n_points + 1) * sizeof *at);
  int64_t(*pairs)[2] = malloc((size_t)(tiles->n_edges + 1) * sizeof *pairs);
  NCC_CHECK(at && pairs, NCC_ERR_NOMEM, "no memory for %" PRId64 " points", tiles->n_points);
  for (int64_t i = 0; i < tiles->n_points; i++)
    for (int k = 0; k < 2; k++) at[i][k] = tiles->points[i].at[k];
  NCC_TRY(ncc_lattice_find(tiles->n_points, (const double(*)[2])at, &lattice));
  free(at);
  at = NULL;
  for (int64_t e = 0; e < tiles->n_edges; e++) {
    pairs[e][0] = tiles->edges[e].image;
    pairs[e][1] = tiles->edges[e].other;
  }
  layers = malloc((size_t)(NCC_FIELD_LAYERS * lattice.n[0] * lattice.n[1] + 1) * sizeof *layers);
  NCC_CHECK(layers, NCC_ERR_NOMEM, "no memory for a field of %" PRId64 " x %" PRId64, lattice.n[0], lattice.n[1]);
  NCC_TRY(ncc_field_create(path, tiles->n_edges, (const int64_t(*)[2])pairs, lattice.n, lattice.origin, lattice.step,
                           &writer));
  for (int64_t e = 0; e < tiles->n_edges; e++) {
    known += fill(tiles, &tiles->edges[e], &lattice, layers);
    NCC_TRY(ncc_field_put(writer, layers));
  }
  NCC_TRY(ncc_field_finish(&writer));
  printf("%s: %" PRId64 " pairs of images, %" PRId64 " x %" PRId64
         " points each, one each %g x %g px from (%g, %g); "
         "%" PRId64 " of %" PRId64 " templates ok\n",
         ncc_text_show(path), tiles->n_edges, lattice.n[0], lattice.n[1], lattice.step[0], lattice.step[1],
         lattice.origin[0], lattice.origin[1], known, tiles->n_points);
cleanup:
  ncc_field_destroy(&writer);
  free(layers);
  free(at);
  free(pairs);
  return status;
}
