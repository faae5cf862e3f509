/** See look.h. */
#include "io/stage/look.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/pool.h"
#include "io/volume/volume.h"

enum { LOOK_THREADS = 16 }; /* they wait for files, not for cores */

/** malloc'd folder/name, or name where it is absolute; NULL without memory. */
static char *join(const char *folder, const char *name) {
  char *joined = NULL;
  if (name[0] == '/') return strdup(name);
  return asprintf(&joined, "%s/%s", folder, name) < 0 ? NULL : joined;
}

/** All looks, in several threads; of those that fail the first in the list is told. */
typedef struct looks {
  const char *const *names;
  ncc_volumes *volumes;
  int64_t (*shapes)[2];
  ncc_dtype *dtypes;
  pthread_mutex_t lock;
  int64_t failed; /**< -1: none */
  ncc_status status;
  char reason[1024];
} looks;

static void look(void *context, int64_t i, int thread) {
  looks *all = context;
  (void)thread;
  const ncc_status status =
      ncc_volumes_look(all->volumes, all->names[i], &all->shapes[i][0], &all->shapes[i][1], &all->dtypes[i]);
  if (status == NCC_OK) return;
  pthread_mutex_lock(&all->lock);
  if (all->failed < 0 || i < all->failed) {
    all->failed = i;
    all->status = status;
    snprintf(all->reason, sizeof all->reason, "%s", ncc_error_message());
  }
  pthread_mutex_unlock(&all->lock);
}

ncc_status ncc_look_at_sources(const char *path, const char *root, int64_t n, const char *const *names,
                               const int64_t *lines, int64_t (*shapes)[2], ncc_dtype *dtypes) {
  ncc_status status = NCC_OK;
  ncc_pool *pool = NULL;
  looks all = {.names = names, .shapes = shapes, .dtypes = dtypes, .failed = -1};
  pthread_mutex_init(&all.lock, NULL);
  NCC_TRY(ncc_volumes_create(root, &all.volumes));
  NCC_TRY(ncc_pool_create(n < LOOK_THREADS ? 1 : LOOK_THREADS, &pool));
  ncc_pool_run(pool, n, look, &all);
  NCC_CHECK(all.failed < 0, all.status == NCC_ERR_UNREADABLE ? NCC_ERR_INPUT : all.status, "%s: line %" PRId64 ": %s",
            path, lines[all.failed], all.reason);
cleanup:
  ncc_pool_destroy(&pool);
  ncc_volumes_destroy(&all.volumes);
  pthread_mutex_destroy(&all.lock);
  return status;
}

ncc_dtype ncc_common_dtype(int64_t n, const ncc_dtype *dtypes) {
  for (int64_t i = 1; i < n; i++)
    if (dtypes[i] != dtypes[0]) return NCC_DTYPE_COUNT;
  return n ? dtypes[0] : NCC_DTYPE_COUNT;
}

ncc_status ncc_source_root(const char *path, const char *named, const char *output, char **root, bool *beside) {
  ncc_status status = NCC_OK;
  char *folder = ncc_file_directory(path), *target = ncc_file_directory(output), *real = NULL, *whole = NULL;
  *root = NULL;
  NCC_CHECK(folder && target, NCC_ERR_NOMEM, "%s: no memory", path);
  whole = named ? join(folder, named) : strdup(folder);
  NCC_CHECK(whole, NCC_ERR_NOMEM, "%s: no memory", path);
  *root = realpath(whole, NULL);
  NCC_CHECK(*root, NCC_ERR_INPUT, "%s: folder %s, where names of files start, cannot be found; --root names another",
            path, whole);
  real = realpath(target, NULL);
  *beside = real && strcmp(real, *root) == 0;
cleanup:
  free(whole);
  free(real);
  free(target);
  free(folder);
  return status;
}
