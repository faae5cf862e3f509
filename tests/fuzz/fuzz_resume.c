/** Fuzz target: partial outputs to be resumed, and complete ones of which rows are to be done again (where the first
 * byte has its highest bit). What is accepted can be gone on with to the end. */
#include "io/output/output.h"
#include "patched_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAIRS = 6 };
static int64_t pairs[PAIRS][2] = {{0, 0}, {0, 1}, {1, 0}, {-1, -1}, {1, 1}, {0, 1}};
static const ncc_object stack = {.rows = 9, .cols = 8, .box_image = -1};
static char path[64], part[80];
static ncc_catalog catalog;
static ncc_work work;

static ncc_status open_output(ncc_output_mode mode, ncc_output **out) {
  const ncc_input_identity identity = {1000, 1500000000, "0123456789abcdef"};
  const ncc_search search = {0};
  const ncc_run_info info = {"mpixcorr run",     "--threads=1", "--crop=0,0", "0123456", "none", "none", "cpu", 1, 1, 1,
                             NCC_PAIR_UNREADABLE};
  return ncc_output_create(path, mode, &work, &identity, &search, &info, out);
}

/** Of the first rows some, one of them unreadable. */
static file_bytes make_good(int64_t rows) {
  ncc_output *output;
  const ncc_run_timings timings = {0};
  if (open_output(NCC_OUTPUT_OVERWRITE, &output) != NCC_OK) abort();
  for (int64_t row = 0; row < rows; row++) {
    const ncc_result result = {.y = 3, .x = 4, .peak = 0.5, .status = row ? NCC_PAIR_OK : NCC_PAIR_UNREADABLE};
    if (row != 3 && ncc_output_write(output, 1, &row, &result, NULL) != NCC_OK) abort();
  }
  if (ncc_output_close(&output, rows == PAIRS ? &timings : NULL) != NCC_OK) abort();
  return file_load(rows == PAIRS ? path : part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static file_bytes good, complete;
  const ncc_run_timings timings = {0};
  ncc_output *output = NULL;
  if (!good.data) {
    file_name(path, sizeof path, "resume");
    snprintf(part, sizeof part, "%s.part", path);
    catalog = (ncc_catalog){.path = (char *)FUZZ_BASE,
                            .images = {.count = 2, .stack = stack},
                            .templates = {.count = 2, .stack = stack},
                            .n_pairs = PAIRS,
                            .pairs = pairs};
    const ncc_search search = {0};
    if (ncc_work_create(&catalog, &search, false, &work) != NCC_OK) abort();
    good = make_good(2);
    complete = make_good(PAIRS);
    if (!freopen("/dev/null", "w", stdout)) abort();
  }
  const bool finished = size > 0 && data[0] >= 0x80;
  file_store(finished ? path : part, finished ? &complete : &good, data, size);
  if (open_output(NCC_OUTPUT_RESUME, &output) == NCC_OK) {
    const ncc_result result = {.y = 3, .x = 4, .peak = 0.5, .status = NCC_PAIR_OK};
    for (int64_t row = 0; row < PAIRS; row++)
      if (ncc_output_statuses(output)[row] == NCC_PAIR_PENDING) (void)ncc_output_write(output, 1, &row, &result, NULL);
    (void)ncc_output_close(&output, &timings);
  } else if (!ncc_error_message()[0]) {
    abort();
  }
  unlink(part);
  unlink(path);
  return 0;
}
