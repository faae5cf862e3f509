/** What is stored nowhere is the fill value; what cannot be had is not. And libtiff's decoders that make pixels up
 * where a strip is damaged are not believed. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "io/volume/volume.h"

static char folder[] = "volumes_XXXXXX";

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void store(const char *name, const void *data, size_t size) {
  FILE *file = fopen(path_of(name), "wb");
  CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0, "%s", name);
}

/** Reads a source of rows x cols bytes. */
static ncc_status read_all(ncc_volumes *volumes, const char *source, int64_t rows, int64_t cols, unsigned char *out) {
  const ncc_rect all = {0, 0, rows, cols};
  return ncc_volumes_read(volumes, source, rows, cols, NCC_U8, &all, out);
}

static void expect_unreadable(ncc_volumes *volumes, const char *source, const char *words) {
  unsigned char pixels[64];
  CHECK(read_all(volumes, source, 4, 6, pixels) == NCC_ERR_UNREADABLE && strstr(ncc_error_message(), words),
        "%s: %s found, expected '%s'", source, ncc_error_message(), words);
}

/* ---- chunks that are not there ----------------------------------------------------------------------------------- */

static const char zarr2[] =
    "{\"zarr_format\": 2, \"shape\": [4, 6], \"chunks\": [2, 6], \"dtype\": \"|u1\", \"order\": \"C\", \"fill_value\": "
    "7, "
    "\"filters\": null, \"dimension_separator\": \"/\", \"compressor\": null}";
static const char zarr3[] =
    "{\"zarr_format\": 3, \"node_type\": \"array\", \"shape\": [4, 6], \"data_type\": \"uint8\", \"chunk_grid\": "
    "{\"name\": "
    "\"regular\", \"configuration\": {\"chunk_shape\": [4, 6]}}, \"chunk_key_encoding\": {\"name\": \"v2\"}, "
    "\"fill_value\": 7, \"codecs\": [{\"name\": \"sharding_indexed\", \"configuration\": {\"chunk_shape\": [2, 6], "
    "\"codecs\": [\"bytes\"], \"index_codecs\": [{\"name\": \"bytes\", \"configuration\": {\"endian\": "
    "\"little\"}}]}}]}";
static const char n5[] =
    "{\"dimensions\": [6, 4], \"blockSize\": [6, 2], \"dataType\": \"uint8\", \"compression\": "
    "{\"type\": \"raw\"}}";

/** @param[in] chunk  one that is absent, where everything else is as it should be */
static void try_absence(const char *array, const char *description, const char *json, const char *chunk, int fill) {
  unsigned char pixels[24];
  char name[256], aside[256];
  ncc_volumes *volumes;
  mkdir(path_of(array), 0700);
  snprintf(name, sizeof name, "%s/%s", array, description);
  store(name, json, strlen(json));
  CHECK(ncc_volumes_create(folder, &volumes) == NCC_OK, "%s", ncc_error_message());
  CHECK(read_all(volumes, array, 4, 6, pixels) == NCC_OK, "%s", ncc_error_message());
  for (int i = 0; i < 24; i++) CHECK(pixels[i] == fill, "%s: pixel %d is %d", array, i, pixels[i]);

  char link[256];
  snprintf(link, sizeof link, "%s/%s/%s", folder, array, chunk);
  CHECK(symlink("../not/fetched", link) == 0, "%s", link); /* as of an annex of large files */
  expect_unreadable(volumes, array, "leads nowhere");
  unlink(link);
  CHECK(read_all(volumes, array, 4, 6, pixels) == NCC_OK, "%s", ncc_error_message());

  snprintf(aside, sizeof aside, "%s/aside", folder);
  CHECK(rename(path_of(array), aside) == 0, "%s", array); /* a file system that went away */
  expect_unreadable(volumes, array, description);
  CHECK(rename(aside, path_of(array)) == 0, "%s", array);
  CHECK(read_all(volumes, array, 4, 6, pixels) == NCC_OK, "%s", ncc_error_message());
  ncc_volumes_destroy(&volumes);
}

/* ---- strips that are damaged ------------------------------------------------------------------------------------- */

/** Puts bytes over those of a good picture of 16 x 24 pixels. @param[in] seed  one of the fuzz target's */
static void try_damage(const char *seed, long at, const char *damage, size_t n) {
  unsigned char file[4096], pixels[16 * 24];
  char path[512];
  ncc_volumes *volumes;
  snprintf(path, sizeof path, "%s/%s", SEEDS, seed);
  FILE *from = fopen(path, "rb");
  CHECK(from && fgetc(from) == 0, "%s", path); /* the target's choice */
  const size_t size = fread(file, 1, sizeof file, from);
  fclose(from);
  for (int damaged = 0; damaged < 2; damaged++) {
    if (damaged) memcpy(file + at, damage, n);
    store("strip.tif", file, size);
    CHECK(ncc_volumes_create(folder, &volumes) == NCC_OK, "%s", ncc_error_message());
    const ncc_status status = read_all(volumes, "strip.tif", 16, 24, pixels);
    const bool lacking = strstr(ncc_error_message(), "without libtiff") != NULL;
    CHECK(lacking || status == (damaged ? NCC_ERR_UNREADABLE : NCC_OK), "%s, damaged %d: %s", seed, damaged,
          ncc_error_message());
    ncc_volumes_destroy(&volumes);
  }
}

int main(void) {
  CHECK(mkdtemp(folder), "%s", folder);
  try_absence("z2", ".zarray", zarr2, "1", 7);
  try_absence("z2b", ".zarray", zarr2, "0", 7);
  try_absence("z3", "zarr.json", zarr3, "0.0", 7);
  try_absence("n5", "attributes.json", n5, "0", 0);
  try_damage("tiff/jpeg", 566, "\xFF\xD9", 2);             /* the picture ends too early */
  try_damage("tiff/packbits", 208, "\x81\x81\x81\x81", 4); /* runs that are longer than the strip */
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command);
}
