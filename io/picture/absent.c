/** picture.h in a build without cairo. */
#include "base/error.h"
#include "io/picture/picture.h"

static ncc_status absent(void) {
  return ncc_error_set(NCC_ERR_USAGE, "this build draws no pictures: cairo was not found when it was configured");
}

bool ncc_picture_available(void) {
  return false;
}

ncc_status ncc_picture_write(const char *path, const ncc_picture_pair *pair, const ncc_map *map, const char *note) {
  (void)path, (void)pair, (void)map, (void)note;
  return absent();
}

ncc_status ncc_picture_strip(const ncc_picture_pair *pair, const ncc_map *map, unsigned char **png, size_t *bytes) {
  (void)pair, (void)map;
  *png = NULL;
  *bytes = 0;
  return absent();
}

ncc_status ncc_sheet_create(int n, const char *title, bool maps, ncc_sheet **out) {
  (void)n, (void)title, (void)maps;
  *out = NULL;
  return absent();
}

ncc_status ncc_sheet_add(ncc_sheet *sheet, const ncc_picture_pair *pair, const ncc_map *map) {
  (void)sheet, (void)pair, (void)map;
  return absent();
}

ncc_status ncc_sheet_write(ncc_sheet *sheet, const char *path) {
  (void)sheet, (void)path;
  return absent();
}

void ncc_sheet_destroy(ncc_sheet **sheet) {
  *sheet = NULL;
}
