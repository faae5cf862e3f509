/** Messages come back as they were sent; each number that cannot be is refused in words; whatever is cut or changed is
 *  an error or harmless, never a crash. */
#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "mpi/rank/message.h"
#include "plan_cases.h"

static ncc_batch *make_batch(bool windows) { /* with windows, it has lists of peaks, too */
  ncc_batch *batch = NULL;
  CHECK(ncc_batch_create(3, 12, windows, windows ? 2 : 0, &batch) == NCC_OK, "%s", ncc_error_message());
  batch->id = 77;
  for (int i = 0; i < 3; i++) batch->pieces[i] = (ncc_piece){.image = 2 * i, .count = 2 + 2 * i, .turn = i};
  for (int i = 0; i < 12; i++) {
    batch->templates[i] = i * 5 % 7;
    batch->results[i] = (ncc_result){.y = i, .x = -i, .peak = 0.5 * i, .status = (uint8_t)(i % NCC_PAIR_STATUS_COUNT)};
    if (windows) batch->windows[i] = (ncc_rect){i, i + 1, i + 2, i + 3};
    for (int k = 0; windows && k < 2; k++) batch->peaks[2 * i + k] = (ncc_peak){i, k, 0.25 * i - k};
  }
  CHECK(ncc_batch_find_needs(batch) == NCC_OK && batch->needs.n == 3 + 7, "%lld needs", (long long)batch->needs.n);
  for (int64_t i = 0; i < batch->needs.n; i++) batch->needs.items[i].state = (uint8_t)(1 + i % 3);
  ncc_error_set(NCC_ERR_UNREADABLE, "in.h5: /templates/6: cut short");
  CHECK(ncc_batch_note_unreadable(batch, NCC_IMAGE, 4) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_batch_note_unreadable(batch, NCC_TEMPLATE, 6) == NCC_OK, "%s", ncc_error_message());
  return batch;
}

static void check_round_trip(const ncc_catalog *catalog, bool windows) {
  ncc_batch *sent = make_batch(windows), *got = NULL;
  void *bytes;
  int64_t n_bytes, id;
  CHECK(ncc_message_work(sent, &bytes, &n_bytes) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_message_read_work(bytes, n_bytes, catalog, &got) == NCC_OK, "%s", ncc_error_message());
  CHECK(got->id == 77 && got->n_pieces == 3 && got->n_pairs == 12 && got->needs.n == sent->needs.n, "counts");
  CHECK(memcmp(got->pieces, sent->pieces, 3 * sizeof *got->pieces) == 0, "pieces");
  CHECK(memcmp(got->templates, sent->templates, 12 * sizeof *got->templates) == 0, "templates");
  CHECK(!windows || memcmp(got->windows, sent->windows, 12 * sizeof *got->windows) == 0, "windows");
  for (int64_t i = 0; i < got->needs.n; i++) CHECK(got->needs.items[i].state == sent->needs.items[i].state, "states");
  free(bytes);
  CHECK(ncc_message_results(sent, &bytes, &n_bytes) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_message_results_id(bytes, n_bytes, &id) == NCC_OK && id == 77, "id");
  CHECK(ncc_message_read_results(bytes, n_bytes, got) == NCC_OK, "%s", ncc_error_message());
  CHECK(memcmp(got->results, sent->results, 12 * sizeof *got->results) == 0, "results");
  CHECK(got->n_peaks == (windows ? 2 : 0), "%d peaks", got->n_peaks);
  CHECK(!windows || memcmp(got->peaks, sent->peaks, 24 * sizeof *got->peaks) == 0, "peaks");
  CHECK(got->n_unreadable == 2 && got->unreadable[0].index == 4 && got->unreadable[1].kind == NCC_TEMPLATE &&
            strcmp(got->unreadable[1].reason, "in.h5: /templates/6: cut short") == 0,
        "what could not be read");
  free(bytes);
  ncc_batch_destroy(&sent);
  ncc_batch_destroy(&got);
}

/** Decodes bytes as everything they could be. */
static void decode(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog, ncc_batch *batch) {
  ncc_message_type type;
  ncc_batch *got = NULL;
  ncc_status problem;
  ncc_rank_stats stats;
  char text[NCC_MESSAGE_TEXT];
  int64_t id;
  if (ncc_message_check(bytes, n_bytes, &type) != NCC_OK) CHECK(ncc_error_message()[0], "an error without words");
  if (ncc_message_read_work(bytes, n_bytes, catalog, &got) == NCC_OK) {
    for (int64_t i = 0; i < got->n_pairs; i++)
      CHECK(got->templates[i] >= 0 && got->templates[i] < catalog->templates.count, "an index out of range");
    ncc_batch_destroy(&got);
  }
  (void)ncc_message_results_id(bytes, n_bytes, &id);
  (void)ncc_message_read_results(bytes, n_bytes, batch);
  if (ncc_message_read_problem(bytes, n_bytes, &problem, text) == NCC_OK) CHECK(strlen(text) < sizeof text, "text");
  (void)ncc_message_read_stats(bytes, n_bytes, &stats);
}

/* ---- each check by itself --------------------------------------------------------------------------------------- */

/** Where things lie in a message. */
enum {
  TYPE_AT = 0,
  ID_AT = 8,
  PIECES_AT = 16,
  PAIRS_AT = 24,
  NEEDS_AT = 32,
  WINDOWS_AT = 40,
  NAMES_AT = 48,
  PEAKS_AT = 64,
  BODY_AT = 72
};
enum { PIECES = 3, PAIRS = 12, TEMPLATES_AT = BODY_AT + PIECES * (int)sizeof(ncc_piece) };

typedef ncc_status reader(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog);

static ncc_status read_work(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog) {
  ncc_batch *got = NULL;
  ncc_status status = ncc_message_read_work(bytes, n_bytes, catalog, &got);
  ncc_batch_destroy(&got);
  return status;
}

static ncc_status read_results(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog) {
  (void)catalog;
  int64_t id;
  ncc_batch *batch = make_batch(false);
  ncc_status status = ncc_message_results_id(bytes, n_bytes, &id);
  if (status == NCC_OK) status = ncc_message_read_results(bytes, n_bytes, batch);
  ncc_batch_destroy(&batch);
  return status;
}

static ncc_status read_problem(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog) {
  (void)catalog;
  ncc_status problem;
  char text[NCC_MESSAGE_TEXT];
  ncc_status status = ncc_message_read_problem(bytes, n_bytes, &problem, text);
  if (status == NCC_OK) CHECK(memchr(text, 0, sizeof text), "a text without an end");
  return status;
}

static ncc_status read_stats(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog) {
  (void)catalog;
  ncc_rank_stats stats;
  return ncc_message_read_stats(bytes, n_bytes, &stats);
}

/** What is looked at before anyone asks for a certain kind of message. */
static ncc_status check_alone(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog) {
  (void)catalog;
  ncc_message_type type;
  return ncc_message_check(bytes, n_bytes, &type);
}

/** A message in which one number is another is refused for that reason, though all else fits. */
static void refuses(reader *read, const void *bytes, int64_t n_bytes, int64_t at, int64_t value, size_t size,
                    const char *words) {
  ncc_catalog catalog = make_catalog(5, 7, 0);
  char *changed = malloc((size_t)n_bytes);
  CHECK(changed, "out of memory");
  memcpy(changed, bytes, (size_t)n_bytes);
  CHECK(read(changed, n_bytes, &catalog) == NCC_OK, "%s", ncc_error_message());
  memcpy(changed + at, &value, size); /* the lower bytes come first */
  CHECK(read(changed, n_bytes, &catalog) == NCC_ERR_COMM && strstr(ncc_error_message(), words),
        "byte %lld set to %lld: '%s', expected '%s'", (long long)at, (long long)value, ncc_error_message(), words);
  free(changed);
  clear_catalog(&catalog);
}

/** A message of another length. */
static void refuses_length(reader *read, const void *bytes, int64_t n_bytes, int64_t longer, const char *words) {
  ncc_catalog catalog = make_catalog(5, 7, 0);
  const int64_t length = n_bytes + longer;
  char *changed = calloc(1, (size_t)length);
  CHECK(changed, "out of memory");
  memcpy(changed, bytes, (size_t)(longer < 0 ? length : n_bytes));
  CHECK(read(changed, length, &catalog) == NCC_ERR_COMM && strstr(ncc_error_message(), words),
        "%lld bytes more: '%s', expected '%s'", (long long)longer, ncc_error_message(), words);
  free(changed);
  clear_catalog(&catalog);
}

static void check_header(reader *read, const void *bytes, int64_t n_bytes, ncc_message_type other) {
  refuses(check_alone, bytes, n_bytes, TYPE_AT, NCC_MESSAGE_TYPE_COUNT, 8, "type");
  refuses(check_alone, bytes, n_bytes, TYPE_AT, 0, 8, "type 0");
  refuses(read, bytes, n_bytes, TYPE_AT, other, 8, "expected");
  refuses_length(read, bytes, n_bytes, 8, "bytes");
  refuses_length(read, bytes, n_bytes, -8, "bytes");
}

static void check_refusals(void) {
  ncc_batch *batch = make_batch(false);
  const ncc_rank_stats stats = {0};
  void *bytes;
  int64_t n_bytes;
  CHECK(ncc_message_work(batch, &bytes, &n_bytes) == NCC_OK, "%s", ncc_error_message());
  check_header(read_work, bytes, n_bytes, NCC_MESSAGE_RESULTS);
  refuses(read_work, bytes, n_bytes, PIECES_AT, PIECES - 1, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, PIECES_AT, 0, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, PAIRS_AT, PAIRS + 1, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, NEEDS_AT, 9, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, WINDOWS_AT, 1, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, NAMES_AT, 1, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, NAMES_AT, -1, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, NAMES_AT + 8, 8, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, PEAKS_AT, NCC_PEAKS_MOST + 1, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, PEAKS_AT, -1, 8, "does not fit");
  refuses(read_work, bytes, n_bytes, BODY_AT, 5, 8, "names image 5");
  refuses(read_work, bytes, n_bytes, BODY_AT, -1, 8, "names image -1");
  refuses(read_work, bytes, n_bytes, BODY_AT + 8, 0, 8, "with 0 pairs");
  refuses(read_work, bytes, n_bytes, BODY_AT + 8, PAIRS + 1, 8, "with 13 pairs");
  refuses(read_work, bytes, n_bytes, BODY_AT + 8, 1, 8, "has pieces for 11");
  refuses(read_work, bytes, n_bytes, TEMPLATES_AT + 8 * (PAIRS - 1), 7, 8, "names template 7");
  refuses(read_work, bytes, n_bytes, TEMPLATES_AT + 8 * (PAIRS - 1), -1, 8, "names template -1");
  refuses(read_work, bytes, n_bytes, BODY_AT + 16, -1, 8, "names angle -1");
  refuses(read_work, bytes, n_bytes, BODY_AT + 16, NCC_ANGLES_MOST + 1, 8, "names angle 100001");
  refuses(read_work, bytes, n_bytes, BODY_AT + 24, 1, 8, "names angle 0");
  refuses(read_work, bytes, n_bytes, BODY_AT, 2, 8, "its pairs need 9"); /* what another piece has */
  refuses(read_work, bytes, n_bytes, n_bytes - 1, NCC_NEED_STATE_COUNT, 1, "has state 4");
  free(bytes);
  CHECK(ncc_message_results(batch, &bytes, &n_bytes) == NCC_OK, "%s", ncc_error_message());
  check_header(read_results, bytes, n_bytes, NCC_MESSAGE_WORK);
  refuses(read_results, bytes, n_bytes, ID_AT, 78, 8, "for batch 78");
  refuses(read_results, bytes, n_bytes, PAIRS_AT, PAIRS - 1, 8, "results of 11 pairs");
  refuses(read_results, bytes, n_bytes, PEAKS_AT, 1, 8, "with 1 peaks for");
  const int64_t unreadable_at = n_bytes - 2 * (int64_t)sizeof(ncc_unreadable);
  refuses(read_results, bytes, n_bytes, NEEDS_AT, 1, 8, "do not fit");
  refuses(read_results, bytes, n_bytes, NEEDS_AT, 11, 8, "do not fit");
  refuses(read_results, bytes, n_bytes, unreadable_at + 8, 2, 8, "of kind 2 and index 4");
  refuses(read_results, bytes, n_bytes, unreadable_at, 1, 8, "does not need");
  const int64_t last = unreadable_at - (int64_t)sizeof(ncc_result) + (int64_t)offsetof(ncc_result, status);
  refuses(read_results, bytes, n_bytes, last, NCC_PAIR_STATUS_COUNT, 1, "has status");
  free(bytes);
  char text[NCC_MESSAGE_TEXT];
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = 0;
  CHECK(ncc_message_problem(NCC_ERR_NOMEM, text, &bytes, &n_bytes) == NCC_OK, "%s", ncc_error_message());
  check_header(read_problem, bytes, n_bytes, NCC_MESSAGE_STATS);
  refuses(read_problem, bytes, n_bytes, ID_AT, NCC_OK, 8, "a problem of status 0");
  refuses(read_problem, bytes, n_bytes, ID_AT, NCC_ERR_STOPPED + 1, 8, "a problem of status");
  ((char *)bytes)[n_bytes - 1] = 'x'; /* the text's end */
  CHECK(read_problem(bytes, n_bytes, NULL) == NCC_OK, "%s", ncc_error_message());
  free(bytes);
  CHECK(ncc_message_stats(&stats, &bytes, &n_bytes) == NCC_OK, "%s", ncc_error_message());
  check_header(read_stats, bytes, n_bytes, NCC_MESSAGE_PROBLEM);
  free(bytes);
  ncc_batch_destroy(&batch);
}

int main(void) {
  check_refusals();
  ncc_catalog catalog = make_catalog(5, 7, 0);
  check_round_trip(&catalog, false);
  check_round_trip(&catalog, true);
  reader *const readers[] = {read_work, read_work, read_results, read_problem, read_stats};
  uint64_t state = 3;
  for (int kind = 0; kind < 5; kind++) {
    ncc_batch *batch = make_batch(kind == 1);
    void *bytes = NULL;
    int64_t n_bytes = 0;
    ncc_rank_stats stats = {0};
    ncc_status made = kind < 2    ? ncc_message_work(batch, &bytes, &n_bytes)
                      : kind == 2 ? ncc_message_results(batch, &bytes, &n_bytes)
                      : kind == 3 ? ncc_message_problem(NCC_ERR_NOMEM, "words", &bytes, &n_bytes)
                                  : ncc_message_stats(&stats, &bytes, &n_bytes);
    CHECK(made == NCC_OK, "%s", ncc_error_message());
    for (int64_t cut = 0; cut < n_bytes; cut++) { /* every truncation is an error */
      char *shorter = malloc((size_t)cut + 1);    /* its own block, so that a sanitizer sees reading beyond */
      CHECK(shorter, "out of memory");
      memcpy(shorter, bytes, (size_t)cut);
      CHECK(readers[kind](shorter, cut, &catalog) == NCC_ERR_COMM, "cut at %lld is taken", (long long)cut);
      decode(shorter, cut, &catalog, batch);
      free(shorter);
    }
    for (int round = 0; round < 20000; round++) {
      char *changed = malloc((size_t)n_bytes);
      CHECK(changed, "out of memory");
      memcpy(changed, bytes, (size_t)n_bytes);
      for (int64_t flips = 1 + random_below(&state, 3); flips > 0; flips--)
        changed[random_below(&state, round % 2 ? n_bytes : 64)] = (char)random_u64(&state);
      decode(changed, n_bytes, &catalog, batch);
      free(changed);
    }
    free(bytes);
    ncc_batch_destroy(&batch);
  }
  clear_catalog(&catalog);
  return 0;
}
