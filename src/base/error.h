/** Errors inside the program: set the calling thread's message, return a status, leave by one exit label.
 *
 *  Every function that can fail returns ncc_status and declares `ncc_status status = NCC_OK;` with one label
 * `cleanup:`. The macros are never compiled out. Foreign libraries' macros (NCC_TRY_MPI, _H5, _CUDA) live in the
 * folders that use those libraries.
 */
#ifndef NCC_ERROR_H
#define NCC_ERROR_H

#include "mpixcorr.h"

/** Records the message for ncc_error_message() and returns `status`. printf-like. Thread-safe: per thread. */
ncc_status ncc_error_set(ncc_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Puts "prefix: " before the current message; for callers who know the file or object. */
void ncc_error_prefix(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The system's words for an errno that a call has just set; 0: it gave none. What was not set by the call that failed
 * is no reason: keep errno beside the result, before anything else is called. */
const char *ncc_error_words(int code);

#define NCC_TRY(call)                   \
  do {                                  \
    status = (call);                    \
    if (status != NCC_OK) goto cleanup; \
  } while (0)

#define NCC_CHECK(condition, code, ...)            \
  do {                                             \
    if (!(condition)) {                            \
      status = ncc_error_set((code), __VA_ARGS__); \
      goto cleanup;                                \
    }                                              \
  } while (0)

#endif
