/** CSV files with a header. See table_file.h. The file is split in place: cells point into its text. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/files.h"
#include "base/target.h"
#include "io/base/table_file.h"

static ncc_status load_text(const char *path, char **out) {
  ncc_status status = NCC_OK;
  char *text = NULL;
  size_t size = 0;
  NCC_TRY(ncc_target_spare(path, NULL));
  const int error = ncc_file_read(path, INT64_MAX, &text, &size);
  NCC_CHECK(error == 0, error == ENOMEM ? NCC_ERR_NOMEM : NCC_ERR_INPUT, "%s: %s", path, ncc_error_words(error));
  NCC_CHECK(!memchr(text, '\0', size), NCC_ERR_INPUT, "%s: a zero byte found, expected comma-separated text", path);
  *out = text;
  text = NULL;
cleanup:
  free(text);
  return status;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/** Splits off the next cell, dropping blanks around it and quotes.
 *  @param[out] cell  begins at or after the old *at and is terminated.
 *  @param[out] end   what ended it: ',', '\n' or '\0'.
 *  @return false where a quote is not closed or something follows it. */
static bool split_cell(char **at, char **cell, char *end, int64_t *line) {
  char *read = *at;
  while (is_blank(*read)) read++;
  char *write = *cell = read;
  if (*read == '"') {
    for (read++;; read++) {
      if (*read == '\0') return false;
      if (*read == '"' && *++read != '"') break;
      *line += *read == '\n' || (*read == '\r' && read[1] != '\n');
      *write++ = *read;
    }
    while (is_blank(*read)) read++;
  } else {
    while (*read && !strchr(",\r\n", *read)) read++;
    for (write = read; write > *cell && is_blank(write[-1]);) write--;
  }
  *end = *read;
  if (*end == '\r') *end = '\n'; /* as old programs of Apple end lines; or the first half of an end */
  if (*end && *end != ',' && *end != '\n') return false;
  if (read[0] == '\r' && read[1] == '\n') read++;
  *at = *end ? read + 1 : read;
  *line += *end == '\n';
  *write = '\0';
  return true;
}

/** Reads a line's cells behind those that are there.
 *  @param[out] found  cells of the line; 0 for an empty line. */
static ncc_status split_line(ncc_csv *csv, char **at, int64_t *line, int64_t used, int64_t *capacity, int64_t *found) {
  ncc_status status = NCC_OK;
  char end = ',';
  const int64_t first = *line;
  for (*found = 0; end == ','; ++*found) {
    NCC_TRY(ncc_list_grow(&csv->cells, used + *found + 1, capacity, sizeof *csv->cells, "cells of a table"));
    NCC_CHECK(split_cell(at, &csv->cells[used + *found], &end, line), NCC_ERR_INPUT,
              "%s: line %" PRId64 ": a quote that is not closed, or text behind one", csv->path, first);
  }
  if (*found == 1 && csv->cells[used][0] == '\0') *found = 0;
cleanup:
  return status;
}

ncc_status ncc_csv_load(const char *path, ncc_csv *out) {
  ncc_status status = NCC_OK;
  ncc_csv csv = {.path = strdup(path)};
  int64_t capacity = 0, line_capacity = 0, line = 1, found = 0;
  NCC_CHECK(csv.path, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_TRY(load_text(path, &csv.text));
  char *at = csv.text;
  if (strncmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3; /* byte order mark */
  while (found == 0 && *at) NCC_TRY(split_line(&csv, &at, &line, 0, &capacity, &found));
  NCC_CHECK(found > 0, NCC_ERR_INPUT, "%s: nothing found, expected a line of column names", path);
  csv.n_columns = found;
  csv.columns = csv.cells;
  csv.cells = NULL;
  for (capacity = 0; *at;) {
    const int64_t first = line;
    NCC_TRY(split_line(&csv, &at, &line, csv.n_rows * csv.n_columns, &capacity, &found));
    if (found == 0) continue;
    NCC_CHECK(found == csv.n_columns, NCC_ERR_INPUT,
              "%s: line %" PRId64 ": %" PRId64 " cells found, expected %" PRId64 " as in the header", path, first,
              found, csv.n_columns);
    NCC_TRY(ncc_list_grow(&csv.lines, csv.n_rows + 1, &line_capacity, sizeof *csv.lines, "rows of a table"));
    csv.lines[csv.n_rows++] = first;
  }
cleanup:
  if (status != NCC_OK) ncc_csv_clear(&csv);
  *out = csv;
  return status;
}

void ncc_csv_clear(ncc_csv *csv) {
  free(csv->path);
  free(csv->columns);
  free(csv->cells);
  free(csv->lines);
  free(csv->text);
  *csv = (ncc_csv){0};
}

int64_t ncc_csv_find(const ncc_csv *csv, const char *column) {
  for (int64_t i = 0; i < csv->n_columns; i++) {
    if (strcmp(csv->columns[i], column) == 0) return i;
  }
  return -1;
}

bool ncc_csv_unknown(const ncc_csv *csv, int64_t row, int64_t column) {
  static const char *const words[] = {"", "nan", "na", "n/a", "null", "none", "<na>", "-"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (strcasecmp(ncc_csv_cell(csv, row, column), words[i]) == 0) return true;
  }
  return false;
}

ncc_status ncc_csv_integer(const ncc_csv *csv, int64_t row, int64_t column, int64_t *out) {
  const char *text = ncc_csv_cell(csv, row, column);
  char *end;
  errno = 0;
  *out = strtoll(text, &end, 10);
  if (end != text && *end == '\0' && !errno) return NCC_OK;
  /* pandas makes floats of integers in columns where cells are empty */
  const double value = strtod(text, &end);
  *out = fabs(value) <= 0x1p53 ? (int64_t)value : 0;
  if (end != text && *end == '\0' && (double)*out == value) return NCC_OK;
  return ncc_error_set(NCC_ERR_INPUT, "%s: line %" PRId64 ": column %s: '%.60s' found, expected an integer", csv->path,
                       csv->lines[row], csv->columns[column], text);
}

ncc_status ncc_csv_number(const ncc_csv *csv, int64_t row, int64_t column, double *out) {
  const char *text = ncc_csv_cell(csv, row, column);
  char *end;
  *out = strtod(text, &end);
  if (end != text && *end == '\0') return NCC_OK;
  return ncc_error_set(NCC_ERR_INPUT, "%s: line %" PRId64 ": column %s: '%.60s' found, expected a number", csv->path,
                       csv->lines[row], csv->columns[column], text);
}
