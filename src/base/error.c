/** Thread-local error message, and the names of all codes. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { MESSAGE_BYTES = 1024 };
static _Thread_local char message[MESSAGE_BYTES];

int ncc_status_exit_code(ncc_status status) {
  static const int codes[] = {
#define EXIT_CODE(name, exit_code, text) [name] = exit_code,
      NCC_STATUS_TABLE(EXIT_CODE)
#undef EXIT_CODE
  };
  return (unsigned)status < sizeof codes / sizeof *codes ? codes[status] : codes[NCC_ERR_INTERNAL];
}

const char *ncc_status_text(ncc_status status) {
  static const char *const texts[] = {
#define TEXT(name, exit_code, text) [name] = text,
      NCC_STATUS_TABLE(TEXT)
#undef TEXT
  };
  return (unsigned)status < sizeof texts / sizeof *texts ? texts[status] : "unknown status";
}

const char *ncc_error_message(void) {
  return message;
}

/** An error is one line, whatever names and texts of files are in it. */
static void keep(const char *text) {
  ncc_text_show_into(text, message, sizeof message);
}

ncc_status ncc_error_set(ncc_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  // The arguments may point into the message itself, so format aside first.
  char text[4 * MESSAGE_BYTES] = "";
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  keep(text);
  return status;
}

void ncc_error_prefix(const char *format, ...) {
  char text[4 * MESSAGE_BYTES] = "";
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (length < 0) return;
  if (length < (int)sizeof text) snprintf(text + length, sizeof text - (size_t)length, ": %s", message);
  keep(text);
}

const char *ncc_error_words(int code) {
  return code ? strerror(code) : "no reason given";
}
