/** A file in memory for fuzz targets: a good one with some bytes changed, or raw bytes. */
#ifndef PATCHED_FILE_H
#define PATCHED_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct file_bytes {
  uint8_t *data;
  size_t size;
} file_bytes;

static inline file_bytes file_load(const char *path) {
  file_bytes bytes = {malloc(1 << 20), 0};
  FILE *file = fopen(path, "rb");
  if (!file || !bytes.data) abort();
  bytes.size = fread(bytes.data, 1, 1 << 20, file);
  fclose(file);
  return bytes;
}

/** A file of this process's own, in the folder FUZZ_FOLDER. */
static inline void file_name(char *path, size_t size, const char *target) {
  const char *folder = getenv("FUZZ_FOLDER");
  snprintf(path, size, "%s/fuzz_%s_%d.h5", folder ? folder : "/dev/shm", target, (int)getpid());
}

/** The first byte of `data`: 0 and the file is the rest; else the rest are changes of 3 bytes each, (low, high) of the
 *  place and the new value, after which the file is cut there if the first byte is odd. With FUZZ_KEEP in the
 * environment the file gets that name, and that is all: so the program can be tried on it. */
static inline void file_store(const char *path, const file_bytes *good, const uint8_t *data, size_t size) {
  file_bytes bytes = {malloc(good->size + size + 1), 0};
  if (size > 0 && data[0] == 0) {
    bytes.size = size - 1;
    memcpy(bytes.data, data + 1, bytes.size);
  } else {
    size_t place = good->size;
    bytes.size = good->size;
    memcpy(bytes.data, good->data, good->size);
    for (size_t i = 1; i + 2 < size; i += 3) {
      place = (data[i] | (size_t)data[i + 1] << 8) % good->size;
      bytes.data[place] = data[i + 2];
    }
    if (size > 0 && data[0] % 16 == 1) bytes.size = place;
  }
  const char *keep = getenv("FUZZ_KEEP");
  FILE *file = fopen(keep ? keep : path, "wb");
  if (!file || fwrite(bytes.data, 1, bytes.size, file) != bytes.size || fclose(file) != 0) abort();
  free(bytes.data);
  if (keep) exit(0);
}

#endif
