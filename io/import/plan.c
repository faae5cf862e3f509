/** See plan.h: the folder's names, tables of numbers, numbered files. */
#include "io/import/plan.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buffer.h"
#include "io/base/table_file.h"

char *ncc_import_path(const char *folder, const char *name) {
  char *path = NULL;
  if (name[0] == '/') return strdup(name);
  return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

const char *ncc_import_plan_where(const ncc_import_plan *plan, int64_t pair) {
  static _Thread_local char text[4096];
  snprintf(text, sizeof text, "%s: %s %" PRId64, plan->source, plan->lines ? "line" : "row",
           plan->lines ? plan->lines[pair] : pair);
  return text;
}

void ncc_import_plan_clear(ncc_import_plan *plan) {
  for (int kind = 0; kind < 2; kind++) {
    for (int64_t i = 0; i < plan->files[kind].n; i++) free(plan->files[kind].items[i].name);
    free(plan->files[kind].items);
  }
  free(plan->source);
  free(plan->boxes);
  free(plan->pairs);
  free(plan->lines);
  free(plan->windows);
  free(plan->near);
  free(plan->coords);
  free(plan->peaks);
  *plan = (ncc_import_plan){0};
}

int64_t ncc_import_files_find(const ncc_import_files *files, int64_t id) {
  int64_t low = 0, high = files->n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (files->items[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < files->n && files->items[low].id == id ? low : -1;
}

/* ---- numbered files -------------------------------------------------------------------------------------------- */

static const char *const prefixes[2] = {"image", "templ"};

static ncc_status add_file(ncc_import_files *files, int64_t *capacity, int64_t id, const char *name, bool missing) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_list_grow(&files->items, files->n + 1, capacity, sizeof *files->items, "file names"));
  files->items[files->n] = (ncc_import_file){.id = id, .name = strdup(name), .missing = missing};
  NCC_CHECK(files->items[files->n++].name, NCC_ERR_NOMEM, "no memory for a file name");
cleanup:
  return status;
}

static int compare_files(const void *a, const void *b) {
  const ncc_import_file *f = a, *g = b;
  return f->id != g->id ? (f->id > g->id) - (f->id < g->id) : strcmp(f->name, g->name);
}

/** The number in "image0012.tif". @return -1 for any other name. */
static int64_t number_of(const char *name, const char *prefix) {
  const size_t length = strlen(prefix);
  if (strncmp(name, prefix, length) != 0) return -1;
  const size_t digits = strspn(name + length, "0123456789");
  if (digits == 0 || digits > 18) return -1;
  const char *extension = name + length + digits;
  if (strcasecmp(extension, ".tif") != 0 && strcasecmp(extension, ".tiff") != 0 && strcasecmp(extension, ".png") != 0)
    return -1;
  return strtoll(name + length, NULL, 10);
}

static ncc_status scan_folder(const char *folder, ncc_object_kind kind, ncc_import_files *files, int64_t *capacity) {
  ncc_status status = NCC_OK;
  DIR *directory = opendir(folder);
  NCC_CHECK(directory, NCC_ERR_INPUT, "%s: %s", folder, strerror(errno));
  for (struct dirent *entry; (entry = readdir(directory));) {
    const int64_t id = number_of(entry->d_name, prefixes[kind]);
    if (id >= 0) NCC_TRY(add_file(files, capacity, id, entry->d_name, false));
  }
  NCC_CHECK(files->n > 0, NCC_ERR_INPUT, "%s: no file named %sNNNN.tif found, expected one a%s", folder, prefixes[kind],
            kind == NCC_IMAGE ? "n image" : " template");
  qsort(files->items, (size_t)files->n, sizeof *files->items, compare_files);
  for (int64_t i = 1; i < files->n; i++) {
    NCC_CHECK(files->items[i].id != files->items[i - 1].id, NCC_ERR_INPUT,
              "%s: %s and %s found, expected one file a number", folder, files->items[i - 1].name,
              files->items[i].name);
  }
cleanup:
  if (directory) closedir(directory);
  return status;
}

static int compare_ids(const void *a, const void *b) {
  const int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
  return (i > j) - (i < j);
}

/** Adds what the pairs name but the folder does not have. */
static ncc_status add_missing(const ncc_import_plan *plan, ncc_object_kind kind, ncc_import_files *files,
                              int64_t *capacity) {
  ncc_status status = NCC_OK;
  const int64_t there = files->n;
  int64_t *ids = malloc((size_t)(plan->n ? plan->n : 1) * sizeof *ids);
  NCC_CHECK(ids, NCC_ERR_NOMEM, "no memory for %" PRId64 " ids", plan->n);
  for (int64_t i = 0; i < plan->n; i++) ids[i] = plan->pairs[i][kind];
  qsort(ids, (size_t)plan->n, sizeof *ids, compare_ids);
  for (int64_t i = 0; i < plan->n; i++) {
    const ncc_import_files present = {.n = there, .items = files->items};
    if (ids[i] < 0 || (i > 0 && ids[i] == ids[i - 1]) || ncc_import_files_find(&present, ids[i]) >= 0) continue;
    char name[64];
    snprintf(name, sizeof name, "%s%04" PRId64 ".tif", prefixes[kind], ids[i]);
    NCC_TRY(add_file(files, capacity, ids[i], name, true));
  }
  qsort(files->items, (size_t)files->n, sizeof *files->items, compare_files);
cleanup:
  free(ids);
  return status;
}

static ncc_status plan_numbered(const char *folder, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  for (int kind = 0; kind < 2; kind++) {
    int64_t capacity = 0;
    NCC_TRY(scan_folder(folder, kind, &plan->files[kind], &capacity));
    NCC_TRY(add_missing(plan, kind, &plan->files[kind], &capacity));
  }
cleanup:
  return status;
}

/* ---- tables of numbers ----------------------------------------------------------------------------------------- */

/** Takes a matrix of ids as the pairs. */
static ncc_status take_pairs(const ncc_matrix *matrix, const char *path, const char *name, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  int64_t *integers = NULL;
  NCC_CHECK(matrix->cols == 2 || matrix->rows == 0, NCC_ERR_INPUT,
            "%s: %s: shape [%" PRId64 ", %" PRId64 "] found, expected [n, 2]: image and template", path, name,
            matrix->rows, matrix->cols);
  NCC_TRY(ncc_matrix_integers(matrix, path, name, &integers));
  plan->n = matrix->rows;
  plan->pairs = (int64_t(*)[2])integers;
  for (int64_t i = 0; i < 2 * plan->n; i++) {
    NCC_CHECK(integers[i] >= -1, NCC_ERR_INPUT,
              "%s: %s: row %" PRId64 ": %" PRId64
              " found, expected a number of at "
              "least 0, or -1 for no pair",
              path, name, i / 2, integers[i]);
  }
cleanup:
  return status;
}

/** The client's comps.mat: comps [n, 2], and where present Camax [n, 2] (y, x) and Cmax [1, n]. */
static ncc_status take_mat(const char *path, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  ncc_matrix comps = {0}, camax = {0}, cmax = {0};
  NCC_TRY(ncc_mat_read(path, "comps", &comps));
  NCC_CHECK(comps.values, NCC_ERR_INPUT, "%s: no variable 'comps' found, expected [n, 2]: image and template", path);
  NCC_TRY(take_pairs(&comps, path, "comps", plan));
  NCC_TRY(ncc_mat_read(path, "Camax", &camax));
  if (camax.values) {
    NCC_CHECK(camax.rows == plan->n && (camax.cols == 2 || plan->n == 0), NCC_ERR_INPUT,
              "%s: Camax: shape [%" PRId64 ", %" PRId64 "] found, expected [%" PRId64 ", 2] as comps has", path,
              camax.rows, camax.cols, plan->n);
    for (int64_t i = 0; i < plan->n; i++) { /* a pair that the client gave up */
      if (isnan(camax.values[2 * i]) || isnan(camax.values[2 * i + 1]))
        camax.values[2 * i] = camax.values[2 * i + 1] = -1;
    }
    int64_t *coords = NULL;
    NCC_TRY(ncc_matrix_integers(&camax, path, "Camax", &coords));
    plan->coords = (int64_t(*)[2])coords;
  }
  NCC_TRY(ncc_mat_read(path, "Cmax", &cmax));
  if (cmax.values) {
    NCC_CHECK(cmax.rows * cmax.cols == plan->n, NCC_ERR_INPUT,
              "%s: Cmax: shape [%" PRId64 ", %" PRId64 "] found, expected [1, %" PRId64 "]", path, cmax.rows, cmax.cols,
              plan->n);
    plan->peaks = cmax.values;
    cmax.values = NULL;
  }
cleanup:
  ncc_matrix_clear(&comps);
  ncc_matrix_clear(&camax);
  ncc_matrix_clear(&cmax);
  return status;
}

static ncc_status take_npy(const char *path, ncc_import_plan *plan) {
  ncc_matrix matrix;
  ncc_status status = ncc_npy_read(path, &matrix);
  if (status == NCC_OK) status = take_pairs(&matrix, path, "pairs", plan);
  ncc_matrix_clear(&matrix);
  return status;
}

static bool exists(const char *path) {
  return access(path, F_OK) == 0;
}

/** The one stack of a kind in the folder; NULL: there is none. */
static ncc_status find_stack(const char *folder, ncc_object_kind kind, const char **out) {
  ncc_status status = NCC_OK;
#define STACKS(name) \
  { name ".npy", name ".tif", name ".tiff", name ".mrc", name ".mrcs", name ".st", name ".zarr", name ".n5" }
  static const char *const names[2][8] = {STACKS("images"), STACKS("templates")};
#undef STACKS
  *out = NULL;
  for (int i = 0; i < 8; i++) {
    char *path = ncc_import_path(folder, names[kind][i]);
    NCC_CHECK(path, NCC_ERR_NOMEM, "%s: no memory", folder);
    const bool there = exists(path);
    free(path);
    if (!there) continue;
    NCC_CHECK(!*out, NCC_ERR_INPUT, "%s: both %s and %s found, expected one", folder, *out, names[kind][i]);
    *out = names[kind][i];
  }
cleanup:
  return status;
}

/** A stack of pixels, or templates.npy with boxes [n, 5]. */
static ncc_status take_templates(const char *folder, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  ncc_matrix matrix = {0};
  int rank = 0;
  char *path = ncc_import_path(folder, "templates.npy");
  NCC_CHECK(path, NCC_ERR_NOMEM, "%s: no memory", folder);
  NCC_TRY(find_stack(folder, NCC_TEMPLATE, &plan->stacks[NCC_TEMPLATE]));
  if (plan->stacks[NCC_TEMPLATE] && strcmp(plan->stacks[NCC_TEMPLATE], "templates.npy") != 0) goto cleanup;
  plan->stacks[NCC_TEMPLATE] = NULL;
  NCC_TRY(ncc_npy_rank(path, &rank));
  if (rank != 2) {
    plan->stacks[NCC_TEMPLATE] = "templates.npy";
    goto cleanup;
  }
  NCC_TRY(ncc_npy_read(path, &matrix));
  NCC_CHECK(matrix.cols == 5, NCC_ERR_INPUT,
            "%s: shape [%" PRId64 ", %" PRId64
            "] found, expected pixels [n, rows, cols], or boxes [n, 5]: image, y, x, "
            "rows, cols",
            path, matrix.rows, matrix.cols);
  int64_t *boxes = NULL;
  NCC_TRY(ncc_matrix_integers(&matrix, path, "boxes", &boxes));
  plan->has_boxes = true;
  plan->n_boxes = matrix.rows;
  plan->boxes = (int64_t(*)[5])boxes;
cleanup:
  ncc_matrix_clear(&matrix);
  free(path);
  return status;
}

/* ---- which of all that ----------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end) {
  const size_t length = strlen(text), n = strlen(end);
  return length >= n && strcasecmp(text + length - n, end) == 0;
}

/** The one table of pairs that the folder has. */
static ncc_status find_source(const char *folder, char **out) {
  ncc_status status = NCC_OK;
  static const char *const names[] = {"comps.mat", "pairs.csv", "pairs.npy"};
  const char *found = NULL;
  *out = NULL;
  DIR *directory = opendir(folder);
  NCC_CHECK(directory, NCC_ERR_INPUT, "%s: %s", folder, strerror(errno));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char *path = ncc_import_path(folder, names[i]);
    NCC_CHECK(path, NCC_ERR_NOMEM, "%s: no memory", folder);
    if (!exists(path)) {
      free(path);
      continue;
    }
    if (*out) free(path);
    NCC_CHECK(!*out, NCC_ERR_INPUT, "%s: both %s and %s found, expected one (or --pairs FILE)", folder, found,
              names[i]);
    *out = path;
    found = names[i];
  }
  NCC_CHECK(*out, NCC_ERR_INPUT, "%s: no comps.mat, pairs.csv or pairs.npy found, expected one (or --pairs FILE)",
            folder);
cleanup:
  if (directory) closedir(directory);
  if (status != NCC_OK) {
    free(*out);
    *out = NULL;
  }
  return status;
}

ncc_status ncc_import_plan_make(const char *folder, const char *pairs, ncc_import_plan *plan) {
  ncc_status status = NCC_OK;
  *plan = (ncc_import_plan){0};
  if (pairs) {
    plan->source = strdup(pairs);
    NCC_CHECK(plan->source, NCC_ERR_NOMEM, "%s: no memory", pairs);
  } else {
    NCC_TRY(find_source(folder, &plan->source));
  }
  NCC_TRY(find_stack(folder, NCC_IMAGE, &plan->stacks[NCC_IMAGE]));
  const bool stacks = plan->stacks[NCC_IMAGE], csv = ends_with(plan->source, ".csv");
  NCC_CHECK(csv || ends_with(plan->source, ".mat") || ends_with(plan->source, ".npy"), NCC_ERR_INPUT,
            "%s: expected a file of pairs whose name ends in .mat, .csv or .npy", plan->source);
  if (csv) {
    NCC_TRY(ncc_import_plan_csv(folder, plan->source, stacks, plan));
  } else {
    NCC_TRY((ends_with(plan->source, ".mat") ? take_mat : take_npy)(plan->source, plan));
  }
  if (stacks && !plan->has_boxes) NCC_TRY(take_templates(folder, plan));
  if (!stacks && !csv) NCC_TRY(plan_numbered(folder, plan));
cleanup:
  if (status != NCC_OK) ncc_import_plan_clear(plan);
  return status;
}
