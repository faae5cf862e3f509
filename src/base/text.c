/** See text.h. */
#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 4000, SHOWN_AT_ONCE = 8, ESCAPE_BYTES = 4 };

/** Bytes of the UTF-8 character that text begins with; 0 where it begins with none (RFC 3629: no surrogates, nothing
 *  longer than need be). */
static size_t character_bytes(const char *text) {
  const unsigned char *c = (const unsigned char *)text;
  const size_t n = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < n; i++)
    if ((c[i] & 0xc0) != 0x80) return 0;
  if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0)) return 0;
  if ((c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] >= 0x90)) return 0;
  return n;
}

/** Control characters of ASCII and Unicode, and those that turn the direction of writing or end a line. */
static bool is_control(const char *text, size_t n) {
  const unsigned char *c = (const unsigned char *)text;
  if (n == 1) return c[0] < ' ' || c[0] == 0x7f;
  if (n == 2) return c[0] == 0xc2 && c[1] < 0xa0;
  return n == 3 && c[0] == 0xe2 &&
         ((c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) || (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

/** Appends what fits of `from`. @param[in] controls  whether control characters stay. @return bytes that the whole
 *  would take, without the final zero. */
static size_t word(const char *from, bool controls, char *out, size_t size) {
  static const char hex[] = "0123456789abcdef";
  size_t used = 0, whole = 0;
  bool full = false;
  while (*from) {
    const size_t n = character_bytes(from), bytes = n ? n : 1;
    const bool escape = n == 0 || (!controls && is_control(from, n));
    const size_t length = escape ? ESCAPE_BYTES * bytes : bytes;
    full = full || used + length + 1 > size;
    for (size_t i = 0; i < bytes && !full; i++) {
      const unsigned char c = (unsigned char)from[i];
      if (escape) {
        const char text[ESCAPE_BYTES] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
        memcpy(out + used, text, ESCAPE_BYTES);
      } else {
        out[used] = from[i];
      }
      used += escape ? ESCAPE_BYTES : 1;
    }
    whole += length;
    from += bytes;
  }
  if (size > 0) out[used] = '\0';
  return whole;
}

void ncc_text_show_into(const char *name, char *out, size_t size) {
  word(name, false, out, size);
}

const char *ncc_text_show(const char *name) {
  static _Thread_local char shown[SHOWN_AT_ONCE][SHOWN_BYTES + 1];
  static _Thread_local int next;
  char *out = shown[next++ % SHOWN_AT_ONCE];
  ncc_text_show_into(name, out, sizeof shown[0]);
  return out;
}

char *ncc_text_utf8(const char *name) {
  const size_t size = word(name, true, NULL, 0) + 1;
  char *out = malloc(size);
  if (out) word(name, true, out, size);
  return out;
}

static int digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *ncc_text_bytes(const char *text) {
  char *out = malloc(strlen(text) + 1), *to = out;
  while (out && *text) {
    const bool escape = text[0] == '\\' && text[1] == 'x' && digit(text[2]) >= 0 && digit(text[3]) >= 0;
    *to++ = escape ? (char)(16 * digit(text[2]) + digit(text[3])) : *text;
    text += escape ? ESCAPE_BYTES : 1;
  }
  if (out) *to = '\0';
  return out;
}

size_t ncc_text_cut(const char *text, size_t most) {
  size_t n = strnlen(text, most + 1);
  if (n <= most) return n;
  for (n = most; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;) n--;
  return n;
}

int ncc_text_columns(const char *text) {
  int n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

void ncc_text_quote(FILE *stream, const char *text) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,./:+@%";
  if (text[0] && strspn(text, plain) == strlen(text)) {
    fputs(text, stream);
    return;
  }
  bool odd = false;
  for (const char *at = text; *at && !odd;) {
    const size_t n = character_bytes(at);
    odd = n == 0 || is_control(at, n);
    at += n;
  }
  fputs(odd ? "$'" : "'", stream);
  while (*text) {
    const size_t n = character_bytes(text), bytes = n ? n : 1;
    for (size_t i = 0; i < bytes; i++) {
      const unsigned char c = (unsigned char)text[i];
      if (n == 0 || is_control(text, n)) {
        fprintf(stream, "\\%03o", c); /* three digits, so that what follows is not taken for a part of it */
      } else if (odd && (c == '\'' || c == '\\')) {
        fprintf(stream, "\\%c", c);
      } else {
        fputs(c == '\'' ? "'\\''" : (const char[]){(char)c, '\0'}, stream);
      }
    }
    text += bytes;
  }
  fputc('\'', stream);
}

const char *ncc_size_words(double bytes) {
  enum { CALLS = 8, UNITS = 6 };
  static _Thread_local char text[CALLS][32];
  static _Thread_local int next;
  static const char *const units[UNITS] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  int unit = 0;
  for (; bytes >= 1024 && unit < UNITS - 1; unit++) bytes /= 1024;
  char *out = text[next++ % CALLS];
  snprintf(out, sizeof text[0], unit == 0 ? "%.0f %s" : "%.2f %s", bytes, units[unit]);
  return out;
}
