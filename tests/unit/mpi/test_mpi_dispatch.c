/** Every pair gets the pixels that are its own, on any number of ranks, however pixels travel and pairs are spread. */
#include "job_cases.h"

static int64_t zero(int64_t row) {
  return 0 * row;
}
static int64_t same(int64_t row) {
  return row;
}
static int64_t half(int64_t row) {
  return row / 2;
}
static int64_t fifth(int64_t row) {
  return row / 5;
}
static int64_t scattered(int64_t row) {
  return row * 7919 % 101;
}
static int64_t few(int64_t row) {
  return row % 3;
}
static int64_t holes(int64_t row) {
  return row % 4 == 0 ? -1 : row * 31 % 13;
}

int main(int argc, char **argv) {
  static const job_case cases[] = {
      {"no pairs", 2, 2, 0, 9, 11, false, zero, zero},
      {"one pair", 1, 1, 1, 9, 11, false, zero, zero},
      {"one image, many templates", 1, 500, 1000, 12, 10, false, zero, half},
      {"many images, one template", 500, 1, 1000, 12, 10, false, half, zero},
      {"five to an image", 150, 750, 750, 12, 10, true, fifth, same},
      {"scattered", 101, 3, 4000, 12, 10, false, scattered, few},
      {"holes", 13, 101, 500, 12, 10, true, holes, scattered},
      {"large", 6, 30, 30, 1500, 1500, false, fifth, same},
  };
  int rank, ranks = argc > 1 ? atoi(argv[1]) : 1;
  char input[64], output[64];
  MUST(ncc_job_init(&argc, &argv, &rank));
  job_path(input, sizeof input, "dispatch", "in", ranks);
  job_path(output, sizeof output, "dispatch", "out", ranks);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (rank == 0) job_write_input(input, &cases[i]);
    for (int variant = 0; variant < 2; variant++) {
      ncc_run_options options = job_options(input, output);
      options.group = (i / 2 + (size_t)variant) % 2;
      options.read = variant ? NCC_READ_ALL : NCC_READ_ROOT;
      if (cases[i].rows > 1000) options.memory_bytes = 512 << 20; /* small hand-outs */
      MUST(ncc_job_run(&options, NULL));
      if (rank == 0) job_check_output(output, &cases[i]);
    }
  }
  if (rank == 0) unlink(input);
  if (rank == 0) unlink(output);
  ncc_job_finalize();
  return 0;
}
