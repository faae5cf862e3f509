/** Files in memory, for a fuzz target that is linked with --wrap (CMakeLists.txt): while memory_files_inside is set,
 * the calls to the system below see these files and no other, so that an execution costs microseconds.
 */
#ifndef MEMORY_FILES_H
#define MEMORY_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY_FILES_MOST = 8, MEMORY_FILES_FIRST = 1 << 20 };

typedef struct memory_file {
  const char *path; /* borrowed, as is `data` */
  const uint8_t *data;
  size_t size;
} memory_file;

static memory_file memory_files[MEMORY_FILES_MOST];
static int memory_files_n;
static bool memory_files_inside;
static bool memory_files_real; /* descriptors are the system's, for a library that reads by itself */

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_stat(const char *path, struct stat *info);
int __real_lstat(const char *path, struct stat *info);
int __real_fstat(int fd, struct stat *info);
ssize_t __real_pread(int fd, void *out, size_t n, off_t offset);
int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_stat(const char *path, struct stat *info);
int __wrap_lstat(const char *path, struct stat *info);
int __wrap_fstat(int fd, struct stat *info);
ssize_t __wrap_pread(int fd, void *out, size_t n, off_t offset);

static inline void memory_files_add(const char *path, const void *data, size_t size) {
  memory_files[memory_files_n++] = (memory_file){path, data, size};
}

/** @return -1: it is not there; MEMORY_FILES_MOST: a folder */
static inline int memory_files_find(const char *path) {
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  for (int i = 0; i < memory_files_n; i++) {
    if (strncmp(memory_files[i].path, path, length) != 0) continue;
    if (memory_files[i].path[length] == '\0') return i;
    if (memory_files[i].path[length] == '/') return MEMORY_FILES_MOST;
  }
  return -1;
}

static inline int memory_files_mine(int fd) {
  const int i = fd - MEMORY_FILES_FIRST;
  return i >= 0 && i < memory_files_n ? i : -1;
}

int __wrap_open(const char *path, int flags, ...) {
  static int real = -1;
  if (!memory_files_inside) {
    va_list arguments;
    va_start(arguments, flags);
    const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    return __real_open(path, flags, mode);
  }
  const int i = memory_files_find(path);
  if (i < 0) return errno = ENOENT, -1;
  if (!memory_files_real || i == MEMORY_FILES_MOST) return MEMORY_FILES_FIRST + i;
  const memory_file *file = &memory_files[i];
  if (real < 0) real = memfd_create("fuzz", 0);
  if (ftruncate(real, (off_t)file->size) != 0 || pwrite(real, file->data, file->size, 0) != (ssize_t)file->size ||
      lseek(real, 0, SEEK_SET) != 0)
    abort();
  return dup(real);
}

int __wrap_close(int fd) {
  return fd >= MEMORY_FILES_FIRST ? 0 : __real_close(fd);
}

static inline int memory_files_tell(int i, struct stat *info) {
  memset(info, 0, sizeof *info);
  info->st_ino = (ino_t)i + 1;
  info->st_mode = i == MEMORY_FILES_MOST ? S_IFDIR : S_IFREG;
  info->st_size = i == MEMORY_FILES_MOST ? 0 : (off_t)memory_files[i].size;
  return 0;
}

int __wrap_stat(const char *path, struct stat *info) {
  if (!memory_files_inside) return __real_stat(path, info);
  const int i = memory_files_find(path);
  if (i < 0) return errno = ENOENT, -1;
  return memory_files_tell(i, info);
}

int __wrap_lstat(const char *path, struct stat *info) {
  return memory_files_inside ? __wrap_stat(path, info) : __real_lstat(path, info);
}

int __wrap_fstat(int fd, struct stat *info) {
  if (fd < MEMORY_FILES_FIRST) return __real_fstat(fd, info);
  return memory_files_tell(fd - MEMORY_FILES_FIRST, info);
}

ssize_t __wrap_pread(int fd, void *out, size_t n, off_t offset) {
  const int i = memory_files_mine(fd);
  if (i < 0) return __real_pread(fd, out, n, offset);
  const memory_file *file = &memory_files[i];
  if ((size_t)offset >= file->size) return 0;
  if (n > file->size - (size_t)offset) n = file->size - (size_t)offset;
  memcpy(out, file->data + offset, n);
  return (ssize_t)n;
}

#endif
