/** How far a run is: a bar on a terminal, a line now and then in a log. Goes to stderr, never to stdout. */
#ifndef NCC_PROGRESS_H
#define NCC_PROGRESS_H

#include <stdio.h>

#include "options/run.h"

typedef struct ncc_progress {
  FILE *stream;
  ncc_progress_mode mode; /**< resolved: never auto */
  double started_s, shown_s;
  int columns; /**< of the terminal; 0: unknown */
  bool drawn;  /**< a bar stands on the terminal's line */
} ncc_progress;

/** Starts the clock. `auto` is a bar where a terminal shows the stream, else a log.
 *  @param[in] columns  of that terminal, into which a bar is made to fit; 0: there is none. */
void ncc_progress_start(ncc_progress *progress, ncc_progress_mode mode, FILE *stream, int columns);

/** Shows, not more often than one can read: a bar four times a second, a line after 5 s and then every 10 s. */
void ncc_progress_update(ncc_progress *progress, int64_t done, int64_t total);

/** Removes the bar. */
void ncc_progress_end(ncc_progress *progress);

/** The words of one line, without newline: "1200 of 5000 pairs (24 %), 310 pairs/s, 12 s left". */
void ncc_progress_words(char *text, size_t text_bytes, int64_t done, int64_t total, double elapsed_s);

/** "12 s", "3 min 20 s", "2 h 05 min". */
void ncc_duration_words(char *text, size_t text_bytes, double seconds);

#endif
