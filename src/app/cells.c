/** See cells.h. */
#include "app/cells.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/words.h"
#include "base/terminal.h"
#include "base/text.h"

enum { LABEL_LEAST = 8 };

void ncc_label(int64_t id, const char *name, int most, char text[NCC_LABEL_BYTES]) {
  const char *shown = ncc_text_show(name);
  char whole[4096];
  snprintf(whole, sizeof whole, *shown ? "%" PRId64 " %s" : "%" PRId64, id, shown);
  const int columns = ncc_text_columns(whole);
  if (columns <= most) {
    snprintf(text, NCC_LABEL_BYTES, "%.*s", NCC_LABEL_BYTES - 1, whole);
    return;
  }
  const int begin = most / 3, end = most - begin - 2; /* behind ".." */
  size_t bytes[2] = {0, 0};
  const int upto[2] = {begin, columns - end};
  for (int part = 0; part < 2; part++)
    for (int column = 0; column < upto[part] && whole[bytes[part]]; column++)
      for (bytes[part]++; ((unsigned char)whole[bytes[part]] & 0xc0) == 0x80;) bytes[part]++;
  snprintf(text, NCC_LABEL_BYTES, "%.*s..%s", (int)bytes[0], whole, whole + bytes[1]);
}

int ncc_label_columns(int others) {
  const int columns = ncc_terminal_columns(STDOUT_FILENO), each = (columns - others) / 2;
  if (columns == 0) return NCC_LABEL_COLUMNS;
  return each < LABEL_LEAST ? LABEL_LEAST : each > NCC_LABEL_COLUMNS ? NCC_LABEL_COLUMNS : each;
}

void ncc_print_column(const char *text, int width) {
  printf("  %s%*s", text, width - ncc_text_columns(text), "");
}

/* ---- records ------------------------------------------------------------------------------------------------- */

void ncc_record_head(const ncc_record *record) {
  for (int i = 0; !record->json && record->columns[i]; i++) printf("%s%s", i ? "," : "", record->columns[i]);
  if (!record->json) putchar('\n');
}

void ncc_record_begin(ncc_record *record) {
  record->next = 0;
  if (record->json) putchar('{');
}

void ncc_record_end(ncc_record *record) {
  fputs(record->json ? "}" : "\n", stdout);
}

static void next_field(ncc_record *record) {
  if (record->next > 0) putchar(',');
  if (record->json) printf("\"%s\":", record->columns[record->next]);
  record->next++;
}

void ncc_json_print(const char *text) {
  json_t *words = ncc_json_words(text);
  if (words) json_dumpf(words, stdout, JSON_ENCODE_ANY);
  json_decref(words);
}

void ncc_record_text(ncc_record *record, const char *text) {
  next_field(record);
  if (record->json) {
    ncc_json_print(text);
    return;
  }
  text = ncc_text_show(text); /* on one line; then as RFC 4180 has it */
  const bool quoted = strpbrk(text, ",\"");
  if (quoted) putchar('"');
  for (; *text; text++) {
    if (*text == '"') putchar('"');
    putchar(*text);
  }
  if (quoted) putchar('"');
}

void ncc_record_integer(ncc_record *record, int64_t value) {
  next_field(record);
  printf("%" PRId64, value);
}

void ncc_record_flag(ncc_record *record, bool value) {
  next_field(record);
  fputs(record->json ? (value ? "true" : "false") : (value ? "1" : "0"), stdout);
}

void ncc_record_nothing(ncc_record *record) {
  next_field(record);
  if (record->json) fputs("null", stdout);
}

void ncc_record_number(ncc_record *record, double value, int digits) {
  if (isnan(value)) {
    ncc_record_nothing(record);
    return;
  }
  next_field(record);
  printf("%.*g", digits, value);
}
