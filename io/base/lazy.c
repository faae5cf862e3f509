/** See lazy.h. */
#include "io/base/lazy.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

ncc_status ncc_lazy_load(const char *name, const char *path, int n, const char *const *names, void **functions) {
  ncc_status status = NCC_OK;
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  char reason[512];
  pthread_mutex_lock(&mutex);
  if (functions[0]) goto cleanup;
  // Its own libraries, an HDF5 among them, stay out of sight of ours.
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  snprintf(reason, sizeof reason, "%s", library ? "" : dlerror());
  if (!library) library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  NCC_CHECK(library, NCC_ERR_INPUT, "%s: the library cannot be opened: %s", name, reason);
  for (int i = n - 1; i >= 0; i--) {
    functions[i] = dlsym(library, names[i]);
    NCC_CHECK(functions[i], NCC_ERR_INPUT, "%s: the library has no %s", name, names[i]);
  }
cleanup:
  pthread_mutex_unlock(&mutex);
  return status;
}
