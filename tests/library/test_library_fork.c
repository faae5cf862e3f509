/** libmpixcorr works in a forked child after its parent used it, also while another thread of the parent uses it. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library_cases.h"

static float pixels[ROWS * COLS];
static atomic_bool stop;

/** A child matches with two threads of its own, on a known shape and on one that nobody planned before. */
static void run_child(const ncc_result *expected, int64_t new_cols) {
  pid_t pid = fork();
  CHECK(pid >= 0, "fork failed");
  if (pid == 0) {
    alarm(60);
    ncc_matcher *matcher = new_matcher(2);
    ncc_result result = match_cut(matcher, pixels, COLS, 10, 20);
    CHECK(memcmp(&result.peak, &expected->peak, sizeof result.peak) == 0, "%.17g, the parent found %.17g", result.peak,
          expected->peak);
    match_cut(matcher, pixels, new_cols, 3, 4);
    ncc_matcher_destroy(&matcher);
    _exit(0);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid, "waitpid failed");
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with status 0x%x", (unsigned)status);
}

/** Always a new shape: most of the time goes into planning. */
static void *use_library(void *unused) {
  ncc_matcher *matcher = new_matcher(1);
  for (int64_t cols = 20; cols < 56 && !atomic_load(&stop); ++cols) match_cut(matcher, pixels, cols, 1, 2);
  ncc_matcher_destroy(&matcher);
  return unused;
}

int main(void) {
  fill(pixels, ROWS * COLS);
  ncc_matcher *matcher = new_matcher(2);
  const ncc_result expected = match_cut(matcher, pixels, COLS, 10, 20);
  run_child(&expected, 57);

  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, use_library, NULL) == 0, "no thread");
  for (int i = 0; i < 5; ++i) {
    usleep(20000);
    run_child(&expected, 58);
  }
  atomic_store(&stop, true);
  pthread_join(thread, NULL);

  match_cut(matcher, pixels, COLS, 30, 40);
  ncc_matcher_destroy(&matcher);
  return 0;
}
