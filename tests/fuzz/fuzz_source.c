/** Fuzz target: sources. The first byte chooses a way to be stored, the next two how long the description is; the rest
 * is the description (a file, JSON, or an index) and one chunk. What can be opened can be read.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/volume/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[128];

static void store(const char *name, const uint8_t *data, size_t size) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
}

static void make_folder(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s%s%s", folder, name[0] ? "/" : "", name);
  mkdir(path, 0700);
}

static void read_source(const char *source) {
  ncc_volumes *volumes;
  int64_t rows, cols;
  ncc_dtype dtype;
  if (ncc_volumes_create(folder, &volumes) != NCC_OK) abort();
  ncc_volumes_limit(volumes, 1 << 20);
  if (ncc_volumes_look(volumes, source, &rows, &cols, &dtype) == NCC_OK && rows > 0 && cols > 0) {
    const ncc_rect rect = {rows / 2, cols / 2, rows / 2 + (rows < 64 ? rows - rows / 2 : 32),
                           cols / 2 + (cols < 64 ? cols - cols / 2 : 32)};
    void *pixels = malloc((size_t)((rect.y1 - rect.y0) * (rect.x1 - rect.x0)) * 8);
    if (pixels && ncc_volumes_read(volumes, source, rows, cols, dtype, &rect, pixels) != NCC_OK &&
        !ncc_error_message()[0])
      abort();
    free(pixels);
  } else if (!ncc_error_message()[0]) {
    abort();
  }
  ncc_volumes_destroy(&volumes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct {
    const char *meta, *chunk, *source;
  } ways[] = {{"a", NULL, "a"},
              {"z2/.zarray", "z2/0.0", "z2"},
              {"z3/zarr.json", "z3/c/0/0", "z3"},
              {"n5/attributes.json", "n5/0/0", "n5"},
              {"a", NULL, "a[0]"}};
  enum { WAYS = sizeof ways / sizeof ways[0] };
  if (!folder[0]) {
    const char *where = getenv("FUZZ_FOLDER");
    snprintf(folder, sizeof folder, "%s/fuzz_source_%d", where ? where : "/dev/shm", (int)getpid());
    static const char *const folders[] = {"", "z2", "z3", "z3/c", "z3/c/0", "n5", "n5/0"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) make_folder(folders[i]);
    static const uint8_t npy[] = "\x93NUMPY\1\0v\0{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3, 4)}";
    uint8_t good[128 + 48] = {0};
    memset(good, ' ', 128);
    memcpy(good, npy, sizeof npy - 1);
    store("good.npy", good, sizeof good);
  }
  if (size < 3) return 0;
  const size_t way = data[0] % (WAYS + 1), rest = size - 3;
  const size_t length = (data[1] | (size_t)data[2] << 8) % (rest + 1);
  if (way == WAYS) { /* an index */
    char source[1100];
    snprintf(source, sizeof source, "good.npy[%.*s", (int)(length < 1000 ? length : 1000), (const char *)data + 3);
    if (!strchr(source, '/')) read_source(source);
    return 0;
  }
  store(ways[way].meta, data + 3, ways[way].chunk ? length : rest);
  if (ways[way].chunk) store(ways[way].chunk, data + 3 + length, rest - length);
  read_source(ways[way].source);
  return 0;
}
