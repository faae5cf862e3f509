/** Texts and other attributes of HDF5 objects; see h5.h. */
#include <stdlib.h>
#include <string.h>

#include "io/base/h5.h"

hid_t ncc_h5_text_type(size_t size) {
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, size);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

ncc_status ncc_h5_put(hid_t object, const char *path, const char *name, hid_t type, hsize_t n, const void *value) {
  ncc_status status = NCC_OK;
  hid_t space = n ? H5Screate_simple(1, &n, NULL) : H5Screate(H5S_SCALAR);
  hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  NCC_CHECK_H5(attribute >= 0 && H5Awrite(attribute, type, value) >= 0, NCC_ERR_OUTPUT,
               "%s: attribute %s cannot be written", path, name);
cleanup:
  ncc_h5_close(&attribute);
  ncc_h5_close(&space);
  return status;
}

ncc_status ncc_h5_put_text(hid_t object, const char *path, const char *name, const char *text) {
  hid_t type = ncc_h5_text_type(strlen(text) + 1);
  ncc_status status = ncc_h5_put(object, path, name, type, 0, text);
  ncc_h5_close(&type);
  return status;
}

char *ncc_h5_get_text(hid_t object, const char *name) {
  char *text = NULL, *pointer = NULL;
  hid_t attribute = -1, type = -1, space = -1, memory = -1;
  if (H5Aexists(object, name) <= 0) return NULL;
  attribute = H5Aopen(object, name, H5P_DEFAULT);
  type = H5Aget_type(attribute);
  space = H5Aget_space(attribute);
  if (type < 0 || H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1) goto cleanup;
  memory = H5Tcopy(H5T_C_S1);
  H5Tset_cset(memory, H5Tget_cset(type));
  if (H5Tis_variable_str(type) > 0) {
    if (H5Tset_size(memory, H5T_VARIABLE) >= 0 && H5Aread(attribute, memory, &pointer) >= 0 && pointer)
      text = strdup(pointer);
    H5free_memory(pointer);
  } else {
    const size_t size = H5Tget_size(type) + 1;
    text = size < 1 << 16 ? calloc(1, size) : NULL;
    if (text && (H5Tset_size(memory, size) < 0 || H5Aread(attribute, memory, text) < 0)) text[0] = '\0';
  }
cleanup:
  ncc_h5_close(&memory);
  ncc_h5_close(&space);
  ncc_h5_close(&type);
  ncc_h5_close(&attribute);
  return text;
}
