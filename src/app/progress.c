#include "app/progress.h"

#include <math.h>

#include "base/clock.h"

#define BAR_EVERY_S 0.25
#define LOG_FIRST_S 5.0
#define LOG_EVERY_S 10.0
enum { BAR_WIDTH = 24 };

void ncc_duration_words(char *text, size_t text_bytes, double seconds) {
  long long whole = seconds < 3.6e9 ? llround(fmax(seconds, 0)) : 3600000000LL;
  if (whole < 60)
    snprintf(text, text_bytes, "%lld s", whole);
  else if (whole < 3600)
    snprintf(text, text_bytes, "%lld min %02lld s", whole / 60, whole % 60);
  else
    snprintf(text, text_bytes, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
}

void ncc_progress_words(char *text, size_t text_bytes, int64_t done, int64_t total, double elapsed_s) {
  double rate = elapsed_s > 0 ? (double)done / elapsed_s : 0;
  char left[64] = "time left unknown", duration[48];
  if (done > 0) {
    ncc_duration_words(duration, sizeof duration, (double)(total - done) / rate);
    snprintf(left, sizeof left, "%s left", duration);
  }
  snprintf(text, text_bytes, "%lld of %lld pairs (%d %%), %.*f pairs/s, %s", (long long)done, (long long)total,
           total > 0 ? (int)(100.0 * (double)done / (double)total) : 100, rate < 10 ? 1 : 0, rate, left);
}

void ncc_progress_start(ncc_progress *progress, ncc_progress_mode mode, FILE *stream, int columns) {
  *progress = (ncc_progress){.stream = stream, .mode = mode, .started_s = ncc_clock_s(), .columns = columns};
  if (mode == NCC_PROGRESS_AUTO) progress->mode = columns ? NCC_PROGRESS_BAR : NCC_PROGRESS_LOG;
  progress->shown_s = progress->started_s + (progress->mode == NCC_PROGRESS_LOG ? LOG_FIRST_S - LOG_EVERY_S : 0);
}

void ncc_progress_update(ncc_progress *progress, int64_t done, int64_t total) {
  char words[160];
  double now_s = ncc_clock_s();
  if (progress->mode == NCC_PROGRESS_NONE) return;
  if (now_s - progress->shown_s < (progress->mode == NCC_PROGRESS_BAR ? BAR_EVERY_S : LOG_EVERY_S)) return;
  progress->shown_s = now_s;
  ncc_progress_words(words, sizeof words, done, total, now_s - progress->started_s);
  if (progress->mode == NCC_PROGRESS_LOG) {
    fprintf(progress->stream, "progress: %s\n", words);
  } else {
    char bar[BAR_WIDTH + 1];
    int filled = total > 0 ? (int)(BAR_WIDTH * (double)done / (double)total) : BAR_WIDTH;
    for (int i = 0; i < BAR_WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    char line[BAR_WIDTH + sizeof words + 4];
    snprintf(line, sizeof line, "[%s] %s", bar, words);
    const int most = progress->columns > 0 ? progress->columns - 1 : (int)sizeof line; /* a second line would stay */
    fprintf(progress->stream, "\r%.*s\033[K", most, line);
    progress->drawn = true;
  }
  fflush(progress->stream);
}

void ncc_progress_end(ncc_progress *progress) {
  if (progress->drawn) fputs("\r\033[K", progress->stream);
  if (progress->drawn) fflush(progress->stream);
  progress->drawn = false;
}
