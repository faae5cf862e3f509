/** Pairs from a CSV file. See plan.h and docs/file-format.md.
 *
 *  Names become ids in the order of their sorting, boxes likewise, each distinct one once: the same file gives the same
 *  ids, whatever the order of its lines.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/base/table_file.h"
#include "io/import/plan.h"

/** Columns by meaning; -1 where absent. */
typedef struct columns {
  int64_t image, template;
  int64_t box[4];    /**< y, x, rows, cols */
  int64_t window[4]; /**< y0, x0, y1, x1 */
  int64_t near[4];   /**< near_y, near_x, radius_y, radius_x */
  int64_t coords[2], peak;
} columns;

/** Finds columns that come together or not at all. */
static ncc_status find_together(const ncc_csv *csv, const char *const *names, int n, int64_t *out) {
  ncc_status status = NCC_OK;
  const char *found = NULL, *absent = NULL;
  for (int i = 0; i < n; i++) {
    out[i] = ncc_csv_find(csv, names[i]);
    *(out[i] >= 0 ? &found : &absent) = names[i];
  }
  NCC_CHECK(!found || !absent, NCC_ERR_INPUT, "%s: column %s found without column %s, expected both", csv->path, found,
            absent);
cleanup:
  return status;
}

static ncc_status find_columns(const ncc_csv *csv, columns *out) {
  ncc_status status = NCC_OK;
  static const char *const sides[] = {"image", "template"}, *const box[] = {"y", "x", "rows", "cols"},
                           *const window[] = {"y0", "x0", "y1", "x1"}, *const coords[] = {"expected_y", "expected_x"},
                           *const near[] = {"near_y", "near_x", "radius_y", "radius_x"};
  int64_t side[2];
  for (int i = 0; i < 2; i++) {
    side[i] = ncc_csv_find(csv, sides[i]);
    NCC_CHECK(side[i] >= 0, NCC_ERR_INPUT, "%s: line 1: no column '%s' found, expected columns image,template",
              csv->path, sides[i]);
  }
  out->image = side[0];
  out->template = side[1];
  NCC_TRY(find_together(csv, box, 4, out->box));
  NCC_TRY(find_together(csv, window, 4, out->window));
  NCC_TRY(find_together(csv, near, 4, out->near));
  NCC_CHECK(out->window[0] < 0 || out->near[0] < 0, NCC_ERR_INPUT,
            "%s: columns y0 and near_y found, expected windows or predictions", csv->path);
  NCC_TRY(find_together(csv, coords, 2, out->coords));
  out->peak = ncc_csv_find(csv, "expected_peak");
cleanup:
  return status;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_name_and_file(const void *name, const void *file) {
  return strcmp(name, ((const ncc_import_file *)file)->name);
}

/** Whether a source may be there: its file, or one that its name goes on inside of. */
static bool is_there(const char *path) {
  struct stat info;
  char *file = strdup(path), *end = file ? strrchr(file, '[') : NULL;
  bool there = access(path, F_OK) == 0;
  if (!there && end && path[strlen(path) - 1] == ']') {
    *end = '\0';
    there = access(file, F_OK) == 0;
  }
  for (char *slash; file && !there && (slash = strrchr(file, '/'));) {
    *slash = '\0';
    if (stat(file, &info) != 0) continue;
    there = S_ISREG(info.st_mode);
    break;
  }
  free(file);
  return there;
}

/** The name of a source as it lies in the folder: as written, or with an extension. */
static char *name_in_folder(const char *folder, const char *name, bool *missing) {
  static const char *const extensions[] = {"", ".tif", ".tiff", ".png"};
  *missing = false;
  for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
    char *full = malloc(strlen(name) + 8);
    if (!full) return NULL;
    stpcpy(stpcpy(full, name), extensions[i]);
    char *path = ncc_import_path(folder, full);
    if (!path) {
      free(full);
      return NULL;
    }
    const bool there = is_there(path);
    free(path);
    if (there) return full;
    free(full);
  }
  *missing = true;
  return strdup(name);
}

/** Makes files of the distinct names in n_columns columns, in the order of the names, which are those of the CSV file
 *  still: find_files() comes later. */
static ncc_status take_names(const ncc_csv *csv, int n_columns, const int64_t *column, ncc_import_files *files) {
  ncc_status status = NCC_OK;
  const int64_t n = csv->n_rows * n_columns;
  const char **names = malloc((size_t)(n ? n : 1) * sizeof *names);
  files->items = calloc((size_t)(n ? n : 1), sizeof *files->items);
  NCC_CHECK(names && files->items, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " names", csv->path, n);
  for (int64_t i = 0; i < n; i++) {
    names[i] = ncc_csv_cell(csv, i / n_columns, column[i % n_columns]);
    NCC_CHECK(names[i][0], NCC_ERR_INPUT, "%s: line %" PRId64 ": column %s: nothing found, expected a file name",
              csv->path, csv->lines[i / n_columns], csv->columns[column[i % n_columns]]);
  }
  qsort(names, (size_t)n, sizeof *names, compare_names);
  for (int64_t i = 0; i < n; i++) {
    if (i > 0 && strcmp(names[i], names[i - 1]) == 0) continue;
    ncc_import_file *file = &files->items[files->n];
    *file = (ncc_import_file){.id = files->n, .name = strdup(names[i])};
    files->n++;
    NCC_CHECK(file->name, NCC_ERR_NOMEM, "%s: no memory for a name", csv->path);
  }
  ncc_import_file *smaller = realloc(files->items, (size_t)(files->n ? files->n : 1) * sizeof *smaller);
  if (smaller) files->items = smaller;
cleanup:
  free(names);
  return status;
}

static int64_t id_of_name(const ncc_import_files *files, const char *name) {
  const ncc_import_file *file =
      bsearch(name, files->items, (size_t)files->n, sizeof *files->items, compare_name_and_file);
  return file ? file->id : -1;
}

/** Once all ids are known: the names as the folder has them. */
static ncc_status find_files(const char *folder, ncc_import_files *files) {
  ncc_status status = NCC_OK;
  for (int64_t i = 0; i < files->n; i++) {
    char *name = name_in_folder(folder, files->items[i].name, &files->items[i].missing);
    NCC_CHECK(name, NCC_ERR_NOMEM, "%s: no memory for a name", folder);
    free(files->items[i].name);
    files->items[i].name = name;
  }
cleanup:
  return status;
}

/* ---- boxes ----------------------------------------------------------------------------------------------------- */

/** A box and the pair that it comes from. */
typedef struct wanted_box {
  int64_t box[5], row;
} wanted_box;

static int compare_boxes(const void *a, const void *b) {
  const wanted_box *p = a, *q = b;
  for (int i = 0; i < 5; i++) {
    if (p->box[i] != q->box[i]) return p->box[i] < q->box[i] ? -1 : 1;
  }
  return 0;
}

/** Makes boxes of the distinct ones among the lines; the pairs' template ids, so far those of the images that the boxes
 *  are cut from, become those of the boxes. */
static ncc_status take_boxes(const ncc_csv *csv, const columns *c, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  const size_t n = (size_t)(plan->n ? plan->n : 1);
  wanted_box *wanted = malloc(n * sizeof *wanted);
  plan->boxes = malloc(n * sizeof *plan->boxes);
  plan->has_boxes = true;
  NCC_CHECK(wanted && plan->boxes, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " boxes", csv->path, plan->n);
  for (int64_t row = 0; row < plan->n; row++) {
    wanted_box *w = &wanted[row];
    w->row = row;
    w->box[0] = plan->pairs[row][NCC_TEMPLATE];
    for (int i = 0; i < 4; i++) {
      NCC_TRY(ncc_csv_integer(csv, row, c->box[i], &w->box[1 + i]));
      NCC_CHECK(w->box[1 + i] >= (i >= 2), NCC_ERR_INPUT,
                "%s: line %" PRId64 ": column %s: %" PRId64 " found, expected at least %d", csv->path, csv->lines[row],
                csv->columns[c->box[i]], w->box[1 + i], i >= 2);
    }
  }
  qsort(wanted, (size_t)plan->n, sizeof *wanted, compare_boxes);
  for (int64_t i = 0; i < plan->n; i++) {
    if (i == 0 || compare_boxes(&wanted[i], &wanted[i - 1]) != 0)
      memcpy(plan->boxes[plan->n_boxes++], wanted[i].box, sizeof wanted[i].box);
    plan->pairs[wanted[i].row][NCC_TEMPLATE] = plan->n_boxes - 1;
  }
cleanup:
  free(wanted);
  return status;
}

/* ---- windows and expected values ------------------------------------------------------------------------------- */

static ncc_status take_windows(const ncc_csv *csv, const columns *c, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  plan->windows = malloc((size_t)(plan->n ? plan->n : 1) * sizeof *plan->windows);
  NCC_CHECK(plan->windows, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " windows", csv->path, plan->n);
  for (int64_t row = 0; row < plan->n; row++) {
    ncc_rect *w = &plan->windows[row];
    int64_t *const sides[4] = {&w->y0, &w->x0, &w->y1, &w->x1};
    for (int i = 0; i < 4; i++) NCC_TRY(ncc_csv_integer(csv, row, c->window[i], sides[i]));
    NCC_CHECK(w->y0 >= 0 && w->x0 >= 0 && w->y1 > w->y0 && w->x1 > w->x0, NCC_ERR_INPUT,
              "%s: line %" PRId64 ": window (%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64
              ") found, expected 0 <= y0 < y1 and 0 <= x0 < x1",
              csv->path, csv->lines[row], w->y0, w->x0, w->y1, w->x1);
  }
cleanup:
  return status;
}

/** Rows with an unknown value have no prediction: a negative radius. */
static ncc_status take_near(const ncc_csv *csv, const columns *c, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  plan->near = malloc((size_t)(plan->n ? plan->n : 1) * sizeof *plan->near);
  NCC_CHECK(plan->near, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " predictions", csv->path, plan->n);
  for (int64_t row = 0; row < plan->n; row++) {
    int64_t *near = plan->near[row];
    bool known = true;
    for (int i = 0; i < 4; i++) {
      if (ncc_csv_unknown(csv, row, c->near[i])) {
        known = false;
      } else {
        NCC_TRY(ncc_csv_integer(csv, row, c->near[i], &near[i]));
      }
    }
    if (!known) memcpy(near, (const int64_t[4]){0, 0, -1, -1}, sizeof plan->near[row]);
  }
cleanup:
  return status;
}

/** Unknown values become -1 and NaN. */
static ncc_status take_expected(const ncc_csv *csv, const columns *c, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  const size_t n = (size_t)(plan->n ? plan->n : 1);
  if (c->coords[0] >= 0) plan->coords = malloc(n * sizeof *plan->coords);
  if (c->peak >= 0) plan->peaks = malloc(n * sizeof *plan->peaks);
  NCC_CHECK((c->coords[0] < 0 || plan->coords) && (c->peak < 0 || plan->peaks), NCC_ERR_NOMEM,
            "%s: no memory for %" PRId64 " expected values", csv->path, plan->n);
  for (int64_t row = 0; row < plan->n; row++) {
    for (int i = 0; plan->coords && i < 2; i++) {
      plan->coords[row][i] = -1;
      if (!ncc_csv_unknown(csv, row, c->coords[i]))
        NCC_TRY(ncc_csv_integer(csv, row, c->coords[i], &plan->coords[row][i]));
    }
    if (!plan->peaks) continue;
    plan->peaks[row] = NAN;
    if (!ncc_csv_unknown(csv, row, c->peak)) NCC_TRY(ncc_csv_number(csv, row, c->peak, &plan->peaks[row]));
  }
cleanup:
  return status;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

/** The pairs' ids; of a box, that of the image it is cut from. */
static ncc_status take_ids(const char *folder, const ncc_csv *csv, const columns *c, bool by_id,
                           ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  const int64_t column[2] = {c->image, c->template};
  const bool boxes = c->box[0] >= 0;
  if (!by_id) {
    NCC_TRY(take_names(csv, boxes ? 2 : 1, column, &plan->files[NCC_IMAGE]));
    if (!boxes) NCC_TRY(take_names(csv, 1, column + 1, &plan->files[NCC_TEMPLATE]));
  }
  for (int64_t row = 0; row < plan->n; row++) {
    for (int side = 0; side < 2; side++) {
      int64_t *id = &plan->pairs[row][side];
      if (by_id) {
        NCC_TRY(ncc_csv_integer(csv, row, column[side], id));
        NCC_CHECK(*id >= 0 || (*id == -1 && !boxes), NCC_ERR_INPUT,
                  "%s: line %" PRId64 ": column %s: %" PRId64 " found, expected a number of at least 0", csv->path,
                  csv->lines[row], csv->columns[column[side]], *id);
      } else {
        *id = id_of_name(&plan->files[boxes ? NCC_IMAGE : side], ncc_csv_cell(csv, row, column[side]));
      }
    }
  }
  for (int kind = 0; kind < 2; kind++) NCC_TRY(find_files(folder, &plan->files[kind]));
cleanup:
  return status;
}

ncc_status ncc_import_plan_csv(const char *folder, const char *path, bool by_id, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  ncc_csv csv = {0};
  columns c;
  NCC_TRY(ncc_csv_load(path, &csv));
  NCC_TRY(find_columns(&csv, &c));
  plan->n = csv.n_rows;
  plan->pairs = malloc((size_t)(plan->n ? plan->n : 1) * sizeof *plan->pairs);
  NCC_CHECK(plan->pairs, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " pairs", path, plan->n);
  NCC_TRY(take_ids(folder, &csv, &c, by_id, plan));
  if (c.box[0] >= 0) NCC_TRY(take_boxes(&csv, &c, plan));
  if (c.window[0] >= 0) NCC_TRY(take_windows(&csv, &c, plan));
  if (c.near[0] >= 0) NCC_TRY(take_near(&csv, &c, plan));
  NCC_TRY(take_expected(&csv, &c, plan));
  plan->lines = csv.lines;
  csv.lines = NULL;
cleanup:
  ncc_csv_clear(&csv);
  return status;
}
