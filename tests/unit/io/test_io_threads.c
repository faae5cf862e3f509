/** Threads read one input at once: pixels in it, and names of datasets that HDF5 looks up. HDF5 is not made for several
 * threads, and whatever of it is called outside of its lock crashes here. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "check.h"
#include "io/input/writer.h"

#define OK(call) CHECK((call) == NCC_OK, "%s", ncc_error_message())

enum { N = 5, SIDE = 12, THREADS = 8, READS = 300000 };

static ncc_input *input;
static unsigned char expected[N][SIDE * SIDE];

static void write_stack(ncc_input_writer *writer, ncc_object_kind kind, const ncc_storage *storage) {
  OK(ncc_input_writer_stack(writer, kind, N, SIDE, SIDE, NCC_U8, storage));
  for (int64_t i = 0; i < N; i++)
    OK(ncc_input_writer_put(writer, kind, i, &(ncc_array){expected[i], NCC_U8, SIDE, SIDE, SIDE}));
}

static void write_inputs(void) {
  static const char *const sources[N] = {"a.h5/images[0]", "a.h5/images[1]", "a.h5/images[2]", "a.h5/images[3]",
                                         "a.h5/images[4]"};
  const int64_t pairs[1][2] = {{0, 0}};
  ncc_input_writer *writer;
  for (int named = 0; named < 2; named++) {
    OK(ncc_input_writer_create(named ? "b.h5" : "a.h5", false, &writer));
    if (named) OK(ncc_input_writer_sources(writer, NCC_IMAGE, N, sources, NULL, NCC_DTYPE_COUNT, NULL));
    if (!named) write_stack(writer, NCC_IMAGE, &(ncc_storage){.gzip_level = 1});
    write_stack(writer, NCC_TEMPLATE, NULL);
    OK(ncc_input_writer_pairs(writer, 1, pairs));
    OK(ncc_input_writer_finish(&writer));
  }
}

static void *read_all(void *first) {
  unsigned char pixels[SIDE * SIDE];
  for (int64_t k = *(int *)first, end = k + READS; k < end; k++) {
    OK(ncc_input_read(input, k % 64 ? NCC_TEMPLATE : NCC_IMAGE, k % N, pixels));
    CHECK(memcmp(pixels, expected[k % N], sizeof pixels) == 0, "read %lld is wrong", (long long)k);
  }
  return NULL;
}

int main(void) {
  char folder[] = "/tmp/test_io_threads.XXXXXX";
  pthread_t threads[THREADS];
  int first[THREADS];
  CHECK(mkdtemp(folder) && chdir(folder) == 0, "%s", folder);
  for (int i = 0; i < N; i++)
    for (int k = 0; k < SIDE * SIDE; k++) expected[i][k] = (unsigned char)rand();
  write_inputs();
  OK(ncc_input_open("b.h5", NULL, &input));
  for (int i = 0; i < THREADS; i++) {
    first[i] = i;
    CHECK(pthread_create(&threads[i], NULL, read_all, &first[i]) == 0, "no thread");
  }
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  ncc_input_close(&input);
  unlink("a.h5");
  unlink("b.h5");
  CHECK(rmdir(folder) == 0, "%s is not empty", folder);
  return 0;
}
