#include "mpi/rank/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/version.h"

enum { NEED_AGAIN = 0x80 }; /* beside a need's state */

/* A message carries no magic, version or length of its own: builds are compared at the start, and MPI delivers whole
   messages, or none. Counts and indices are checked all the same: a rank that goes wrong is to end the job with a line,
   not to write into the memory of another. */
typedef struct header {
  int64_t type;
  int64_t id;
  int64_t n_pieces, n_pairs, n_needs;
  int64_t windows; /* 0 or 1 */
  int64_t n_names, name_bytes;
  int64_t n_peaks; /* listed for each pair */
} header;

void ncc_counters_add(ncc_counters *sum, const ncc_counters *part) {
  sum->pairs += part->pairs;
  sum->images += part->images;
  sum->candidates += part->candidates;
  sum->candidate_px += part->candidate_px;
  sum->second_tier += part->second_tier;
  sum->half_grid += part->half_grid;
  sum->cpu_fallback += part->cpu_fallback;
  sum->image_s += part->image_s;
  sum->template_s += part->template_s;
  sum->columns_s += part->columns_s;
  sum->peak_s += part->peak_s;
  sum->certify_s += part->certify_s;
  sum->second_tier_s += part->second_tier_s;
  sum->planning_s += part->planning_s;
  sum->fft_floor_s += part->fft_floor_s;
}

void ncc_message_hello_make(ncc_message_hello *hello) {
  memset(hello, 0, sizeof *hello);
  snprintf(hello->text, sizeof hello->text, "mpixcorr %s (commit %s), sizes %zu %zu %zu %zu %zu %zu %zu", ncc_version(),
           ncc_commit(), sizeof(header), sizeof(ncc_result), sizeof(ncc_peak), sizeof(ncc_rank_stats),
           sizeof(ncc_object), sizeof(ncc_unreadable), sizeof(long));
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

/** Starts a message; *at is where its body begins. */
static ncc_status start(const header *head, int64_t body_bytes, void **bytes, int64_t *n_bytes, char **at) {
  ncc_status status = NCC_OK;
  *n_bytes = (int64_t)sizeof *head + body_bytes;
  *bytes = malloc((size_t)*n_bytes);
  NCC_CHECK(*bytes, NCC_ERR_NOMEM, "out of memory for a message of %lld bytes", (long long)*n_bytes);
  memcpy(*bytes, head, sizeof *head);
  *at = (char *)*bytes + sizeof *head;
cleanup:
  return status;
}

static void put(char **at, const void *data, size_t bytes) {
  memcpy(*at, data, bytes);
  *at += bytes;
}

static int64_t work_body_bytes(const header *head) {
  return head->n_pieces * (int64_t)sizeof(ncc_piece) + head->n_pairs * (int64_t)sizeof(int64_t) +
         (head->windows ? head->n_pairs * (int64_t)sizeof(ncc_rect) : 0) + head->n_needs +
         head->n_names * (int64_t)sizeof(ncc_batch_name) + head->name_bytes;
}

ncc_status ncc_message_work(const ncc_batch *batch, void **bytes, int64_t *n_bytes) {
  ncc_status status = NCC_OK;
  char *at = NULL;
  header head = {.type = NCC_MESSAGE_WORK,
                 .id = batch->id,
                 .n_pieces = batch->n_pieces,
                 .n_pairs = batch->n_pairs,
                 .n_needs = batch->needs.n,
                 .windows = batch->windows != NULL,
                 .n_names = batch->n_names,
                 .name_bytes = batch->name_bytes,
                 .n_peaks = batch->n_peaks};
  NCC_TRY(start(&head, work_body_bytes(&head), bytes, n_bytes, &at));
  put(&at, batch->pieces, (size_t)batch->n_pieces * sizeof *batch->pieces);
  put(&at, batch->templates, (size_t)batch->n_pairs * sizeof *batch->templates);
  if (batch->windows) put(&at, batch->windows, (size_t)batch->n_pairs * sizeof *batch->windows);
  for (int64_t i = 0; i < batch->needs.n; i++)
    *at++ = (char)(batch->needs.items[i].state | (batch->needs.items[i].again ? NEED_AGAIN : 0));
  if (batch->n_names > 0) put(&at, batch->names, (size_t)batch->n_names * sizeof *batch->names);
  if (batch->n_names > 0) put(&at, batch->name_text, (size_t)batch->name_bytes);
cleanup:
  return status;
}

static int64_t results_body_bytes(const header *head) {
  return (int64_t)(2 * sizeof(double)) + head->n_pairs * (int64_t)sizeof(ncc_result) +
         head->n_pairs * head->n_peaks * (int64_t)sizeof(ncc_peak) + head->n_needs * (int64_t)sizeof(ncc_unreadable);
}

ncc_status ncc_message_results(const ncc_batch *batch, void **bytes, int64_t *n_bytes) {
  ncc_status status = NCC_OK;
  char *at = NULL;
  header head = {.type = NCC_MESSAGE_RESULTS,
                 .id = batch->id,
                 .n_pairs = batch->n_pairs,
                 .n_needs = batch->n_unreadable,
                 .n_peaks = batch->n_peaks};
  NCC_TRY(start(&head, results_body_bytes(&head), bytes, n_bytes, &at));
  put(&at, &batch->elapsed_s, sizeof batch->elapsed_s);
  put(&at, &batch->image_s, sizeof batch->image_s);
  put(&at, batch->results, (size_t)batch->n_pairs * sizeof *batch->results);
  if (batch->peaks) put(&at, batch->peaks, (size_t)(batch->n_pairs * batch->n_peaks) * sizeof *batch->peaks);
  if (batch->n_unreadable > 0) put(&at, batch->unreadable, (size_t)batch->n_unreadable * sizeof *batch->unreadable);
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
  return start(&(header){.type = type}, 0, bytes, n_bytes, &at);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

ncc_status ncc_message_check(const void *bytes, int64_t n_bytes, ncc_message_type *type) {
  ncc_status status = NCC_OK;
  header head = {0};
  NCC_CHECK(n_bytes >= (int64_t)sizeof head, NCC_ERR_COMM, "a message of %lld bytes, expected at least %zu",
            (long long)n_bytes, sizeof head);
  memcpy(&head, bytes, sizeof head);
  NCC_CHECK(head.type >= NCC_MESSAGE_WORK && head.type < NCC_MESSAGE_TYPE_COUNT, NCC_ERR_COMM,
            "a message of type %lld, expected %d to %d", (long long)head.type, NCC_MESSAGE_WORK,
            NCC_MESSAGE_TYPE_COUNT - 1);
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

/** Indices and counts of a decoded batch fit the catalog. */
static ncc_status check_work(const ncc_batch *batch, const ncc_catalog *catalog) {
  ncc_status status = NCC_OK;
  int64_t sum = 0;
  for (int64_t i = 0; i < batch->n_pieces; i++) {
    const ncc_piece *piece = &batch->pieces[i];
    NCC_CHECK(piece->image >= 0 && piece->image < catalog->images.count && piece->count >= 1 &&
                  piece->count <= batch->n_pairs - sum,
              NCC_ERR_COMM, "a batch names image %lld with %lld pairs, expected one of %lld images",
              (long long)piece->image, (long long)piece->count, (long long)catalog->images.count);
    NCC_CHECK(piece->turn >= 0 && piece->turn <= NCC_ANGLES_MOST && piece->tried >= 0 && piece->tried <= 1 &&
                  (piece->turn > 0 || !piece->tried),
              NCC_ERR_COMM, "a batch names angle %lld, expected 0 to %d", (long long)piece->turn, NCC_ANGLES_MOST);
    const ncc_object image = ncc_objects_get(&catalog->images, piece->image);
    const ncc_rect *p = &piece->part;
    NCC_CHECK(
        (p->y0 == 0 && p->x0 == 0 && p->y1 == 0 && p->x1 == 0) ||
            (p->y0 >= 0 && p->x0 >= 0 && p->y0 < p->y1 && p->x0 < p->x1 && p->y1 <= image.rows && p->x1 <= image.cols),
        NCC_ERR_COMM, "a batch names (%lld,%lld,%lld,%lld) of an image of %lldx%lld", (long long)p->y0,
        (long long)p->x0, (long long)p->y1, (long long)p->x1, (long long)image.rows, (long long)image.cols);
    sum += piece->count;
  }
  NCC_CHECK(sum == batch->n_pairs, NCC_ERR_COMM, "a batch of %lld pairs has pieces for %lld", (long long)batch->n_pairs,
            (long long)sum);
  for (int64_t i = 0; i < batch->n_pairs; i++)
    NCC_CHECK(batch->templates[i] >= 0 && batch->templates[i] < catalog->templates.count, NCC_ERR_COMM,
              "a batch names template %lld, expected one of %lld", (long long)batch->templates[i],
              (long long)catalog->templates.count);
cleanup:
  return status;
}

/** Names of sources, which end inside of their text. */
static ncc_status read_names(const char **at, const header *head, ncc_batch *batch) {
  ncc_status status = NCC_OK;
  if (head->n_names == 0) return NCC_OK;
  batch->names = malloc((size_t)head->n_names * sizeof *batch->names);
  batch->name_text = malloc((size_t)head->name_bytes);
  NCC_CHECK(batch->names && batch->name_text, NCC_ERR_NOMEM, "out of memory for %lld sources",
            (long long)head->n_names);
  get(at, batch->names, (size_t)head->n_names * sizeof *batch->names);
  get(at, batch->name_text, (size_t)head->name_bytes);
  batch->n_names = head->n_names;
  batch->name_bytes = head->name_bytes;
  NCC_CHECK(batch->name_text[head->name_bytes - 1] == '\0', NCC_ERR_COMM, "a batch's names of sources have no end");
  for (int64_t i = 0; i < head->n_names; i++)
    NCC_CHECK(batch->names[i].at >= 0 && batch->names[i].at < head->name_bytes, NCC_ERR_COMM,
              "a batch's source lies at byte %lld of names, expected less than %lld", (long long)batch->names[i].at,
              (long long)head->name_bytes);
cleanup:
  return status;
}

ncc_status ncc_message_read_work(const void *bytes, int64_t n_bytes, const ncc_catalog *catalog, ncc_batch **out) {
  ncc_status status = NCC_OK;
  ncc_batch *batch = NULL;
  header head = {0};
  *out = NULL;
  NCC_TRY(read_header(bytes, n_bytes, NCC_MESSAGE_WORK, -1, &head));
  NCC_CHECK(head.n_pieces >= 1 && head.n_pairs >= head.n_pieces && head.n_pairs < n_bytes && head.n_needs >= 0 &&
                head.n_needs <= head.n_pieces + head.n_pairs && (head.windows == 0 || head.windows == 1) &&
                head.n_names >= 0 && head.n_names <= 2 * head.n_needs && head.name_bytes >= head.n_names &&
                head.name_bytes <= n_bytes && (head.n_names > 0 || head.name_bytes == 0) && head.n_peaks >= 0 &&
                head.n_peaks <= NCC_PEAKS_MOST && n_bytes == (int64_t)sizeof head + work_body_bytes(&head),
            NCC_ERR_COMM, "a batch of %lld pairs in %lld pieces with %lld objects does not fit its %lld bytes",
            (long long)head.n_pairs, (long long)head.n_pieces, (long long)head.n_needs, (long long)n_bytes);
  NCC_TRY(ncc_batch_create(head.n_pieces, head.n_pairs, head.windows, (int)head.n_peaks, &batch));
  const char *at = (const char *)bytes + sizeof head;
  batch->id = head.id;
  get(&at, batch->pieces, (size_t)head.n_pieces * sizeof *batch->pieces);
  get(&at, batch->templates, (size_t)head.n_pairs * sizeof *batch->templates);
  if (head.windows) get(&at, batch->windows, (size_t)head.n_pairs * sizeof *batch->windows);
  NCC_TRY(check_work(batch, catalog));
  NCC_TRY(ncc_batch_find_needs(batch));
  NCC_CHECK(batch->needs.n == head.n_needs, NCC_ERR_COMM, "a batch lists %lld objects, its pairs need %lld",
            (long long)head.n_needs, (long long)batch->needs.n);
  for (int64_t i = 0; i < batch->needs.n; i++) {
    uint8_t byte = (uint8_t)*at++, state = byte & (uint8_t)~NEED_AGAIN;
    NCC_CHECK(state < NCC_NEED_STATE_COUNT, NCC_ERR_COMM, "a batch's object has state %d, expected less than %d", state,
              NCC_NEED_STATE_COUNT);
    batch->needs.items[i].state = state;
    batch->needs.items[i].again = byte & NEED_AGAIN;
  }
  NCC_TRY(read_names(&at, &head, batch));
  *out = batch;
  batch = NULL;
cleanup:
  ncc_batch_destroy(&batch);
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

ncc_status ncc_message_read_results(const void *bytes, int64_t n_bytes, ncc_batch *batch) {
  ncc_status status = NCC_OK;
  header head = {0};
  NCC_TRY(read_header(bytes, n_bytes, NCC_MESSAGE_RESULTS, -1, &head));
  NCC_CHECK(head.id == batch->id && head.n_pairs == batch->n_pairs && head.n_peaks == batch->n_peaks, NCC_ERR_COMM,
            "results of %lld pairs with %lld peaks for batch %lld, expected %lld with %d for %lld",
            (long long)head.n_pairs, (long long)head.n_peaks, (long long)head.id, (long long)batch->n_pairs,
            batch->n_peaks, (long long)batch->id);
  NCC_CHECK(head.n_needs >= 0 && head.n_needs <= batch->needs.n &&
                n_bytes == (int64_t)sizeof head + results_body_bytes(&head),
            NCC_ERR_COMM, "results of %lld pairs with %lld unreadable objects do not fit their %lld bytes",
            (long long)head.n_pairs, (long long)head.n_needs, (long long)n_bytes);
  const char *at = (const char *)bytes + sizeof head;
  get(&at, &batch->elapsed_s, sizeof batch->elapsed_s);
  get(&at, &batch->image_s, sizeof batch->image_s);
  get(&at, batch->results, (size_t)batch->n_pairs * sizeof *batch->results);
  if (batch->peaks) get(&at, batch->peaks, (size_t)(batch->n_pairs * batch->n_peaks) * sizeof *batch->peaks);
  for (int64_t i = 0; i < batch->n_pairs; i++)
    NCC_CHECK(batch->results[i].status < NCC_PAIR_STATUS_COUNT, NCC_ERR_COMM,
              "a result has status %d, expected less than %d", batch->results[i].status, NCC_PAIR_STATUS_COUNT);
  if (head.n_needs == 0) goto cleanup;
  free(batch->unreadable);
  batch->n_unreadable = 0;
  batch->unreadable = malloc((size_t)head.n_needs * sizeof *batch->unreadable);
  NCC_CHECK(batch->unreadable, NCC_ERR_NOMEM, "out of memory for objects that cannot be read");
  get(&at, batch->unreadable, (size_t)head.n_needs * sizeof *batch->unreadable);
  for (int64_t i = 0; i < head.n_needs; i++) {
    ncc_unreadable *u = &batch->unreadable[i];
    NCC_CHECK((u->kind == NCC_IMAGE || u->kind == NCC_TEMPLATE) &&
                  ncc_needs_some(&batch->needs, (ncc_object_kind)u->kind, u->index),
              NCC_ERR_COMM, "an object of kind %lld and index %lld is unreadable, which its batch does not need",
              (long long)u->kind, (long long)u->index);
    u->reason[NCC_MESSAGE_TEXT - 1] = '\0';
  }
  batch->n_unreadable = head.n_needs;
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
