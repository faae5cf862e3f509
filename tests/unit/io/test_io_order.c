/** A status never reaches the disk before its data, and no failed call is overlooked: the system calls of the output
 * are recorded on their way (the linker's --wrap), and made to fail one after the other.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/error.h"
#include "check.h"
#include "io/output/load.h"
#include "io/output/output.h"

enum { ROWS = 1000, MOST_CALLS = 100000 };
typedef enum call_kind { WRITE, SYNC } call_kind;
typedef struct call {
  call_kind kind;
  int64_t offset, size;
} call;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static call calls[MOST_CALLS];
static int n_calls;
static int fail_write, fail_sync; /**< the how manieth call fails, counting from 1; 0: none */
static int n_writes, n_syncs;

ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);

/** Records a call. @return whether it shall fail. */
static bool record(call_kind kind, int64_t offset, int64_t size) {
  pthread_mutex_lock(&mutex);
  CHECK(n_calls < MOST_CALLS, "too many calls");
  calls[n_calls++] = (call){kind, offset, size};
  bool fails = kind == WRITE ? ++n_writes == fail_write : ++n_syncs == fail_sync;
  pthread_mutex_unlock(&mutex);
  return fails;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset) {
  if (record(WRITE, offset, (int64_t)size)) return errno = ENOSPC, -1;
  // Half of it: nothing may rely on being served at once.
  return __real_pwrite(fd, data, size > 1 ? size / 2 : size, offset);
}
int __wrap_fdatasync(int fd) {
  return record(SYNC, 0, 0) ? (errno = EIO, -1) : __real_fdatasync(fd);
}
int __wrap_fsync(int fd) {
  return record(SYNC, 0, 0) ? (errno = EIO, -1) : __real_fsync(fd);
}

static void begin(int write, int sync) {
  pthread_mutex_lock(&mutex);
  n_calls = n_writes = n_syncs = 0;
  fail_write = write;
  fail_sync = sync;
  pthread_mutex_unlock(&mutex);
}

static int64_t pairs[ROWS][2];
static ncc_catalog catalog = {.path = (char *)"in.h5",
                              .images = {.count = 1, .stack = {.rows = 30, .cols = 40}},
                              .templates = {.count = 1, .stack = {.rows = 3, .cols = 4}},
                              .n_pairs = ROWS,
                              .pairs = pairs};
static ncc_work work;

static ncc_status open_output(ncc_output_mode mode, ncc_output **output) {
  const ncc_input_identity identity = {.fingerprint = "0"};
  const ncc_run_info info = {.command_line = "test", .options = "", .result_options = ""};
  const ncc_search search = {.quality = true};
  return ncc_output_create("out.h5", mode, &work, &identity, &search, &info, output);
}

/** Gives every pending row an answer. */
static ncc_status write_all(ncc_output *output) {
  ncc_status status = NCC_OK;
  for (int64_t i = 0; i < ROWS && status == NCC_OK; i++) {
    const int64_t row = i * 7 % ROWS;
    const ncc_result result = {.y = 5, .x = row % 40, .peak = 0.5, .overlap = 1, .status = NCC_PAIR_OK};
    if (ncc_output_statuses(output)[row] == NCC_PAIR_PENDING) status = ncc_output_write(output, 1, &row, &result, NULL);
  }
  return status;
}

static int64_t count_status(const char *path, ncc_pair_status wanted) {
  ncc_output_data data;
  int64_t n = 0;
  CHECK(ncc_output_load(path, &data) == NCC_OK, "%s", ncc_error_message());
  for (int64_t row = 0; row < ROWS; row++) {
    n += data.status[row] == wanted;
    // Whatever happened, an answered row is whole.
    CHECK(data.status[row] == NCC_PAIR_PENDING ||
              (data.coords[row][0] == 5 && data.coords[row][1] == row % 40 && data.offsets[row][0] == 3 &&
               data.peaks[row] == 0.5 && data.overlap[row] > 0 && data.second_peaks[row] == 0),
          "row %lld", (long long)row);
  }
  ncc_output_data_clear(&data);
  return n;
}

/** Every row's data is written and synced before its status, and that is synced before sync() returns. */
static void check_order(void) {
  ncc_output *output;
  CHECK(open_output(NCC_OUTPUT_NEW, &output) == NCC_OK, "%s", ncc_error_message());
  begin(0, 0);
  CHECK(write_all(output) == NCC_OK && ncc_output_sync(output) == NCC_OK, "%s", ncc_error_message());
  // Status bytes are the only writes that end within ROWS bytes from the lowest of the smallest dataset: find it as the
  // last write before the last sync.
  CHECK(n_calls > 3 && calls[n_calls - 1].kind == SYNC, "statuses are synced");
  int64_t low = calls[n_calls - 2].offset + calls[n_calls - 2].size - ROWS;
  int64_t data = 0, statuses = 0;
  bool synced = false;
  for (int i = 0; i < n_calls; i++) {
    const bool is_status = calls[i].kind == WRITE && calls[i].offset >= low && calls[i].offset < low + ROWS;
    if (calls[i].kind == SYNC) {
      synced = true;
    } else if (is_status) {
      CHECK(synced, "status written at call %d before its data was synced", i);
      statuses++;
    } else {
      CHECK(statuses == 0 || synced, "data at call %d", i);
      if (statuses == 0) synced = false;
      data++;
    }
  }
  CHECK(data >= 8 && statuses > 0, "%lld writes of data, %lld of statuses", (long long)data, (long long)statuses);
  CHECK(count_status("out.h5.part", NCC_PAIR_OK) == ROWS, "rows");
  CHECK(ncc_output_close(&output, NULL) == NCC_OK && !output, "%s", ncc_error_message());
  unlink("out.h5.part");
}

/** One failed call: told as an error, and whatever the file says afterwards is true; a resumed run mends it. */
static bool check_failure(int write, int sync) {
  ncc_output *output;
  const ncc_run_timings timings = {0};
  CHECK(open_output(NCC_OUTPUT_NEW, &output) == NCC_OK, "%s", ncc_error_message());
  begin(write, sync);
  ncc_status wrote = write_all(output), synced = ncc_output_sync(output);
  const bool complained = wrote != NCC_OK || synced != NCC_OK;
  ncc_status closed = ncc_output_close(&output, &timings);
  const bool failed = complained || closed != NCC_OK;
  const bool provoked = write ? n_writes >= write : n_syncs >= sync;
  begin(0, 0);
  CHECK(failed == provoked, "write %d, sync %d: %s", write, sync, failed ? "complained of nothing" : "not noticed");
  if (!failed) {
    CHECK(count_status("out.h5", NCC_PAIR_OK) == ROWS, "complete");
    unlink("out.h5");
    return false;
  }
  if (complained) CHECK(closed == NCC_ERR_OUTPUT, "an error stays one: %d", closed);
  CHECK(strstr(ncc_error_message(), write ? "No space left on device" : "Input/output error") &&
            strstr(ncc_error_message(), "out.h5"),
        "%s", ncc_error_message());
  // Only the sync of the folder comes after the output has its name, and then it is whole.
  if (access("out.h5", F_OK) == 0) {
    CHECK(sync && count_status("out.h5", NCC_PAIR_OK) == ROWS, "complete");
    unlink("out.h5");
    return true;
  }
  count_status("out.h5.part", NCC_PAIR_OK);
  CHECK(open_output(NCC_OUTPUT_RESUME, &output) == NCC_OK, "%s", ncc_error_message());
  CHECK(write_all(output) == NCC_OK && ncc_output_close(&output, &timings) == NCC_OK, "%s", ncc_error_message());
  CHECK(count_status("out.h5", NCC_PAIR_OK) == ROWS, "resumed");
  unlink("out.h5");
  return true;
}

int main(void) {
  char folder[] = "/tmp/test_io_order.XXXXXX";
  const ncc_search search = {0};
  int writes = 0, syncs = 0;
  CHECK(ncc_work_create(&catalog, &search, false, &work) == NCC_OK, "%s", ncc_error_message());
  CHECK(mkdtemp(folder) && chdir(folder) == 0, "%s", folder);
  check_order();
  while (check_failure(writes + 1, 0)) writes++;
  while (check_failure(0, syncs + 1)) syncs++;
  printf("%d writes and %d syncs failed one after the other\n", writes, syncs);
  CHECK(writes > 10 && syncs >= 4, "%d, %d", writes, syncs);
  CHECK(rmdir(folder) == 0, "%s is not empty", folder);
  return 0;
}
