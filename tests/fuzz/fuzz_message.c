/** Fuzz target: whatever another rank sends is decoded as every kind of message; indices that pass are in range. */
#include <stdint.h>
#include <stdlib.h>

#include "mpi/rank/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const ncc_object stack = {.rows = 4, .cols = 5, .box_image = -1};
  const ncc_catalog catalog = {.images = {.count = 5, .stack = stack}, .templates = {.count = 7, .stack = stack}};
  static ncc_batch *own;
  ncc_message_type type;
  ncc_batch *got = NULL;
  ncc_status problem;
  ncc_rank_stats stats;
  char text[NCC_MESSAGE_TEXT];
  int64_t id;
  if (!own && ncc_batch_create(1, 2, false, 0, &own) != NCC_OK) abort();
  const int64_t n = (int64_t)size;
  if (ncc_message_check(data, n, &type) == NCC_OK && (type < NCC_MESSAGE_WORK || type >= NCC_MESSAGE_TYPE_COUNT))
    abort();
  if (ncc_message_read_work(data, n, &catalog, &got) == NCC_OK) {
    int64_t sum = 0;
    for (int64_t i = 0; i < got->n_pieces; i++) {
      if (got->pieces[i].image < 0 || got->pieces[i].image >= 5) abort();
      sum += got->pieces[i].count;
    }
    if (sum != got->n_pairs) abort();
    for (int64_t i = 0; i < got->n_pairs; i++)
      if (got->templates[i] < 0 || got->templates[i] >= 7) abort();
    ncc_batch_destroy(&got);
  }
  (void)ncc_message_results_id(data, n, &id);
  (void)ncc_message_read_results(data, n, own);
  (void)ncc_message_read_problem(data, n, &problem, text);
  (void)ncc_message_read_stats(data, n, &stats);
  return 0;
}
