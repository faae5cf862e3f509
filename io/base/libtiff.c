/** See libtiff.h. */
#include "io/base/libtiff.h"

#ifdef NCC_HAVE_TIFF
#include <stdio.h>
#include <string.h>

#include "lazy_tiff.h"

/** libtiff tells its errors to one function of the process. */
static _Thread_local char reason[512];

static void keep_reason(const char *module, const char *format, va_list arguments) {
  (void)module;
  if (reason[0] == '\0') vsnprintf(reason, sizeof reason, format, arguments);
}

/** Most warnings are of tags that are nothing to us; these decoders go on with pixels that they made up. */
static void keep_damage(const char *module, const char *format, va_list arguments) {
  if (module && (strcmp(module, "JPEGLib") == 0 || strcmp(module, "PackBitsDecode") == 0))
    keep_reason(module, format, arguments);
}

ncc_status ncc_libtiff_begin(void) {
  ncc_status status = NCC_OK;
  ncc_libtiff_forget();
  NCC_TRY(ncc_tiff_load());
  TIFFSetErrorHandler(keep_reason);
  TIFFSetWarningHandler(keep_damage);
cleanup:
  return status;
}

void ncc_libtiff_forget(void) {
  reason[0] = '\0';
}

bool ncc_libtiff_complained(void) {
  return reason[0] != '\0';
}

const char *ncc_libtiff_reason(void) {
  return reason[0] ? reason : "no reason given by libtiff";
}

bool ncc_libtiff_dtype(int format, int bits, ncc_dtype *dtype) {
  static const struct {
    int format, bits;
    ncc_dtype dtype;
  } known[] = {
      {SAMPLEFORMAT_UINT, 8, NCC_U8},     {SAMPLEFORMAT_UINT, 16, NCC_U16},   {SAMPLEFORMAT_UINT, 32, NCC_U32},
      {SAMPLEFORMAT_INT, 8, NCC_I8},      {SAMPLEFORMAT_INT, 16, NCC_I16},    {SAMPLEFORMAT_INT, 32, NCC_I32},
      {SAMPLEFORMAT_IEEEFP, 16, NCC_F16}, {SAMPLEFORMAT_IEEEFP, 32, NCC_F32}, {SAMPLEFORMAT_IEEEFP, 64, NCC_F64},
      {SAMPLEFORMAT_VOID, 8, NCC_U8},     {SAMPLEFORMAT_VOID, 16, NCC_U16},   {SAMPLEFORMAT_VOID, 32, NCC_U32},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (known[i].format != format || known[i].bits != bits) continue;
    *dtype = known[i].dtype;
    return true;
  }
  return false;
}
#endif
