/** See target.h. */
#include "base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"

enum { MOST_TARGETS = 16, MOST_LINKS = 40 };

/** What tells whether two names are one file: the file where there is one, else folder and name. */
typedef struct declared {
  const char *role; /**< NULL: unused */
  bool exists, has_folder;
  bool read; /**< someone asked to read it */
  dev_t dev, folder_dev;
  ino_t ino, folder_ino;
  char *path;
} declared;

#define READ_TOO "%s: is to be read, but is %s as well, expected another file to be written"

static declared table[MOST_TARGETS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static const char *kind_name(mode_t mode) {
  return S_ISDIR(mode)    ? "a directory"
         : S_ISCHR(mode)  ? "a device"
         : S_ISBLK(mode)  ? "a device"
         : S_ISFIFO(mode) ? "a pipe"
         : S_ISSOCK(mode) ? "a socket"
                          : "a symbolic link";
}

static const char *name_in_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/** Follows symbolic links of the last name; malloc'd. */
static ncc_status follow(const char *path, char **out) {
  ncc_status status = NCC_OK;
  char link[4096];
  char *at = strdup(path), *next = NULL;
  *out = NULL;
  NCC_CHECK(at, NCC_ERR_NOMEM, "%s: no memory", path);
  for (int links = 0;; links++) {
    const ssize_t n = readlink(at, link, sizeof link - 1);
    if (n < 0) break; /* no link; what else may be wrong shows later */
    NCC_CHECK(links < MOST_LINKS && n < (ssize_t)sizeof link - 1, NCC_ERR_OUTPUT,
              "%s: cannot be created: its symbolic links do not end", path);
    link[n] = '\0';
    const int folder = link[0] == '/' ? 0 : (int)(name_in_folder(at) - at);
    NCC_CHECK(asprintf(&next, "%.*s%s", folder, at, link) >= 0, NCC_ERR_NOMEM, "%s: no memory", path);
    free(at);
    at = next;
    next = NULL;
  }
  *out = at;
  at = NULL;
cleanup:
  free(at);
  return status;
}

/** What is at a path whose links were followed. */
static ncc_status look(const char *path, declared *out) {
  ncc_status status = NCC_OK;
  struct stat info;
  char *folder = ncc_file_directory(path);
  NCC_CHECK(folder, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_CHECK(path[0] && name_in_folder(path)[0], NCC_ERR_OUTPUT, "'%s' found, expected the name of a file", path);
  out->exists = lstat(path, &info) == 0;
  NCC_CHECK(!out->exists || S_ISREG(info.st_mode), NCC_ERR_OUTPUT, "%s: %s found, expected the name of a file", path,
            kind_name(info.st_mode));
  out->dev = info.st_dev;
  out->ino = info.st_ino;
  out->has_folder = stat(folder, &info) == 0;
  out->folder_dev = info.st_dev;
  out->folder_ino = info.st_ino;
cleanup:
  free(folder);
  return status;
}

static bool same_file(const declared *a, const declared *b) {
  if (a->exists && b->exists && a->dev == b->dev && a->ino == b->ino) return true;
  return a->has_folder && b->has_folder && a->folder_dev == b->folder_dev && a->folder_ino == b->folder_ino &&
         strcmp(name_in_folder(a->path), name_in_folder(b->path)) == 0;
}

/** Remembers a target, in place of the role's last one; takes its path. */
static ncc_status remember(declared *new) {
  ncc_status status = NCC_OK;
  declared *place = NULL;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < MOST_TARGETS; i++) {
    declared *d = &table[i];
    if (d->role && strcmp(d->role, new->role) == 0) {
      NCC_CHECK(!d->read || !same_file(d, new), NCC_ERR_OUTPUT, READ_TOO, new->path, new->role);
      place = d;
    } else if (d->role) {
      NCC_CHECK(!same_file(d, new), NCC_ERR_OUTPUT, "%s: is both %s and %s, expected two files", new->path, d->role,
                new->role);
    } else if (!place) {
      place = d;
    }
  }
  NCC_CHECK(place, NCC_ERR_INTERNAL, "%s: more than %d targets", new->path, MOST_TARGETS);
  if (place->role) free(place->path);
  *place = *new;
  new->path = NULL;
cleanup:
  pthread_mutex_unlock(&mutex);
  return status;
}

ncc_status ncc_target_declare(const char *path, const char *role, char **out) {
  ncc_status status = NCC_OK;
  declared new = {.role = role};
  char *found = NULL;
  if (out) *out = NULL;
  NCC_TRY(follow(path, &new.path));
  NCC_TRY(look(new.path, &new));
  if (out) NCC_CHECK(found = strdup(new.path), NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_TRY(remember(&new));
  if (out) {
    *out = found;
    found = NULL;
  }
cleanup:
  free(new.path);
  free(found);
  return status;
}

ncc_status ncc_target_declare_sidecar(const char *target, const char *suffix, const char *role) {
  ncc_status status = NCC_OK;
  declared new = {.role = role, .path = ncc_file_name(target, suffix)};
  NCC_CHECK(new.path, NCC_ERR_NOMEM, "%s: no memory", target);
  NCC_TRY(look(new.path, &new));
  NCC_TRY(remember(&new));
cleanup:
  free(new.path);
  return status;
}

void ncc_target_forget(const char *role) {
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < MOST_TARGETS; i++) {
    if (!table[i].role || strcmp(table[i].role, role) != 0) continue;
    free(table[i].path);
    table[i] = (declared){0};
  }
  pthread_mutex_unlock(&mutex);
}

ncc_status ncc_target_spare(const char *path, const struct stat *found) {
  ncc_status status = NCC_OK;
  struct stat info;
  if (!found && stat(path, &info) != 0) return NCC_OK;
  if (found) info = *found;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < MOST_TARGETS; i++) {
    declared *d = &table[i];
    if (!d->role || !d->exists || d->dev != info.st_dev || d->ino != info.st_ino) continue;
    d->read = true;
    status = ncc_error_set(NCC_ERR_OUTPUT, READ_TOO, path, d->role);
  }
  pthread_mutex_unlock(&mutex);
  return status;
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

ncc_status ncc_target_begin(const char *path, const char *role, ncc_target *out) {
  ncc_status status = NCC_OK;
  int fd = -1;
  *out = (ncc_target){.role = role};
  NCC_TRY(ncc_target_declare(path, role, &out->path));
  NCC_TRY(ncc_file_check_creatable(out->path));
  for (int i = 0; fd < 0; i++) {
    char suffix[48];
    snprintf(suffix, sizeof suffix, i ? ".tmp%ld.%d" : ".tmp%ld", (long)getpid(), i);
    free(out->temporary);
    out->temporary = ncc_file_name(out->path, suffix);
    NCC_CHECK(out->temporary, NCC_ERR_NOMEM, "%s: no memory", path);
    fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    NCC_CHECK(fd >= 0 || (errno == EEXIST && i < 1000), NCC_ERR_OUTPUT, "%s: cannot be created: %s", out->temporary,
              strerror(errno));
  }
cleanup:
  if (fd >= 0) close(fd);
  if (fd < 0) { /* nothing of ours to be removed */
    free(out->temporary);
    out->temporary = NULL;
  }
  if (status != NCC_OK) ncc_target_end(out);
  return status;
}

ncc_status ncc_target_commit(ncc_target *target) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_file_sync(target->temporary));
  NCC_TRY(ncc_file_rename(target->temporary, target->path));
  free(target->temporary);
  target->temporary = NULL;
cleanup:
  return status;
}

void ncc_target_end(ncc_target *target) {
  if (target->role) ncc_target_forget(target->role);
  if (target->temporary) unlink(target->temporary);
  free(target->temporary);
  free(target->path);
  *target = (ncc_target){0};
}
