#include "io/input/named.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/buffer.h"

enum { BLOCK = 1 << 16, MOST_THREADS = 16, MOST_NAME = 1 << 20 };

ncc_status ncc_named_start(ncc_named *named, const char *root, ncc_volumes *others) {
  named->used = true;
  named->root = strdup(root);
  if (!named->root) return ncc_error_set(NCC_ERR_NOMEM, "no memory for sources");
  named->volumes = others;
  named->borrows = others != NULL;
  if (others) return NCC_OK;
  return ncc_volumes_create(root, &named->volumes);
}

void ncc_named_clear(ncc_named *named) {
  if (!named->borrows) ncc_volumes_destroy(&named->volumes);
  free(named->text);
  free(named->at);
  free(named->root);
  *named = (ncc_named){0};
}

/* ---- names ---------------------------------------------------------------------------------------------------------
 */

/** A list that grows. */
typedef struct list {
  ncc_named *named;
  int64_t used, capacity;
} list;

static ncc_status add(list *to, const char *name, size_t length) {
  ncc_status status = NCC_OK;
  ncc_named *named = to->named;
  NCC_TRY(ncc_list_grow(&named->text, to->used + (int64_t)length + 1, &to->capacity, 1, "bytes of names"));
  named->at[named->n++] = to->used;
  memcpy(named->text + to->used, name, length);
  named->text[to->used + (int64_t)length] = '\0';
  to->used += (int64_t)length + 1;
cleanup:
  return status;
}

/** Reads names [first, first + n) through a buffer of strings, or of pointers where they vary in length. */
static ncc_status read_block(list *to, const ncc_h5_dataset *set, hid_t memory_type, size_t fixed, hsize_t first,
                             hsize_t n, void *buffer, const char *path, const char *label) {
  ncc_status status = NCC_OK;
  hid_t space = H5Dget_space(set->id), memory = H5Screate_simple(1, &n, NULL);
  bool read = false;
  NCC_CHECK_H5(space >= 0 && memory >= 0 && H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, NULL, &n, NULL) >= 0 &&
                   H5Dread(set->id, memory_type, memory, space, H5P_DEFAULT, buffer) >= 0,
               NCC_ERR_INPUT, "%s: %s", path, label);
  read = true;
  for (hsize_t i = 0; i < n; i++) {
    const char *name = fixed ? (const char *)buffer + i * fixed : ((char **)buffer)[i];
    NCC_TRY(add(to, name ? name : "", name ? strnlen(name, fixed ? fixed : MOST_NAME) : 0));
  }
cleanup:
  if (read && !fixed) H5Dvlen_reclaim(memory_type, memory, H5P_DEFAULT, buffer);
  ncc_h5_close(&memory);
  ncc_h5_close(&space);
  return status;
}

ncc_status ncc_named_read(ncc_named *named, const ncc_h5_dataset *set, const char *path, const char *label) {
  ncc_status status = NCC_OK;
  list to = {.named = named};
  void *buffer = NULL;
  const hsize_t all = set->shape[0];
  const bool variable = H5Tis_variable_str(set->type) > 0;
  const size_t fixed = variable ? 0 : H5Tget_size(set->type) + 1;
  hid_t memory_type = H5Tcopy(H5T_C_S1);
  H5Tset_cset(memory_type, H5Tget_cset(set->type));
  NCC_CHECK(fixed <= MOST_NAME && all <= (hsize_t)1 << 40, NCC_ERR_INPUT,
            "%s: %s: %llu names of %zu bytes found, expected at most %d bytes each", path, label,
            (unsigned long long)all, fixed, MOST_NAME);
  NCC_CHECK_H5(memory_type >= 0 && H5Tset_size(memory_type, variable ? H5T_VARIABLE : fixed) >= 0, NCC_ERR_INTERNAL,
               "%s: %s: string type", path, label);
  const hsize_t block = variable ? BLOCK : (hsize_t)ncc_clamp((16 << 20) / (int64_t)fixed, 1, BLOCK);
  buffer = calloc((size_t)ncc_min((int64_t)block, (int64_t)all) + 1, variable ? sizeof(char *) : fixed);
  named->at = malloc((size_t)(all + 1) * sizeof *named->at);
  NCC_CHECK(buffer && named->at, NCC_ERR_NOMEM, "%s: %s: no memory for %llu names", path, label,
            (unsigned long long)all);
  for (hsize_t first = 0; first < all; first += block)
    NCC_TRY(read_block(&to, set, memory_type, fixed, first, (hsize_t)ncc_min((int64_t)block, (int64_t)(all - first)),
                       buffer, path, label));
cleanup:
  free(buffer);
  ncc_h5_close(&memory_type);
  return status;
}

ncc_status ncc_named_copy(const ncc_named *named, char ***out) {
  bool good = (*out = calloc((size_t)named->n + 1, sizeof **out)) != NULL;
  for (int64_t i = 0; i < named->n && good; i++) good = ((*out)[i] = strdup(ncc_named_get(named, i))) != NULL;
  if (good) return NCC_OK;
  for (int64_t i = 0; *out && i < named->n; i++) free((*out)[i]);
  free(*out);
  *out = NULL;
  return ncc_error_set(NCC_ERR_NOMEM, "no memory for %" PRId64 " names", named->n);
}

/* ---- shapes --------------------------------------------------------------------------------------------------------
 */

/** Shape and type of a source; rows 0: it cannot be opened. */
typedef struct found {
  int32_t rows, cols, dtype;
} found;

/** Adds objects: one shape for all where they are alike, else each its own. */
static ncc_status add_objects(int64_t n, const found *shapes, const found *substitute, ncc_objects *objects) {
  ncc_status status = NCC_OK;
  bool alike = true;
  for (int64_t i = 0; i < n && alike; i++) {
    const found *f = shapes[i].rows ? &shapes[i] : substitute;
    alike = memcmp(f, substitute, sizeof *f) == 0;
  }
  if (alike) {
    objects->count = n;
    objects->stack = (ncc_object){
        .rows = substitute->rows, .cols = substitute->cols, .stored = (ncc_dtype)substitute->dtype, .box_image = -1};
    return NCC_OK;
  }
  NCC_TRY(ncc_objects_reserve(objects, n));
  for (int64_t i = 0; i < n; i++) {
    const found *f = shapes[i].rows ? &shapes[i] : substitute;
    const ncc_object object = {
        .id = i, .rows = f->rows, .cols = f->cols, .stored = (ncc_dtype)f->dtype, .box_image = -1};
    NCC_TRY(ncc_objects_add(objects, &object));
  }
cleanup:
  return status;
}

/** What several threads look up. */
typedef struct looking {
  const ncc_named *named;
  found *shapes;
  atomic_llong next, failed;
  pthread_mutex_t mutex;
  int64_t first; /* of those that failed */
  char *reason;  /* likewise */
} looking;

static void *look(void *argument) {
  enum { RUN = 16 }; /* neighbours are mostly of one file */
  looking *l = argument;
  for (long long at; (at = atomic_fetch_add(&l->next, RUN)) < l->named->n;)
    for (int64_t i = at; i < ncc_min(at + RUN, l->named->n); i++) {
      int64_t rows, cols;
      ncc_dtype dtype;
      if (ncc_volumes_look(l->named->volumes, ncc_named_get(l->named, i), &rows, &cols, &dtype) == NCC_OK) {
        l->shapes[i] = (found){(int32_t)rows, (int32_t)cols, dtype};
        continue;
      }
      atomic_fetch_add(&l->failed, 1);
      pthread_mutex_lock(&l->mutex);
      if (!l->reason || i < l->first) {
        free(l->reason);
        l->reason = strdup(ncc_error_message());
        l->first = i;
      }
      pthread_mutex_unlock(&l->mutex);
    }
  return NULL;
}

ncc_status ncc_named_look(const ncc_named *named, const char *label, ncc_objects *objects, int64_t *n_failed,
                          char **reason) {
  ncc_status status = NCC_OK;
  looking l = {.named = named, .mutex = PTHREAD_MUTEX_INITIALIZER};
  pthread_t threads[MOST_THREADS];
  found largest = {0};
  int n_threads = 0;
  *n_failed = 0;
  *reason = NULL;
  l.shapes = calloc((size_t)named->n + 1, sizeof *l.shapes);
  NCC_CHECK(l.shapes, NCC_ERR_NOMEM, "no memory for %" PRId64 " shapes", named->n);
  const int64_t wanted = ncc_min(named->n / 64, ncc_clamp(2 * sysconf(_SC_NPROCESSORS_ONLN), 1, MOST_THREADS));
  while (n_threads < wanted && pthread_create(&threads[n_threads], NULL, look, &l) == 0) n_threads++;
  look(&l);
  for (int i = 0; i < n_threads; i++) pthread_join(threads[i], NULL);
  *n_failed = l.failed;
  NCC_CHECK(l.failed < named->n || named->n == 0, NCC_ERR_INPUT, "%s: none of %" PRId64 " can be opened: %s", label,
            named->n, l.reason);
  for (int64_t i = 0; i < named->n; i++) {
    const found *f = &l.shapes[i];
    if (!f->rows) continue;
    if (largest.rows == 0) largest.dtype = f->dtype;
    largest.rows = (int32_t)ncc_max(largest.rows, f->rows);
    largest.cols = (int32_t)ncc_max(largest.cols, f->cols);
  }
  NCC_TRY(add_objects(named->n, l.shapes, &largest, objects));
  *reason = l.reason;
  l.reason = NULL;
cleanup:
  pthread_mutex_destroy(&l.mutex);
  free(l.reason);
  free(l.shapes);
  return status;
}

ncc_status ncc_named_shapes(const ncc_named *named, const int64_t (*shapes)[2], ncc_dtype dtype, const char *path,
                            const char *label, ncc_objects *objects) {
  ncc_status status = NCC_OK;
  const int64_t most = (int64_t)NCC_H5_MAX_SIDE;
  found *items = malloc(((size_t)named->n + 1) * sizeof *items);
  NCC_CHECK(items, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " shapes", path, named->n);
  items[0] = (found){.dtype = dtype};
  for (int64_t i = 0; i < named->n; i++) {
    const int64_t *s = shapes[i];
    NCC_CHECK(s[0] >= 1 && s[1] >= 1 && s[0] <= most && s[1] <= most, NCC_ERR_INPUT,
              "%s: %s row %" PRId64 ": %" PRId64 " x %" PRId64 " found, expected 1 to %" PRId64 " rows and columns",
              path, label, i, s[0], s[1], most);
    items[i] = (found){(int32_t)s[0], (int32_t)s[1], dtype};
  }
  NCC_TRY(add_objects(named->n, items, &items[0], objects));
cleanup:
  free(items);
  return status;
}

ncc_status ncc_named_try(const ncc_named *named, const char *label) {
  const int64_t n = ncc_min(named->n, NCC_NAMED_SAMPLES);
  for (int64_t i = 0; i < n; i++) {
    const int64_t index = n < 2 ? 0 : (int64_t)((__int128)i * (named->n - 1) / (n - 1));
    int64_t rows, cols;
    ncc_dtype dtype;
    if (ncc_volumes_look(named->volumes, ncc_named_get(named, index), &rows, &cols, &dtype) == NCC_OK) return NCC_OK;
  }
  if (n == 0) return NCC_OK;
  ncc_error_prefix("%s: none of %" PRId64 " sources that were tried can be opened, one of them", label, n);
  return NCC_ERR_INPUT;
}
