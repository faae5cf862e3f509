/** See page.h. */
#include "app/page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/shown.h"
#include "app/words.h"
#include "base/array.h"
#include "base/version.h"
#include "page_html.h"

/* ---- histograms -------------------------------------------------------------------------------------------------- */

enum { BINS = 4096, SHOWN_BINS = 128 }; /* quantiles from the fine bins, bars of 32 of them */

typedef struct histogram {
  double lo, hi;
  int64_t n, counts[BINS];
} histogram;

static void count(histogram *h, double value) {
  const double at = (value - h->lo) / (h->hi - h->lo) * BINS;
  if (isnan(value)) return;
  h->counts[at < 0 ? 0 : at >= BINS ? BINS - 1 : (int)at]++;
  h->n++;
}

/** The value that the share `q` lies below, to a bin. */
static double quantile(const histogram *h, double q) {
  int64_t below = 0;
  for (int i = 0; i < BINS; i++) {
    below += h->counts[i];
    if ((double)below >= q * (double)h->n) return h->lo + (i + 0.5) * (h->hi - h->lo) / BINS;
  }
  return h->hi;
}

/** @param[in] open  what lies above is in the last bar. */
static json_t *histogram_json(const histogram *h, bool open) {
  json_t *counts = json_array();
  for (int bar = 0; bar < SHOWN_BINS; bar++) {
    int64_t sum = 0;
    for (int i = 0; i < BINS / SHOWN_BINS; i++) sum += h->counts[bar * (BINS / SHOWN_BINS) + i];
    json_array_append_new(counts, json_integer(sum));
  }
  return json_pack("{s:f, s:f, s:b, s:o, s:f, s:f, s:f}", "lo", h->lo, "width", (h->hi - h->lo) / SHOWN_BINS, "open",
                   open, "counts", counts, "tenth", quantile(h, 0.1), "median", quantile(h, 0.5), "nine_tenths",
                   quantile(h, 0.9));
}

static ncc_status describe_sureness(const ncc_output_data *data, json_t *page) {
  ncc_status status = NCC_OK;
  histogram *peaks = calloc(1, sizeof *peaks), *ratios = calloc(1, sizeof *ratios);
  NCC_CHECK(peaks && ratios, NCC_ERR_NOMEM, "no memory for histograms");
  *peaks = (histogram){.lo = -0.28, .hi = 1.000001}; /* bars of a hundredth */
  *ratios = (histogram){.lo = 1, .hi = 7.4};         /* bars of a twentieth */
  for (int64_t row = 0; row < data->n_pairs; row++) {
    if (data->status[row] != NCC_PAIR_OK) continue;
    count(peaks, data->peaks[row]);
    const double second = data->second_peaks ? data->second_peaks[row] : NAN;
    if (second > 0) count(ratios, data->peaks[row] / second);
    if (second <= 0) count(ratios, ratios->hi);
  }
  json_object_set_new(page, "peaks", histogram_json(peaks, false));
  json_object_set_new(page, "ratios", data->second_peaks ? histogram_json(ratios, true) : json_null());
cleanup:
  free(peaks);
  free(ratios);
  return status;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

enum { DOUBT_ANSWER = 1, DOUBT_EDGE = 2, DOUBT_SECOND = 4, DOUBT_ASTRAY = 8, LOW = 16, ANY = 32 };

/** Why a row is to be doubted, as bits; page.html words all but the first. */
static int doubts_of(const ncc_page_content *c, int64_t row) {
  const ncc_output_data *d = c->data;
  const bool close = d->second_peaks && d->status[row] == NCC_PAIR_OK && d->second_peaks[row] >= 0.9 * d->peaks[row];
  return (ncc_shown_rank(d->status[row]) < 2 ? DOUBT_ANSWER : 0) | (d->at_border[row] ? DOUBT_EDGE : 0) |
         (close ? DOUBT_SECOND : 0) | (c->astray && c->astray[row] ? DOUBT_ASTRAY : 0);
}

static bool is_of_kind(const ncc_page_content *c, int64_t row, int kind) {
  return kind == ANY || (kind == LOW ? c->data->status[row] == NCC_PAIR_OK : (doubts_of(c, row) & kind) != 0);
}

ncc_status ncc_page_choose(const ncc_page_content *content, const int64_t *order, int64_t n, int64_t most,
                           int64_t **rows, int64_t *n_rows) {
  static const int kinds[] = {DOUBT_ANSWER, DOUBT_EDGE, DOUBT_ASTRAY, DOUBT_SECOND, LOW, ANY};
  const int64_t part = most / (content->astray ? 5 : 4);
  ncc_status status = NCC_OK;
  int64_t left = most < n ? most : n;
  bool *chosen = calloc((size_t)n + 1, sizeof *chosen);
  *rows = malloc(((size_t)left + 1) * sizeof **rows);
  *n_rows = 0;
  NCC_CHECK(chosen && *rows, NCC_ERR_NOMEM, "no memory for %" PRId64 " pairs", n);
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    int64_t room = kinds[k] < LOW && left > part ? part : left;
    for (int64_t i = 0; i < n && room > 0; i++) {
      if (chosen[i] || !is_of_kind(content, order[i], kinds[k])) continue;
      chosen[i] = true;
      room--;
      left--;
    }
  }
  for (int64_t i = 0; i < n; i++)
    if (chosen[i]) (*rows)[(*n_rows)++] = order[i];
cleanup:
  free(chosen);
  return status;
}

static json_t *number(double value) {
  return isfinite(value) ? json_real(value) : json_null();
}

static json_t *name_of(const ncc_page_content *c, ncc_object_kind kind, int64_t id) {
  return ncc_json_words(c->source ? ncc_pair_source_name(c->source, kind, id) : "");
}

/** In the order that page.html takes them apart. */
static json_t *row_json(const ncc_page_content *c, int64_t row) {
  const ncc_output_data *d = c->data;
  const int64_t *pair = d->pairs[row];
  const bool answered = d->coords[row][0] != -1;
  json_t *y = answered ? json_integer(d->offsets[row][0]) : json_null();
  json_t *x = answered ? json_integer(d->offsets[row][1]) : json_null();
  return json_pack("[I, I, I, o, o, i, o, o, o, o, o, i, o]", (json_int_t)row, (json_int_t)pair[0], (json_int_t)pair[1],
                   name_of(c, NCC_IMAGE, pair[0]), name_of(c, NCC_TEMPLATE, pair[1]), (int)d->status[row], y, x,
                   number(answered ? d->peaks[row] : NAN), number(d->second_peaks ? d->second_peaks[row] : NAN),
                   number(answered ? (double)d->overlap[row] : NAN), doubts_of(c, row),
                   number(d->angles ? d->angles[row] : NAN));
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void describe_statuses(const ncc_output_data *data, json_t *page) {
  int64_t counts[NCC_PAIR_STATUS_COUNT] = {0}, at_border = 0, empty = 0;
  json_t *list = json_array(), *names = json_array();
  for (int64_t row = 0; row < data->n_pairs; row++) {
    const bool none = data->pairs[row][0] == -1 || data->pairs[row][1] == -1;
    empty += none;
    counts[data->status[row]] += !none;
    at_border += data->at_border[row];
  }
  for (int i = 0; i < NCC_PAIR_STATUS_COUNT; i++) {
    const char *name = ncc_pair_status_name((ncc_pair_status)i);
    json_array_append_new(names, json_string(name));
    json_array_append_new(list, json_pack("{s:s, s:I}", "name", name, "n", (json_int_t)counts[i]));
  }
  json_object_set_new(page, "status", list);
  json_object_set_new(page, "names", names);
  json_object_set_new(page, "pairs", json_integer(data->n_pairs - empty));
  json_object_set_new(page, "empty", json_integer(empty));
  json_object_set_new(page, "pending", json_integer(counts[NCC_PAIR_PENDING]));
  json_object_set_new(page, "at_border", json_integer(at_border));
}

static json_t *attributes_json(const ncc_output_data *data) {
  json_t *attributes = json_object();
  for (int i = 0; i < data->n_attributes; i++)
    json_object_set_new(attributes, data->attributes[i].name, ncc_json_words(data->attributes[i].value));
  return attributes;
}

ncc_status ncc_page_describe(const ncc_page_content *c, json_t **out) {
  ncc_status status = NCC_OK;
  char digest[65], made[32] = "";
  const time_t now = time(NULL);
  struct tm utc;
  json_t *page = json_object(), *rows = json_array();
  NCC_TRY(ncc_output_data_digest(c->data, digest));
  if (gmtime_r(&now, &utc)) strftime(made, sizeof made, "%Y-%m-%dT%H:%M:%SZ", &utc);
  json_object_set_new(page, "output", ncc_json_words(c->output));
  json_object_set_new(page, "version", json_string(ncc_version()));
  json_object_set_new(page, "made", json_string(made));
  json_object_set_new(page, "digest", json_string(digest));
  json_object_set_new(page, "complete", json_boolean(c->data->complete));
  json_object_set_new(page, "attributes", attributes_json(c->data));
  json_object_set_new(page, "no_pictures", c->no_pictures ? ncc_json_words(c->no_pictures) : json_null());
  json_object_set_new(page, "run", json_null());
  json_object_set_new(page, "pictures", json_object());
  describe_statuses(c->data, page);
  NCC_TRY(describe_sureness(c->data, page));
  for (int64_t i = 0; i < c->n_rows; i++) json_array_append_new(rows, row_json(c, c->rows[i]));
  NCC_CHECK(json_object_set(page, "rows", rows) == 0, NCC_ERR_NOMEM, "no memory for a page of %" PRId64 " rows",
            c->n_rows);
  *out = json_incref(page);
cleanup:
  json_decref(rows);
  json_decref(page);
  return status;
}

/** JSON inside HTML: no '<' that could end the script or begin a comment. */
static int write_json(const char *text, size_t size, void *stream) {
  for (size_t i = 0; i < size; i++)
    if ((text[i] == '<' ? fputs("\\u003c", stream) : fputc(text[i], stream)) == EOF) return -1;
  return 0;
}

bool ncc_page_write(FILE *stream, const json_t *data) {
  static const char mark[] = "@DATA@";
  const char *page = (const char *)page_html, *at = strstr(page, mark);
  if (!at) return false;
  return fwrite(page, 1, (size_t)(at - page), stream) == (size_t)(at - page) &&
         json_dump_callback(data, write_json, stream, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
         fputs(at + strlen(mark), stream) >= 0;
}
