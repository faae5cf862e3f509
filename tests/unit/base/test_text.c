/** Names are bytes: what is shown is UTF-8 without control characters, what is quoted comes back from a shell. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "check.h"

static void expect_shown(const char *name, const char *expected) {
  CHECK(strcmp(ncc_text_show(name), expected) == 0, "'%s' found, expected '%s'", ncc_text_show(name), expected);
}

static void shown_in_one_line(void) {
  expect_shown("plain name.h5", "plain name.h5");
  expect_shown("Pr\xc3\xa4parat \xe2\x82\xac \xf0\x9f\x94\xac", "Pr\xc3\xa4parat \xe2\x82\xac \xf0\x9f\x94\xac");
  expect_shown("a\nb\x1b[31mc\td\x7f", "a\\x0ab\\x1b[31mc\\x09d\\x7f");
  expect_shown(
      "Pr\xf6"
      "be.tif",
      "Pr\\xf6"
      "be.tif");
  expect_shown("C1 \xc2\x9b!", "C1 \\xc2\\x9b!"); /* a control character of two bytes */
  expect_shown(
      "\xe2\x80\xae"
      "fdp.exe",
      "\\xe2\\x80\\xae"
      "fdp.exe");                                 /* right to left */
  expect_shown("cut \xe2\x82", "cut \\xe2\\x82"); /* at the end */
  expect_shown("\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80", "\\xc0\\xaf \\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80");
}

/** All that two and three bytes can be: shown as they are where they are UTF-8. */
static void knows_utf8(void) {
  int kept = 0;
  for (int a = 0x80; a < 0x100; a++) {
    for (int b = 0x80; b < 0xc0; b++) {
      const char two[] = {(char)a, (char)b, '\0'};
      kept += strcmp(ncc_text_show(two), two) == 0;
      for (int c = 0x80; c < 0xc0; c++) {
        const char three[] = {(char)a, (char)b, (char)c, '\0'};
        kept += strcmp(ncc_text_show(three), three) == 0;
      }
    }
  }
  /* U+00A0 to U+07FF; U+0800 to U+FFFF without surrogates, the 7 of U+2028 to U+202E and the 4 of U+2066 to U+2069 */
  CHECK(kept == 0x800 - 0xa0 + 0x10000 - 0x800 - 0x800 - 7 - 4, "%d", kept);
}

static void cut_to_whole_characters(void) {
  char out[6];
  ncc_text_show_into("ab\xe2\x82\xac\xe2\x82\xac", out, sizeof out);
  CHECK(strcmp(out, "ab\xe2\x82\xac") == 0, "'%s'", out);
  ncc_text_show_into("abc\n\n", out, sizeof out);
  CHECK(strcmp(out, "abc") == 0, "'%s'", out);
  CHECK(ncc_text_cut("ab\xe2\x82\xac", 4) == 2 && ncc_text_cut("ab\xe2\x82\xac", 5) == 5, "cut");
  CHECK(ncc_text_columns("ab\xe2\x82\xac") == 3, "columns");
  char name[3000];
  memset(name, 'x', sizeof name);
  for (int i = 0; i < 3; i++) memcpy(name + sizeof name - 10 + 3 * i, "\xe2\x82\xac", 3);
  name[sizeof name - 1] = '\0';
  for (int start = 0; start < 4; start++) {
    ncc_error_set(NCC_ERR_INPUT, "%s", name + start);
    CHECK(!strchr(ncc_error_message(), '\\'), "a message ends within a character: %s", ncc_error_message());
  }
}

static void files_are_utf8_and_paths_come_back(void) {
  static const char *const names[] = {"plain",
                                      "a\nb",
                                      "Pr\xf6"
                                      "be",
                                      "\xff\xfe",
                                      "\xe2\x82\xac",
                                      "\xe2\x82"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char *text = ncc_text_utf8(names[i]), *bytes = ncc_text_bytes(text);
    CHECK(strcmp(bytes, names[i]) == 0, "'%s' became '%s'", names[i], bytes);
    for (const char *c = text; *c; c++) CHECK((i != 2 && i != 3 && i != 5) || (unsigned char)*c < 0x80, "%s", text);
    free(text);
    free(bytes);
  }
}

/** A shell makes the same bytes of it again. */
static void quoted_for_a_shell(void) {
  static const char *const names[] = {"plain",
                                      "two  blanks",
                                      "it's",
                                      "",
                                      "a\nb",
                                      "Pr\xf6"
                                      "be",
                                      "\x1b[31m",
                                      "$HOME `id` \"x\"",
                                      "back\\slash",
                                      "\\'\n'",
                                      "\xe2\x82\xac'",
                                      "~",
                                      "-x",
                                      "#",
                                      "a\x01"
                                      "7",
                                      "*?[a]{b,c};|&<>()!"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char *command = NULL, back[256] = "";
    size_t size;
    FILE *stream = open_memstream(&command, &size);
    fputs("printf %s ", stream);
    ncc_text_quote(stream, names[i]);
    fclose(stream);
    CHECK(!strchr(command, '\n') && strcmp(ncc_text_show(command), command) == 0, "not to be shown: %s", command);
    FILE *file = fopen("command.sh", "w");
    fputs(command, file);
    fclose(file);
    FILE *shell = popen("bash command.sh", "r");
    back[fread(back, 1, sizeof back - 1, shell)] = '\0';
    pclose(shell);
    CHECK(strcmp(back, names[i]) == 0, "%s gave '%s'", command, back);
    free(command);
  }
  remove("command.sh");
}

int main(void) {
  shown_in_one_line();
  knows_utf8();
  cut_to_whole_characters();
  files_are_utf8_and_paths_come_back();
  quoted_for_a_shell();
  return 0;
}
