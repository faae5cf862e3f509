/** Progress in words: percentages, rates and times left, from the first pair to the last; silence when told so. */
#include "app/progress.h"

#include <string.h>

#include "check.h"

static void expect_words(int64_t done, int64_t total, double elapsed_s, const char *expected) {
  char text[160];
  ncc_progress_words(text, sizeof text, done, total, elapsed_s);
  CHECK(strcmp(text, expected) == 0, "'%s', expected '%s'", text, expected);
}

static void expect_duration(double seconds, const char *expected) {
  char text[48];
  ncc_duration_words(text, sizeof text, seconds);
  CHECK(strcmp(text, expected) == 0, "'%s', expected '%s'", text, expected);
}

/** What an update at this moment shows. */
static size_t shown_bytes(ncc_progress_mode mode, int columns, double started_ago_s, double shown_ago_s) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *stream = open_memstream(&text, &bytes);
  CHECK(stream, "no stream");
  ncc_progress progress;
  ncc_progress_start(&progress, mode, stream, columns);
  progress.started_s -= started_ago_s;
  progress.shown_s -= shown_ago_s;
  ncc_progress_update(&progress, 5, 10);
  fclose(stream);
  CHECK(mode != NCC_PROGRESS_LOG || !bytes || text[bytes - 1] == '\n', "a log is made of lines: '%s'", text);
  free(text);
  return bytes;
}

int main(void) {
  expect_duration(0.4, "0 s");
  expect_duration(59.4, "59 s");
  expect_duration(59.6, "1 min 00 s");
  expect_duration(3725, "1 h 02 min");
  expect_duration(-1, "0 s");
  expect_words(0, 100, 1, "0 of 100 pairs (0 %), 0.0 pairs/s, time left unknown");
  expect_words(25, 100, 10, "25 of 100 pairs (25 %), 2.5 pairs/s, 30 s left");
  expect_words(999, 1000, 1, "999 of 1000 pairs (99 %), 999 pairs/s, 0 s left");
  expect_words(0, 0, 0, "0 of 0 pairs (100 %), 0.0 pairs/s, time left unknown");
  CHECK(shown_bytes(NCC_PROGRESS_NONE, 0, 100, 100) == 0, "none is silent");
  CHECK(shown_bytes(NCC_PROGRESS_LOG, 0, 4, 4) == 0, "a log is silent for 5 s");
  CHECK(shown_bytes(NCC_PROGRESS_LOG, 0, 6, 6) > 0, "a log speaks after 5 s");
  CHECK(shown_bytes(NCC_PROGRESS_BAR, 0, 1, 1) > 0, "a bar is drawn");
  CHECK(shown_bytes(NCC_PROGRESS_AUTO, 0, 1, 1) == 0, "a stream that is no terminal gets a log");
  CHECK(shown_bytes(NCC_PROGRESS_AUTO, 200, 1, 1) > 0, "a terminal gets a bar");
  const size_t narrow = shown_bytes(NCC_PROGRESS_BAR, 30, 1, 1);
  CHECK(narrow == strlen("\r\033[K") + 29, "a bar fits into its terminal: %zu bytes", narrow);
  return 0;
}
