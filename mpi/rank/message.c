#include "mpi/rank/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/version.h"

#define MAGIC 0x3143434eu   /* "NCC1" */
enum { NEED_AGAIN = 0x80 }; /* beside a need's state */

typedef struct header {
  uint32_t magic;
  uint16_t version, type;
  int64_t bytes; /* of the whole message */
  int64_t id;
  int64_t n_pieces, n_pairs, n_needs;
  int64_t windows; /* 0 or 1 */
} header;

void ncc_message_hello_make(ncc_message_hello *hello) {
  memset(hello, 0, sizeof *hello);
  snprintf(hello->text, sizeof hello->text, "mpixcorr %s (commit %s), protocol %d, sizes %zu %zu %zu %zu %zu",
           ncc_version(), ncc_commit(), NCC_PROTOCOL_VERSION, sizeof(header), sizeof(ncc_result),
           sizeof(ncc_rank_stats), sizeof(ncc_object), sizeof(long));
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

/** Starts a message; *at is where its body begins. */
static ncc_status start(const header *fields, int64_t body_bytes, void **bytes, int64_t *n_bytes, char **at) {
  ncc_status status = NCC_OK;
  *n_bytes = (int64_t)sizeof(header) + body_bytes;
  *bytes = malloc((size_t)*n_bytes);
  NCC_CHECK(*bytes, NCC_ERR_NOMEM, "out of memory for a message of %lld bytes", (long long)*n_bytes);
  header head = *fields;
  head.magic = MAGIC;
  head.version = NCC_PROTOCOL_VERSION;
  head.bytes = *n_bytes;
  memcpy(*bytes, &head, sizeof head);
  *at = (char *)*bytes + sizeof head;
cleanup:
  return status;
}

static void put(char **at, const void *data, size_t bytes) {
  memcpy(*at, data, bytes);
  *at += bytes;
}

static int64_t work_body_bytes(const header *head) {
  return head->n_pieces * (int64_t)sizeof(ncc_piece) + head->n_pairs * (int64_t)sizeof(int64_t) +
         (head->windows ? head->n_pairs * (int64_t)sizeof(ncc_rect) : 0) + head->n_needs;
}

ncc_status ncc_message_work(const ncc_handout *handout, void **bytes, int64_t *n_bytes) {
  ncc_status status = NCC_OK;
  char *at = NULL;
  header head = {.type = NCC_MESSAGE_WORK,
                 .id = handout->id,
                 .n_pieces = handout->n_pieces,
                 .n_pairs = handout->n_pairs,
                 .n_needs = handout->n_needs,
                 .windows = handout->windows != NULL};
  NCC_TRY(start(&head, work_body_bytes(&head), bytes, n_bytes, &at));
  put(&at, handout->pieces, (size_t)handout->n_pieces * sizeof *handout->pieces);
  put(&at, handout->templates, (size_t)handout->n_pairs * sizeof *handout->templates);
  if (handout->windows) put(&at, handout->windows, (size_t)handout->n_pairs * sizeof *handout->windows);
  for (int64_t i = 0; i < handout->n_needs; i++)
    *at++ = (char)(handout->needs[i].state | (handout->needs[i].again ? NEED_AGAIN : 0));
cleanup:
  return status;
}

ncc_status ncc_message_results(const ncc_handout *handout, void **bytes, int64_t *n_bytes) {
  ncc_status status = NCC_OK;
  char *at = NULL;
  header head = {.type = NCC_MESSAGE_RESULTS, .id = handout->id, .n_pairs = handout->n_pairs};
  size_t results_bytes = (size_t)handout->n_pairs * sizeof *handout->results;
  NCC_TRY(start(&head, (int64_t)(2 * sizeof(double) + results_bytes), bytes, n_bytes, &at));
  put(&at, &handout->elapsed_s, sizeof handout->elapsed_s);
  put(&at, &handout->image_s, sizeof handout->image_s);
  put(&at, handout->results, results_bytes);
cleanup:
  return status;
}

ncc_status ncc_message_problem(ncc_status problem, const char *text, void **bytes, int64_t *n_bytes) {
  ncc_status status = NCC_OK;
  char *at = NULL;
  char field[NCC_MESSAGE_TEXT] = {0};
  header head = {.type = NCC_MESSAGE_PROBLEM, .id = problem};
  snprintf(field, sizeof field, "%s", text);
  NCC_TRY(start(&head, sizeof field, bytes, n_bytes, &at));
  put(&at, field, sizeof field);
cleanup:
  return status;
}

ncc_status ncc_message_stats(const ncc_rank_stats *stats, void **bytes, int64_t *n_bytes) {
  ncc_status status = NCC_OK;
  char *at = NULL;
  NCC_TRY(start(&(header){.type = NCC_MESSAGE_STATS}, sizeof *stats, bytes, n_bytes, &at));
  put(&at, stats, sizeof *stats);
cleanup:
  return status;
}

ncc_status ncc_message_plain(ncc_message_type type, void **bytes, int64_t *n_bytes) {
  char *at = NULL;
  return start(&(header){.type = (uint16_t)type}, 0, bytes, n_bytes, &at);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

ncc_status ncc_message_check(const void *bytes, int64_t n_bytes, ncc_message_type *type) {
  ncc_status status = NCC_OK;
  header head = {0};
  NCC_CHECK(n_bytes >= (int64_t)sizeof head, NCC_ERR_COMM, "a message of %lld bytes, expected at least %zu",
            (long long)n_bytes, sizeof head);
  memcpy(&head, bytes, sizeof head);
  NCC_CHECK(head.magic == MAGIC, NCC_ERR_COMM, "a message begins with 0x%08x, expected 0x%08x", head.magic, MAGIC);
  NCC_CHECK(head.version == NCC_PROTOCOL_VERSION, NCC_ERR_COMM,
            "a message of protocol version %d, expected %d: the same build must run on all nodes", head.version,
            NCC_PROTOCOL_VERSION);
  NCC_CHECK(head.bytes == n_bytes, NCC_ERR_COMM, "a message of %lld bytes says that it has %lld", (long long)n_bytes,
            (long long)head.bytes);
  NCC_CHECK(head.type >= NCC_MESSAGE_WORK && head.type < NCC_MESSAGE_TYPE_COUNT, NCC_ERR_COMM,
            "a message of type %d, expected %d to %d", head.type, NCC_MESSAGE_WORK, NCC_MESSAGE_TYPE_COUNT - 1);
  *type = (ncc_message_type)head.type;
cleanup:
  return status;
}

/** The header of a message of the given type whose body has this length. */
static ncc_status read_header(const void *bytes, int64_t n_bytes, ncc_message_type type, int64_t body_bytes,
                              header *head) {
  ncc_status status = NCC_OK;
  ncc_message_type found = NCC_MESSAGE_TYPE_COUNT;
  NCC_TRY(ncc_message_check(bytes, n_bytes, &found));
  NCC_CHECK(found == type, NCC_ERR_COMM, "a message of type %d, expected %d", found, type);
  memcpy(head, bytes, sizeof *head);
  NCC_CHECK(body_bytes < 0 || n_bytes == (int64_t)sizeof *head + body_bytes, NCC_ERR_COMM,
            "a message of type %d has %lld bytes, expected %lld", type, (long long)n_bytes,
            (long long)((int64_t)sizeof *head + body_bytes));
cleanup:
  return status;
}

static void get(const char **at, void *data, size_t bytes) {
  memcpy(data, *at, bytes);
  *at += bytes;
}

/** Indices and counts of a decoded hand-out fit the catalog. */
static ncc_status check_work(const ncc_handout *handout, const ncc_catalog *catalog) {
  ncc_status status = NCC_OK;
  int64_t sum = 0;
  for (int64_t i = 0; i < handout->n_pieces; i++) {
    const ncc_piece *piece = &handout->pieces[i];
    NCC_CHECK(piece->image >= 0 && piece->image < catalog->images.count && piece->count >= 1 &&
                  piece->count <= handout->n_pairs - sum,
              NCC_ERR_COMM, "a hand-out names image %lld with %lld pairs, expected one of %lld images",
              (long long)piece->image, (long long)piece->count, (long long)catalog->images.count);
    sum += piece->count;
  }
  NCC_CHECK(sum == handout->n_pairs, NCC_ERR_COMM, "a hand-out of %lld pairs has pieces for %lld",
            (long long)handout->n_pairs, (long long)sum);
  for (int64_t i = 0; i < handout->n_pairs; i++)
    NCC_CHECK(handout->templates[i] >= 0 && handout->templates[i] < catalog->templates.count, NCC_ERR_COMM,
              "a hand-out names template %lld, expected one of %lld", (long long)handout->templates[i],
              (long long)catalog->templates.count);
cleanup:
  return status;
}

ncc_status ncc_message_read_work(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog, ncc_handout **out) {
  ncc_status status = NCC_OK;
  ncc_handout *handout = NULL;
  header head = {0};
  *out = NULL;
  NCC_TRY(read_header(bytes, n_bytes, NCC_MESSAGE_WORK, -1, &head));
  NCC_CHECK(head.n_pieces >= 1 && head.n_pairs >= head.n_pieces && head.n_pairs < n_bytes && head.n_needs >= 0 &&
                head.n_needs <= head.n_pieces + head.n_pairs && (head.windows == 0 || head.windows == 1) &&
                n_bytes == (int64_t)sizeof head + work_body_bytes(&head),
            NCC_ERR_COMM, "a hand-out of %lld pairs in %lld pieces with %lld objects does not fit its %lld bytes",
            (long long)head.n_pairs, (long long)head.n_pieces, (long long)head.n_needs, (long long)n_bytes);
  NCC_TRY(ncc_handout_create(head.n_pieces, head.n_pairs, head.windows, false, &handout));
  const char *at = (const char *)bytes + sizeof head;
  handout->id = head.id;
  get(&at, handout->pieces, (size_t)head.n_pieces * sizeof *handout->pieces);
  get(&at, handout->templates, (size_t)head.n_pairs * sizeof *handout->templates);
  if (head.windows) get(&at, handout->windows, (size_t)head.n_pairs * sizeof *handout->windows);
  NCC_TRY(check_work(handout, catalog));
  NCC_TRY(ncc_handout_find_needs(handout));
  NCC_CHECK(handout->n_needs == head.n_needs, NCC_ERR_COMM, "a hand-out lists %lld objects, its pairs need %lld",
            (long long)head.n_needs, (long long)handout->n_needs);
  for (int64_t i = 0; i < handout->n_needs; i++) {
    uint8_t byte = (uint8_t)*at++, state = byte & (uint8_t)~NEED_AGAIN;
    NCC_CHECK(state < NCC_NEED_STATE_COUNT, NCC_ERR_COMM, "a hand-out's object has state %d, expected less than %d",
              state, NCC_NEED_STATE_COUNT);
    handout->needs[i].state = state;
    handout->needs[i].again = byte & NEED_AGAIN;
  }
  *out = handout;
  handout = NULL;
cleanup:
  ncc_handout_release(handout);
  return status;
}

ncc_status ncc_message_results_id(const void *bytes, int64_t n_bytes, int64_t *id) {
  ncc_status status = NCC_OK;
  header head = {0};
  NCC_TRY(read_header(bytes, n_bytes, NCC_MESSAGE_RESULTS, -1, &head));
  *id = head.id;
cleanup:
  return status;
}

ncc_status ncc_message_read_results(const void *bytes, int64_t n_bytes, ncc_handout *handout) {
  ncc_status status = NCC_OK;
  header head = {0};
  size_t results_bytes = (size_t)handout->n_pairs * sizeof *handout->results;
  NCC_TRY(read_header(bytes, n_bytes, NCC_MESSAGE_RESULTS, (int64_t)(2 * sizeof(double) + results_bytes), &head));
  NCC_CHECK(head.id == handout->id && head.n_pairs == handout->n_pairs, NCC_ERR_COMM,
            "results of %lld pairs for hand-out %lld, expected %lld for %lld", (long long)head.n_pairs,
            (long long)head.id, (long long)handout->n_pairs, (long long)handout->id);
  const char *at = (const char *)bytes + sizeof head;
  get(&at, &handout->elapsed_s, sizeof handout->elapsed_s);
  get(&at, &handout->image_s, sizeof handout->image_s);
  get(&at, handout->results, results_bytes);
  for (int64_t i = 0; i < handout->n_pairs; i++)
    NCC_CHECK(handout->results[i].status < NCC_PAIR_STATUS_COUNT, NCC_ERR_COMM,
              "a result has status %d, expected less than %d", handout->results[i].status, NCC_PAIR_STATUS_COUNT);
cleanup:
  return status;
}

ncc_status ncc_message_read_problem(const void *bytes, int64_t n_bytes, ncc_status *problem,
                                    char text[NCC_MESSAGE_TEXT]) {
  ncc_status status = NCC_OK;
  header head = {0};
  NCC_TRY(read_header(bytes, n_bytes, NCC_MESSAGE_PROBLEM, NCC_MESSAGE_TEXT, &head));
  NCC_CHECK(head.id > NCC_OK && head.id <= NCC_ERR_STOPPED, NCC_ERR_COMM, "a problem of status %lld, expected 1 to %d",
            (long long)head.id, NCC_ERR_STOPPED);
  *problem = (ncc_status)head.id;
  memcpy(text, (const char *)bytes + sizeof head, NCC_MESSAGE_TEXT);
  text[NCC_MESSAGE_TEXT - 1] = '\0';
cleanup:
  return status;
}

ncc_status ncc_message_read_stats(const void *bytes, int64_t n_bytes, ncc_rank_stats *stats) {
  ncc_status status = NCC_OK;
  header head = {0};
  NCC_TRY(read_header(bytes, n_bytes, NCC_MESSAGE_STATS, sizeof *stats, &head));
  memcpy(stats, (const char *)bytes + sizeof head, sizeof *stats);
cleanup:
  return status;
}
