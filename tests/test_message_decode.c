/** Messages come back as they were sent; whatever is cut or changed in them is an error or harmless, never a crash. */
#include <string.h>

#include "message.h"
#include "plan_cases.h"

static ncc_handout *make_handout(bool windows) {
  ncc_handout *handout = NULL;
  CHECK(ncc_handout_create(3, 12, windows, true, &handout) == NCC_OK, "%s", ncc_error_message());
  handout->id = 77;
  for (int i = 0; i < 3; i++) handout->pieces[i] = (ncc_piece){.image = 2 * i, .count = 2 + 2 * i};
  for (int i = 0; i < 12; i++) {
    handout->templates[i] = i * 5 % 7;
    handout->results[i] =
        (ncc_result){.y = i, .x = -i, .peak = 0.5 * i, .status = (uint8_t)(i % NCC_PAIR_STATUS_COUNT)};
    if (windows) handout->windows[i] = (ncc_rect){i, i + 1, i + 2, i + 3};
  }
  CHECK(ncc_handout_find_needs(handout) == NCC_OK && handout->n_needs == 3 + 7, "%lld needs",
        (long long)handout->n_needs);
  for (int64_t i = 0; i < handout->n_needs; i++) handout->needs[i].state = (uint8_t)(1 + i % 3);
  return handout;
}

static void check_round_trip(const ncc_catalog *catalog, bool windows) {
  ncc_handout *sent = make_handout(windows), *got = NULL;
  void *bytes;
  int64_t n_bytes, id;
  CHECK(ncc_message_work(sent, &bytes, &n_bytes) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_message_read_work(bytes, n_bytes, catalog, &got) == NCC_OK, "%s", ncc_error_message());
  CHECK(got->id == 77 && got->n_pieces == 3 && got->n_pairs == 12 && got->n_needs == sent->n_needs, "counts");
  CHECK(memcmp(got->pieces, sent->pieces, 3 * sizeof *got->pieces) == 0, "pieces");
  CHECK(memcmp(got->templates, sent->templates, 12 * sizeof *got->templates) == 0, "templates");
  CHECK(!windows || memcmp(got->windows, sent->windows, 12 * sizeof *got->windows) == 0, "windows");
  for (int64_t i = 0; i < got->n_needs; i++) CHECK(got->needs[i].state == sent->needs[i].state, "states");
  free(bytes);
  CHECK(ncc_message_results(sent, &bytes, &n_bytes) == NCC_OK, "%s", ncc_error_message());
  CHECK(ncc_message_results_id(bytes, n_bytes, &id) == NCC_OK && id == 77, "id");
  CHECK(ncc_message_read_results(bytes, n_bytes, got) == NCC_OK, "%s", ncc_error_message());
  CHECK(memcmp(got->results, sent->results, 12 * sizeof *got->results) == 0, "results");
  free(bytes);
  ncc_handout_release(sent);
  ncc_handout_release(got);
}

/** Decodes bytes as everything they could be. */
static void decode(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog, ncc_handout *handout) {
  ncc_message_type type;
  ncc_handout *got = NULL;
  ncc_status problem;
  ncc_rank_stats stats;
  char text[NCC_MESSAGE_TEXT];
  int64_t id;
  if (ncc_message_check(bytes, n_bytes, &type) != NCC_OK) CHECK(ncc_error_message()[0], "an error without words");
  if (ncc_message_read_work(bytes, n_bytes, catalog, &got) == NCC_OK) {
    for (int64_t i = 0; i < got->n_pairs; i++)
      CHECK(got->templates[i] >= 0 && got->templates[i] < catalog->templates.count, "an index out of range");
    ncc_handout_release(got);
  }
  (void)ncc_message_results_id(bytes, n_bytes, &id);
  (void)ncc_message_read_results(bytes, n_bytes, handout);
  if (ncc_message_read_problem(bytes, n_bytes, &problem, text) == NCC_OK) CHECK(strlen(text) < sizeof text, "text");
  (void)ncc_message_read_stats(bytes, n_bytes, &stats);
}

int main(void) {
  ncc_catalog catalog = make_catalog(5, 7, 0);
  check_round_trip(&catalog, false);
  check_round_trip(&catalog, true);
  uint64_t state = 3;
  for (int kind = 0; kind < 5; kind++) {
    ncc_handout *handout = make_handout(kind == 1);
    void *bytes = NULL;
    int64_t n_bytes = 0;
    ncc_rank_stats stats = {0};
    ncc_status made = kind < 2    ? ncc_message_work(handout, &bytes, &n_bytes)
                      : kind == 2 ? ncc_message_results(handout, &bytes, &n_bytes)
                      : kind == 3 ? ncc_message_problem(NCC_ERR_NOMEM, "words", &bytes, &n_bytes)
                                  : ncc_message_stats(&stats, &bytes, &n_bytes);
    CHECK(made == NCC_OK, "%s", ncc_error_message());
    for (int64_t cut = 0; cut < n_bytes; cut++) { /* every truncation is an error */
      ncc_message_type type;
      char *shorter = malloc((size_t)cut + 1); /* its own block, so that a sanitizer sees reading beyond */
      CHECK(shorter, "out of memory");
      memcpy(shorter, bytes, (size_t)cut);
      CHECK(ncc_message_check(shorter, cut, &type) == NCC_ERR_COMM, "cut at %lld is taken", (long long)cut);
      decode(shorter, cut, &catalog, handout);
      free(shorter);
    }
    for (int round = 0; round < 20000; round++) {
      char *changed = malloc((size_t)n_bytes);
      CHECK(changed, "out of memory");
      memcpy(changed, bytes, (size_t)n_bytes);
      for (int64_t flips = 1 + random_below(&state, 3); flips > 0; flips--)
        changed[random_below(&state, round % 2 ? n_bytes : 64)] = (char)random_u64(&state);
      decode(changed, n_bytes, &catalog, handout);
      free(changed);
    }
    free(bytes);
    ncc_handout_release(handout);
  }
  clear_catalog(&catalog);
  return 0;
}
