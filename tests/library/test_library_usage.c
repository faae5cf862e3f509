/** What cannot be asked is NCC_ERR_USAGE with a message, and changes nothing: every argument of every function. */
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "library_cases.h"

static int cases;

/** The call was refused, with these words in the message. */
#define REFUSED(call, words)                                                                                   \
  do {                                                                                                         \
    const ncc_status status_ = (call);                                                                         \
    cases++;                                                                                                   \
    CHECK(status_ == NCC_ERR_USAGE, "%s: status %d (%s)", #call, status_, ncc_error_message());                \
    CHECK(strstr(ncc_error_message(), words), "%s: \"%s\" without \"%s\"", #call, ncc_error_message(), words); \
  } while (0)

static float pixels[ROWS * COLS];

static ncc_status create(ncc_search search, ncc_config config) {
  ncc_matcher *matcher = (ncc_matcher *)&cases;
  const ncc_status status = ncc_matcher_create(&search, &config, &matcher);
  CHECK(status == NCC_OK || !matcher, "a matcher in spite of an error");
  ncc_matcher_destroy(&matcher);
  return status;
}

static void searches(void) {
  const ncc_config plain = {0};
  ncc_matcher *matcher = (ncc_matcher *)&cases;
  REFUSED(ncc_matcher_create(NULL, NULL, &matcher), "search is NULL");
  CHECK(!matcher, "*out stays");
  REFUSED(ncc_matcher_create(&(ncc_search){0}, NULL, NULL), "out is NULL");
  REFUSED(create((ncc_search){.crop_y = -1}, plain), "crop 0,-1");
  REFUSED(create((ncc_search){.crop_x = INT64_MIN}, plain), "crop -9223372036854775808,0");
  REFUSED(create((ncc_search){.eps = -1e-9}, plain), "eps -1e-09");
  REFUSED(create((ncc_search){.eps = NAN}, plain), "eps");
  REFUSED(create((ncc_search){.eps = INFINITY}, plain), "eps inf");
  REFUSED(create((ncc_search){.min_overlap = NAN}, plain), "minimum overlap");
  REFUSED(create((ncc_search){.min_overlap = -0.1}, plain), "minimum overlap -0.1");
  REFUSED(create((ncc_search){.outside = (ncc_outside)2}, plain), "outside 2");
  REFUSED(create((ncc_search){.min_overlap = 1.5}, plain), "minimum overlap 1.5");
}

static void configs(void) {
  const ncc_search all = {0};
  REFUSED(create(all, (ncc_config){.threads = -1}), "threads -1");
  REFUSED(create(all, (ncc_config){.threads = INT_MAX}), "threads 2147483647");
  REFUSED(create(all, (ncc_config){.memory_bytes = -1}), "memory -1");
  REFUSED(create(all, (ncc_config){.fft_effort = (ncc_fft_effort)3}), "fft_effort 3");
  REFUSED(create(all, (ncc_config){.fft_effort = (ncc_fft_effort)-1}), "fft_effort -1");
  REFUSED(create(all, (ncc_config){.device = -1}), "device -1");
  REFUSED(create(all, (ncc_config){.streams = -1}), "streams -1");
  REFUSED(create(all, (ncc_config){.sharers = -2}), "sharers -2");
  CHECK(create(all, (ncc_config){.threads = 2, .fft_effort = NCC_FFT_ESTIMATE}) == NCC_OK, "%s", ncc_error_message());
}

/** Matches with one thing changed; the results must stay as they were. */
static ncc_status match(int64_t n, const ncc_array *image, const ncc_array *templates) {
  ncc_matcher *matcher = new_matcher(1);
  ncc_result results[2] = {{.y = 4711}, {.y = 4711}};
  const ncc_status status = ncc_matcher_match(matcher, -1, image, n, templates, NULL, results);
  CHECK(status == NCC_OK || (results[0].y == 4711 && results[1].y == 4711), "results in spite of an error");
  CHECK(status == NCC_OK || ncc_matcher_counters(matcher)->pairs == 0, "pairs in spite of an error");
  ncc_matcher_destroy(&matcher);
  return status;
}

static ncc_status match_with(ncc_array image, ncc_array tmpl) {
  const ncc_array templates[2] = {{pixels, NCC_F32, T_ROWS, T_COLS, COLS}, tmpl};
  return match(2, &image, templates);
}

static void arrays(void) {
  const ncc_array image = {pixels, NCC_F32, ROWS, COLS, COLS}, tmpl = {pixels, NCC_F32, T_ROWS, T_COLS, COLS};
  const float *last_row = pixels + (ROWS - 1) * COLS;
  CHECK(match_with(image, tmpl) == NCC_OK, "%s", ncc_error_message());
  CHECK(match_with((ncc_array){last_row, NCC_F32, ROWS, COLS, -COLS}, tmpl) == NCC_OK, "upside down");
  CHECK(match_with(image, (ncc_array){pixels, NCC_F32, 1, T_COLS, 0}) == NCC_OK, "one row needs no stride");
  CHECK(match_with((ncc_array){NULL, NCC_U8, ROWS, COLS, 0}, tmpl) == NCC_OK, "missing pixels need no stride");
  REFUSED(match_with((ncc_array){pixels, (ncc_dtype)77, ROWS, COLS, COLS}, tmpl), "image: dtype 77");
  REFUSED(match_with(image, (ncc_array){pixels, (ncc_dtype)-1, T_ROWS, T_COLS, COLS}), "template 1: dtype -1");
  REFUSED(match_with(image, (ncc_array){pixels, NCC_DTYPE_COUNT, T_ROWS, T_COLS, COLS}), "template 1: dtype 9");
  REFUSED(match_with((ncc_array){pixels, NCC_F32, 0, COLS, COLS}, tmpl), "image: 0 rows");
  REFUSED(match_with((ncc_array){pixels, NCC_F32, -5, COLS, COLS}, tmpl), "image: -5 rows");
  REFUSED(match_with(image, (ncc_array){pixels, NCC_F32, T_ROWS, 0, COLS}), "template 1: 12 rows, 0 columns");
  REFUSED(match_with((ncc_array){pixels, NCC_F32, ROWS, COLS, COLS - 1}, tmpl), "image: row stride 59");
  REFUSED(match_with(image, (ncc_array){pixels, NCC_F32, T_ROWS, T_COLS, 0}), "template 1: row stride 0");
  REFUSED(match_with(image, (ncc_array){pixels, NCC_F32, T_ROWS, T_COLS, 1 - T_COLS}), "template 1: row stride -14");
  REFUSED(match_with((ncc_array){pixels, NCC_F32, ROWS, COLS, INT64_MAX}, tmpl), "than memory can hold");
  REFUSED(match_with((ncc_array){pixels, NCC_F32, ROWS, COLS, INT64_MIN}, tmpl), "than memory can hold");
  REFUSED(match_with((ncc_array){pixels, NCC_U8, INT64_MAX, 1, 1}, tmpl), "at most 2^30");
  REFUSED(match_with((ncc_array){pixels, NCC_U8, 1 << 30, 1 << 30, 1 << 30}, tmpl), "2^48 pixels");
  REFUSED(match_with(image, (ncc_array){NULL, NCC_U8, INT64_MAX, INT64_MAX, 0}), "at most 2^30");
}

static void pointers(void) {
  const ncc_array image = {pixels, NCC_F32, ROWS, COLS, COLS};
  ncc_matcher *matcher = new_matcher(1), *none = NULL;
  ncc_result result;
  REFUSED(match(-1, &image, &image), "n = -1");
  REFUSED(match(INT64_MAX, &image, &image), "n = 9223372036854775807");
  REFUSED(match(1, NULL, &image), "image is NULL");
  REFUSED(match(1, &image, NULL), "templates is NULL");
  REFUSED(ncc_matcher_match(matcher, -1, &image, 1, &image, NULL, NULL), "results is NULL");
  REFUSED(ncc_matcher_match(NULL, -1, &image, 1, &image, NULL, &result), "matcher is NULL");
  CHECK(ncc_matcher_match(matcher, -1, NULL, 0, NULL, NULL, NULL) == NCC_OK, "nothing asked");
  ncc_matcher_destroy(&matcher);
  ncc_matcher_destroy(&none);
  ncc_matcher_destroy(NULL);
  CHECK(!ncc_matcher_counters(NULL) && !ncc_matcher_device_trouble(NULL), "of no matcher");
  CHECK(strcmp(ncc_engine_name(NULL), "none") == 0, "of no engine");
}

static void keys(void) {
  const ncc_array image = {pixels, NCC_F32, ROWS, COLS, COLS}, less = {pixels, NCC_F32, ROWS - 1, COLS, COLS};
  const ncc_array other = {pixels, NCC_I32, ROWS, COLS, COLS}, tmpl = {pixels, NCC_F32, T_ROWS, T_COLS, COLS};
  ncc_matcher *matcher = new_matcher(1);
  ncc_result result;
  CHECK(ncc_matcher_match(matcher, 7, &image, 1, &tmpl, NULL, &result) == NCC_OK, "%s", ncc_error_message());
  REFUSED(ncc_matcher_match(matcher, 7, &less, 1, &tmpl, NULL, &result), "image key 7 stood for 50x60");
  REFUSED(ncc_matcher_match(matcher, 7, &other, 1, &tmpl, NULL, &result), "of i32");
  CHECK(ncc_matcher_match(matcher, 7, &image, 1, &tmpl, NULL, &result) == NCC_OK && result.status == NCC_PAIR_OK,
        "the key serves on");
  const ncc_array missing = {NULL, NCC_F32, ROWS, COLS, COLS};
  for (int turn = 0; turn < 2; turn++) {  // a key stands for pixels, not for their lack
    const ncc_array *now = turn ? &image : &missing;
    CHECK(ncc_matcher_match(matcher, 8, now, 1, &tmpl, NULL, &result) == NCC_OK, "%s", ncc_error_message());
    CHECK(result.status == (turn ? NCC_PAIR_OK : NCC_PAIR_UNREADABLE), "turn %d: status %d", turn, result.status);
  }
  ncc_matcher_destroy(&matcher);
}

static void other_functions(void) {
  const ncc_search all = {0}, bad = {.eps = -1};
  const ncc_array image = {pixels, NCC_F32, ROWS, COLS, COLS}, odd = {pixels, (ncc_dtype)77, ROWS, COLS, COLS};
  const int64_t near[1][4] = {{0}};
  ncc_rect window;
  int64_t bytes;
  char text[8] = "before";
  REFUSED(ncc_matcher_memory(NULL, NULL, 9, 9, 5, 5, &bytes), "search is NULL");
  REFUSED(ncc_matcher_memory(&bad, NULL, 9, 9, 5, 5, &bytes), "eps -1");
  REFUSED(ncc_matcher_memory(&all, &(ncc_config){.threads = -1}, 9, 9, 5, 5, &bytes), "threads -1");
  REFUSED(ncc_matcher_memory(&all, NULL, 9, 9, 5, 5, NULL), "bytes is NULL");
  REFUSED(ncc_matcher_memory(&all, NULL, -9, 9, 5, 5, &bytes), "image: -9 rows");
  REFUSED(ncc_matcher_memory(&all, NULL, 9, 9, 5, 0, &bytes), "template: 5 rows, 0 columns");
  REFUSED(ncc_matcher_memory(&all, NULL, INT64_MAX, INT64_MAX, 5, 5, &bytes), "at most 2^30");
  CHECK(ncc_matcher_memory(&all, NULL, 9, 9, 10, 5, &bytes) == NCC_ERR_SHAPE, "too large a template");
  REFUSED(ncc_windows_near(NULL, &image, 1, &image, near, &window), "search is NULL");
  REFUSED(ncc_windows_near(&all, NULL, 1, &image, near, &window), "image is NULL");
  REFUSED(ncc_windows_near(&all, &image, 1, &odd, near, &window), "template 0: dtype 77");
  REFUSED(ncc_windows_near(&all, &image, 1, &image, NULL, &window), "near is NULL");
  REFUSED(ncc_windows_near(&all, &image, 1, &image, near, NULL), "windows is NULL");
  REFUSED(ncc_windows_near(&all, &image, -1, &image, near, &window), "n = -1");
  CHECK(!ncc_overhang_misleads(&all, NULL, NULL, 5, 5, 0, text, sizeof text), "no image");
  CHECK(!ncc_overhang_misleads(&all, NULL, &odd, 5, 5, 0, text, sizeof text), "no such type");
  CHECK(strstr(ncc_error_message(), "dtype 77") && strcmp(text, "before") == 0, "%s", ncc_error_message());
  CHECK(ncc_dtype_size((ncc_dtype)77) == 0 && strcmp(ncc_dtype_name((ncc_dtype)77), "unknown") == 0, "dtype");
  CHECK(ncc_status_exit_code((ncc_status)77) == 1 && ncc_status_text((ncc_status)-1)[0], "status");
  CHECK(strcmp(ncc_pair_status_name((ncc_pair_status)77), "unknown") == 0, "pair status");
  CHECK(ncc_layout(NULL) == -1, "layout");
}

/** Two threads in one matcher: the second one is told. */
typedef struct busy {
  ncc_matcher *matcher;
  ncc_status status;
} busy;

static void *match_slowly(void *context) {
  busy *b = context;
  const ncc_array image = {pixels, NCC_F32, ROWS, COLS, COLS}, tmpl = {pixels, NCC_F32, ROWS - 1, COLS - 1, COLS};
  ncc_result result;
  b->status = ncc_matcher_match(b->matcher, -1, &image, 1, &tmpl, NULL, &result);
  return NULL;
}

static void two_threads(void) {
  busy b = {0};
  pthread_t thread;
  const ncc_config config = {.engine = ncc_engine_reference()};  // takes its time
  CHECK(ncc_matcher_create(&(ncc_search){0}, &config, &b.matcher) == NCC_OK, "%s", ncc_error_message());
  CHECK(pthread_create(&thread, NULL, match_slowly, &b) == 0, "no thread");
  int refused = 0;
  for (int i = 0; i < 10000 && !refused; i++) {
    const ncc_array image = {pixels, NCC_F32, 2, 2, COLS};
    ncc_result result;
    refused = ncc_matcher_match(b.matcher, -1, &image, 1, &image, NULL, &result) == NCC_ERR_USAGE;
    usleep(100);
  }
  CHECK(pthread_join(thread, NULL) == 0, "no end");
  CHECK(refused || b.status == NCC_ERR_USAGE, "two threads were let in");
  CHECK(b.status == NCC_ERR_USAGE || strstr(ncc_error_message(), "another thread"), "%s", ncc_error_message());
  cases++;
  ncc_matcher_destroy(&b.matcher);
}

/** The bound on memory holds for masked pairs, which need more than ncc_matcher_memory() says. */
static void memory_of_masks(void) {
  const ncc_search search = {.outside = NCC_OUTSIDE_IGNORE, .min_overlap = 0.3};
  const ncc_array image = {pixels, NCC_F32, ROWS, COLS, COLS}, tmpl = {pixels, NCC_F32, T_ROWS, T_COLS, COLS};
  static unsigned char valid[ROWS * COLS];
  const ncc_array mask = {valid, NCC_U8, ROWS, COLS, COLS};
  ncc_config config = {.fft_effort = NCC_FFT_ESTIMATE};
  ncc_matcher *matcher = NULL;
  ncc_result result;
  for (int i = 0; i < ROWS * COLS; i++) valid[i] = i % 7 > 0;
  CHECK(ncc_matcher_memory(&search, &config, ROWS, COLS, T_ROWS, T_COLS, &config.memory_bytes) == NCC_OK, "%s",
        ncc_error_message());
  for (int large = 0; large < 2; large++) {
    if (large) config.memory_bytes *= 20;
    CHECK(ncc_matcher_create(&search, &config, &matcher) == NCC_OK, "%s", ncc_error_message());
    CHECK(ncc_matcher_match(matcher, -1, &image, 1, &tmpl, NULL, &result) == NCC_OK, "%s", ncc_error_message());
    const ncc_status expected = large ? NCC_OK : NCC_ERR_MEMORY_LIMIT;
    CHECK(ncc_matcher_match_masked(matcher, -1, &image, &mask, 1, &tmpl, NULL, NULL, &result) == expected, "%s",
          ncc_error_message());
    ncc_matcher_destroy(&matcher);
  }
}

int main(void) {
  fill(pixels, ROWS * COLS);
  searches();
  configs();
  arrays();
  pointers();
  keys();
  other_functions();
  two_threads();
  memory_of_masks();
  printf("%d cases refused\n", cases);
  return 0;
}
