/** See stage.h. The text is split in place. */
#include "io/stage/stage.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/target.h"

typedef struct reader {
  const char *path;
  ncc_stage *stage;
  char *at;     /**< what is left of the text */
  int64_t line; /**< of the line that was read last */
  int64_t capacity;
} reader;

/** The next line that is not empty, its end cut off; NULL at the end of the text. */
static char *next_line(reader *r) {
  while (*r->at) {
    char *line = r->at, *end = line + strcspn(line, "\r\n");
    r->at = end + (end[0] == '\r' && end[1] == '\n' ? 2 : end[0] ? 1 : 0);
    r->line++;
    *end = '\0';
    if (line[strspn(line, " \t")]) return line;
  }
  return NULL;
}

/** Blanks around a word are dropped. */
static char *trim(char *word) {
  word += strspn(word, " \t");
  char *end = word + strlen(word);
  while (end > word && (end[-1] == ' ' || end[-1] == '\t')) *--end = '\0';
  return word;
}

static bool parse_number(const char *text, double *out) {
  char *end;
  *out = strtod(text, &end);
  return end != text && end[strspn(end, " \t")] == '\0' && isfinite(*out);
}

static ncc_status add_tile(reader *r, const char *file, double x, double y) {
  ncc_status status = NCC_OK;
  ncc_stage *s = r->stage;
  if (s->n == r->capacity) {
    const int64_t capacity = r->capacity ? 2 * r->capacity : 1024;
    const char **files = realloc(s->files, (size_t)capacity * sizeof *files);
    if (files) s->files = files;
    double(*positions)[2] = realloc(s->positions, (size_t)capacity * sizeof *positions);
    if (positions) s->positions = positions;
    int64_t *lines = realloc(s->lines, (size_t)capacity * sizeof *lines);
    if (lines) s->lines = lines;
    NCC_CHECK(files && positions && lines, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " tiles", r->path, capacity);
    r->capacity = capacity;
  }
  NCC_CHECK(*file, NCC_ERR_INPUT, "%s: line %" PRId64 ": no name found, expected a file", r->path, r->line);
  s->files[s->n] = file;
  s->positions[s->n][0] = x;
  s->positions[s->n][1] = y;
  s->lines[s->n++] = r->line;
cleanup:
  return status;
}

/* ---- tabs: Zeiss and FEABAS ---------------------------------------------------------------------------------- */

/** Splits at tabs. @return how many cells, at most `most`. */
static int split_tabs(char *line, int most, char **cells) {
  int n = 0;
  for (char *rest = line, *cell; n < most && (cell = strsep(&rest, "\t"));) cells[n++] = trim(cell);
  return n;
}

/** "{KEY}" and its values. */
static ncc_status take_key(reader *r, char **cells, int n) {
  ncc_status status = NCC_OK;
  double rows, cols;
  if (strcmp(cells[0], "{ROOT_DIR}") == 0 && n > 1) r->stage->root = cells[1];
  if (strcmp(cells[0], "{TILE_SIZE}") == 0) {
    NCC_CHECK(n > 2 && parse_number(cells[1], &rows) && parse_number(cells[2], &cols) && rows >= 1 && cols >= 1 &&
                  rows <= 1 << 29 && cols <= 1 << 29,
              NCC_ERR_INPUT, "%s: line %" PRId64 ": {TILE_SIZE}: expected a height and a width in pixels", r->path,
              r->line);
    r->stage->rows = (int64_t)rows;
    r->stage->cols = (int64_t)cols;
  }
cleanup:
  return status;
}

static ncc_status load_tabs(reader *r) {
  ncc_status status = NCC_OK;
  char *cells[4];
  double x, y;
  for (char *line; (line = next_line(r));) {
    const int n = split_tabs(line, 4, cells);
    if (cells[0][0] == '{') {
      r->stage->format = "FEABAS coordinates";
      NCC_TRY(take_key(r, cells, n));
      continue;
    }
    NCC_CHECK(n > 2 && parse_number(cells[1], &x) && parse_number(cells[2], &y), NCC_ERR_INPUT,
              "%s: line %" PRId64 ": %d cells found, expected a file, x and y, divided by tabs", r->path, r->line, n);
    for (char *c = cells[0]; *c; c++)
      if (*c == '\\') *c = '/';
    NCC_TRY(add_tile(r, cells[0], x, y));
  }
cleanup:
  return status;
}

/* ---- Fiji ---------------------------------------------------------------------------------------------------- */

/** "name; ; (x, y)". @return false where a line is something else. */
static bool split_fiji(char *line, char **name, char **series, double *x, double *y) {
  char *third = strrchr(line, ';');
  if (!third) return false;
  *third++ = '\0';
  char *second = strrchr(line, ';');
  if (!second) return false;
  *second++ = '\0';
  *name = trim(line);
  *series = trim(second);
  third = trim(third);
  const size_t length = strlen(third);
  if (third[0] != '(' || third[length - 1] != ')') return false;
  third[length - 1] = '\0';
  char *comma = strchr(third, ',');
  if (!comma) return false;
  *comma = '\0';
  return parse_number(third + 1, x) && parse_number(comma + 1, y);
}

static ncc_status load_fiji(reader *r) {
  ncc_status status = NCC_OK;
  char *name, *series;
  double x, y;
  r->stage->format = "Fiji tile configuration";
  for (char *line; (line = next_line(r));) {
    char *word = trim(line);
    if (word[0] == '#') continue;
    char *equals = strchr(word, '=');
    if (equals && !strchr(word, ';')) {
      *equals = '\0';
      NCC_CHECK(strcmp(trim(word), "dim") != 0 || strcmp(trim(equals + 1), "2") == 0, NCC_ERR_INPUT,
                "%s: line %" PRId64 ": dim =%s found, expected 2: tiles are pictures, not volumes", r->path, r->line,
                equals + 1);
      continue;
    }
    NCC_CHECK(split_fiji(word, &name, &series, &x, &y), NCC_ERR_INPUT,
              "%s: line %" PRId64 ": expected \"file; ; (x, y)\"", r->path, r->line);
    NCC_CHECK(!*series, NCC_ERR_INPUT,
              "%s: line %" PRId64 ": series %.40s of a file found, expected a file a tile, as in \"file; ; (x, y)\"",
              r->path, r->line, series);
    NCC_TRY(add_tile(r, name, x, y));
  }
cleanup:
  return status;
}

/* ---- a table with a header ----------------------------------------------------------------------------------- */

static ncc_status load_table(reader *r) {
  ncc_status status = NCC_OK;
  ncc_stage *s = r->stage;
  double position[2];
  NCC_TRY(ncc_csv_load(r->path, &s->table));
  const ncc_csv *csv = &s->table;
  const int64_t file = ncc_csv_find(csv, "file"), x = ncc_csv_find(csv, "x"), y = ncc_csv_find(csv, "y");
  const int64_t section = ncc_csv_find(csv, "section"), id = ncc_csv_find(csv, "id");
  s->format = "table";
  NCC_CHECK(file >= 0 && x >= 0 && y >= 0, NCC_ERR_INPUT,
            "%s: a header without %s found, expected the columns file,x,y, or the file of a microscope or stitcher "
            "(mpixcorr mosaic --help)",
            r->path,
            file < 0 ? "file"
            : x < 0  ? "x"
                     : "y");
  if (section >= 0) s->sections = malloc((size_t)(csv->n_rows + 1) * sizeof *s->sections);
  if (id >= 0) s->ids = malloc((size_t)(csv->n_rows + 1) * sizeof *s->ids);
  NCC_CHECK((section < 0 || s->sections) && (id < 0 || s->ids), NCC_ERR_NOMEM, "%s: no memory", r->path);
  for (int64_t row = 0; row < csv->n_rows; row++) {
    r->line = csv->lines[row];
    for (int k = 0; k < 2; k++) {
      const int64_t column = k ? y : x;
      NCC_TRY(ncc_csv_number(csv, row, column, &position[k]));
      NCC_CHECK(isfinite(position[k]), NCC_ERR_INPUT, "%s: line %" PRId64 ": column %c: '%s' found, expected a number",
                r->path, r->line, k ? 'y' : 'x', ncc_csv_cell(csv, row, column));
    }
    NCC_TRY(add_tile(r, ncc_csv_cell(csv, row, file), position[0], position[1]));
    if (section >= 0) s->sections[row] = ncc_csv_cell(csv, row, section);
    if (id >= 0) s->ids[row] = ncc_csv_cell(csv, row, id);
  }
cleanup:
  return status;
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

static int compare_tiles(const void *a, const void *b, void *context) {
  const ncc_stage *s = context;
  const int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
  const int order = strcmp(s->files[p], s->files[q]);
  return order ? order : (p > q) - (p < q);
}

static ncc_status check_once(const char *path, ncc_stage *s) {
  ncc_status status = NCC_OK;
  int64_t *order = malloc((size_t)(s->n ? s->n : 1) * sizeof *order);
  NCC_CHECK(order, NCC_ERR_NOMEM, "%s: no memory", path);
  for (int64_t i = 0; i < s->n; i++) order[i] = i;
  qsort_r(order, (size_t)s->n, sizeof *order, compare_tiles, s);
  for (int64_t i = 1; i < s->n; i++)
    NCC_CHECK(strcmp(s->files[order[i]], s->files[order[i - 1]]) != 0, NCC_ERR_INPUT,
              "%s: line %" PRId64 ": %s found, which line %" PRId64 " names already, expected each tile once", path,
              s->lines[order[i]], s->files[order[i]], s->lines[order[i - 1]]);
cleanup:
  free(order);
  return status;
}

/** Whether a text is Fiji's: its first line that is no comment says so. */
static bool is_fiji(const char *text) {
  while (*text) {
    text += strspn(text, " \t\r\n");
    const size_t length = strcspn(text, "\r\n");
    if (*text != '#' && *text)
      return (strncmp(text, "dim", 3) == 0 && memchr(text, '=', length)) ||
             (memchr(text, ';', length) && text[length - 1] == ')') ||
             (strncmp(text, "multiseries", 11) == 0 && memchr(text, '=', length));
    text += length;
  }
  return false;
}

ncc_status ncc_stage_load(const char *path, ncc_stage *out) {
  ncc_status status = NCC_OK;
  size_t size;
  *out = (ncc_stage){.format = "Zeiss coordinates"};
  reader r = {.path = path, .stage = out};
  NCC_TRY(ncc_target_spare(path, NULL));
  const int error = ncc_file_read(path, INT64_MAX, &out->text, &size);
  NCC_CHECK(error == 0, error == ENOMEM ? NCC_ERR_NOMEM : NCC_ERR_INPUT, "%s: %s", path, ncc_error_words(error));
  NCC_CHECK(!memchr(out->text, '\0', size), NCC_ERR_INPUT, "%s: a zero byte found, expected text", path);
  r.at = out->text + (strncmp(out->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0); /* byte order mark */
  const char *line = r.at + strspn(r.at, "\r\n");
  NCC_TRY(is_fiji(r.at) ? load_fiji(&r) : memchr(line, '\t', strcspn(line, "\r\n")) ? load_tabs(&r) : load_table(&r));
  NCC_CHECK(out->n > 0, NCC_ERR_INPUT, "%s: no tile found, expected at least two", path);
  NCC_TRY(check_once(path, out));
cleanup:
  if (status != NCC_OK) ncc_stage_clear(out);
  return status;
}

void ncc_stage_clear(ncc_stage *stage) {
  free(stage->files);
  free(stage->positions);
  free(stage->lines);
  free(stage->sections);
  free(stage->ids);
  free(stage->text);
  ncc_csv_clear(&stage->table);
  *stage = (ncc_stage){0};
}
