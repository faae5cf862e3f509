/** See section_pairs.h. */
#include "io/stage/section_pairs.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/** A name of the table, in the cell row * 2 + column, the template's column being first. */
typedef struct mention {
  const char *name;
  int64_t cell;
} mention;

static int compare_mentions(const void *a, const void *b) {
  const mention *p = a, *q = b;
  const int order = strcmp(p->name, q->name);
  return order ? order : (p->cell > q->cell) - (p->cell < q->cell);
}

static int compare_cells(const void *a, const void *b) {
  const mention *p = a, *q = b;
  return (p->cell > q->cell) - (p->cell < q->cell);
}

/** Numbers names in order of appearance. @param[in] columns  of template and image. */
static ncc_status number_sources(ncc_section_pairs *p, const int64_t columns[2]) {
  ncc_status status = NCC_OK;
  const int64_t n = 2 * p->n;
  mention *mentions = malloc((size_t)(n + 1) * sizeof *mentions), *firsts = malloc((size_t)(n + 1) * sizeof *firsts);
  int64_t *number = malloc((size_t)(n + 1) * sizeof *number); /* of the first cell that has a cell's name */
  p->sources = malloc((size_t)(n + 1) * sizeof *p->sources);
  p->lines = malloc((size_t)(n + 1) * sizeof *p->lines);
  NCC_CHECK(mentions && firsts && number && p->sources && p->lines, NCC_ERR_NOMEM, "%s: no memory", p->table.path);
  for (int64_t cell = 0; cell < n; cell++)
    mentions[cell] = (mention){ncc_csv_cell(&p->table, cell / 2, columns[cell % 2]), cell};
  qsort(mentions, (size_t)n, sizeof *mentions, compare_mentions);
  for (int64_t i = 0; i < n; i++)
    if (i == 0 || strcmp(mentions[i].name, mentions[i - 1].name) != 0) firsts[p->n_sources++] = mentions[i];
  qsort(firsts, (size_t)p->n_sources, sizeof *firsts, compare_cells);
  for (int64_t k = 0; k < p->n_sources; k++) {
    p->sources[k] = firsts[k].name;
    p->lines[k] = p->table.lines[firsts[k].cell / 2];
    number[firsts[k].cell] = k;
  }
  for (int64_t i = 0, first = 0; i < n; i++) {
    if (i == 0 || strcmp(mentions[i].name, mentions[i - 1].name) != 0) first = mentions[i].cell;
    /* the image is the second column, and comes first in /pairs */
    p->pairs[mentions[i].cell / 2][1 - mentions[i].cell % 2] = number[first];
  }
cleanup:
  free(mentions);
  free(firsts);
  free(number);
  return status;
}

static int compare_pairs(const void *a, const void *b, void *context) {
  const ncc_section_pairs *p = context;
  const int64_t i = *(const int64_t *)a, k = *(const int64_t *)b, *x = p->pairs[i], *y = p->pairs[k];
  if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
  if (x[1] != y[1]) return x[1] < y[1] ? -1 : 1;
  return (i > k) - (i < k);
}

static ncc_status check_once(const ncc_section_pairs *p) {
  ncc_status status = NCC_OK;
  int64_t *order = malloc((size_t)(p->n + 1) * sizeof *order);
  NCC_CHECK(order, NCC_ERR_NOMEM, "%s: no memory", p->table.path);
  for (int64_t i = 0; i < p->n; i++) order[i] = i;
  qsort_r(order, (size_t)p->n, sizeof *order, compare_pairs, (void *)p);
  for (int64_t i = 1; i < p->n; i++)
    NCC_CHECK(memcmp(p->pairs[order[i]], p->pairs[order[i - 1]], sizeof *p->pairs) != 0, NCC_ERR_INPUT,
              "%s: line %" PRId64 ": the pair of line %" PRId64 " found, expected each once", p->table.path,
              p->table.lines[order[i]], p->table.lines[order[i - 1]]);
cleanup:
  free(order);
  return status;
}

ncc_status ncc_section_pairs_load(const char *path, ncc_section_pairs *out) {
  ncc_status status = NCC_OK;
  *out = (ncc_section_pairs){0};
  const ncc_csv *csv = &out->table;
  NCC_TRY(ncc_csv_load(path, &out->table));
  const int64_t columns[2] = {ncc_csv_find(csv, "template"), ncc_csv_find(csv, "image")};
  const int64_t shift[2] = {ncc_csv_find(csv, "dy"), ncc_csv_find(csv, "dx")};
  NCC_CHECK(columns[0] >= 0 && columns[1] >= 0 && (shift[0] < 0) == (shift[1] < 0), NCC_ERR_INPUT,
            "%s: expected the columns template,image, or template,image,dy,dx", path);
  NCC_CHECK(csv->n_rows > 0, NCC_ERR_INPUT, "%s: no pair found, expected at least one", path);
  out->n = csv->n_rows;
  out->pairs = malloc((size_t)out->n * sizeof *out->pairs);
  out->moved = calloc((size_t)out->n, sizeof *out->moved);
  NCC_CHECK(out->pairs && out->moved, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " pairs", path, out->n);
  for (int64_t row = 0; row < out->n; row++) {
    for (int k = 0; k < 2; k++) {
      NCC_CHECK(*ncc_csv_cell(csv, row, columns[k]), NCC_ERR_INPUT,
                "%s: line %" PRId64 ": column %s: nothing found, expected a source", path, csv->lines[row],
                csv->columns[columns[k]]);
      if (shift[k] < 0) continue;
      NCC_TRY(ncc_csv_number(csv, row, shift[k], &out->moved[row][k]));
      NCC_CHECK(fabs(out->moved[row][k]) <= 1 << 30, NCC_ERR_INPUT,
                "%s: line %" PRId64 ": column %s: '%s' found, expected at most 2^30 px", path, csv->lines[row],
                csv->columns[shift[k]], ncc_csv_cell(csv, row, shift[k]));
    }
  }
  NCC_TRY(number_sources(out, columns));
  NCC_TRY(check_once(out));
cleanup:
  if (status != NCC_OK) ncc_section_pairs_clear(out);
  return status;
}

void ncc_section_pairs_clear(ncc_section_pairs *pairs) {
  free(pairs->pairs);
  free(pairs->moved);
  free(pairs->sources);
  free(pairs->lines);
  ncc_csv_clear(&pairs->table);
  *pairs = (ncc_section_pairs){0};
}
