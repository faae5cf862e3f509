/** See source_names.h. */
#include "io/base/source_names.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** Length of a path's folder, its slash included; 0: the working directory. */
static int folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (int)(slash - path + 1) : 0;
}

static bool try_path(ncc_source_attempt *a, int folder_bytes, const char *folder, const char *slash, const char *name) {
  char path[NCC_NAME_BYTES];
  if (snprintf(path, sizeof path, "%.*s%s%s", folder_bytes, folder, slash, name) >= (int)sizeof path) return false;
  if (ncc_h5_open_file(path, &a->file) == NCC_OK) {
    memcpy(a->path, path, sizeof a->path);
    return true;
  }
  const bool there = access(path, F_OK) == 0 || errno != ENOENT;
  if (!a->reason[0] || (there && !a->telling)) snprintf(a->reason, sizeof a->reason, "%s", ncc_error_message());
  a->telling = a->telling || there;
  return false;
}

void ncc_source_open(ncc_source_attempt *a, const char *holder, const char *name) {
  const char *prefix = getenv("HDF5_VDS_PREFIX"), origin[] = "${ORIGIN}";
  const int beside = folder_length(holder);
  char target[PATH_MAX];
  a->file = -1;
  a->reason[0] = '\0';
  a->telling = false;
  if (name[0] == '/') {
    if (try_path(a, 0, "", "", name)) return;
    name = strrchr(name, '/') + 1;
  }
  if (prefix && strncmp(prefix, origin, strlen(origin)) == 0) {
    char folder[NCC_NAME_BYTES];
    snprintf(folder, sizeof folder, "%.*s.%s", beside, holder, prefix + strlen(origin));
    if (try_path(a, (int)strlen(folder), folder, "/", name)) return;
  }
  for (const char *at = prefix ? prefix : ""; *at;) {
    const int bytes = (int)strcspn(at, ":");
    if (bytes > 0 && try_path(a, bytes, at, "/", name)) return;
    at += bytes + (at[bytes] == ':');
  }
  if (try_path(a, beside, holder, "", name) || (beside > 0 && try_path(a, 0, "", "", name))) return;
  if (realpath(holder, target)) try_path(a, folder_length(target), target, "", name);
}

void ncc_source_expand(const char *pattern, int64_t block, char out[NCC_NAME_BYTES]) {
  size_t n = 0;
  for (const char *c = pattern; *c && n < NCC_NAME_BYTES - 24; c++) {
    if (*c == '%' && c[1] == 'b') {
      n += (size_t)snprintf(out + n, NCC_NAME_BYTES - n, "%lld", (long long)block);
      c++;
    } else {
      out[n++] = *c;
      c += *c == '%' && c[1] == '%';
    }
  }
  out[n] = '\0';
}

bool ncc_source_numbered(const char *pattern) {
  for (const char *c = strchr(pattern, '%'); c && c[1]; c = strchr(c + 2, '%'))
    if (c[1] == 'b') return true;
  return false;
}

void ncc_external_path(const char *holder, const char *name, char out[NCC_NAME_BYTES]) {
  const char *prefix = getenv("HDF5_EXTFILE_PREFIX"), origin[] = "${ORIGIN}";
  const int beside = folder_length(holder);
  if (!prefix || !prefix[0] || strcmp(prefix, ".") == 0 || name[0] == '/')
    snprintf(out, NCC_NAME_BYTES, "%s", name);
  else if (strncmp(prefix, origin, strlen(origin)) == 0)
    snprintf(out, NCC_NAME_BYTES, "%.*s.%s/%s", beside, holder, prefix + strlen(origin), name);
  else
    snprintf(out, NCC_NAME_BYTES, "%s/%s", prefix, name);
}
