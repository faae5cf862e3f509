/** What the input writer wrote is what the input reads, for every type and storage; nothing appears before it is whole.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "check.h"
#include "io/input/writer.h"

#define OK(call) CHECK((call) == NCC_OK, "%s", ncc_error_message())
#define FAILS(call, code, words)                                          \
  do {                                                                    \
    CHECK((call) == (code), "%s", ncc_error_message());                   \
    CHECK(strstr(ncc_error_message(), words), "%s", ncc_error_message()); \
  } while (0)

enum { N = 3, ROWS = 11, COLS = 13 };

static int count_files(void) {
  int n = 0;
  DIR *folder = opendir(".");
  for (struct dirent *entry; (entry = readdir(folder));) n += entry->d_name[0] != '.';
  closedir(folder);
  return n;
}

/** Random bytes are pixels of any type. */
static void fill(unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)rand();
}

static void check_objects(ncc_input *input, ncc_object_kind kind, int64_t first_id, int64_t id_step,
                          const unsigned char *expected, size_t object_bytes) {
  const ncc_catalog *catalog = ncc_input_catalog(input);
  const ncc_objects *objects = kind == NCC_IMAGE ? &catalog->images : &catalog->templates;
  unsigned char *pixels = malloc(object_bytes);
  CHECK(objects->count == N && pixels, "%lld objects", (long long)objects->count);
  for (int64_t i = 0; i < N; i++) {
    CHECK(ncc_objects_get(objects, i).id == first_id + i * id_step, "id of object %lld", (long long)i);
    OK(ncc_input_read(input, kind, i, pixels));
    CHECK(memcmp(pixels, expected + (size_t)i * object_bytes, object_bytes) == 0, "pixels of object %lld",
          (long long)i);
  }
  free(pixels);
}

/** A stack of images, a group of templates from every second row of an array. */
static void check_round_trip(ncc_dtype dtype, const ncc_storage *storage) {
  ncc_input_writer *writer;
  ncc_input *input;
  const size_t bytes = ncc_dtype_size(dtype), object_bytes = ROWS * COLS * bytes;
  unsigned char *pixels = malloc(N * object_bytes), *sparse = malloc(2 * object_bytes);
  int64_t pairs[2][2] = {{0, 10}, {-1, 30}};
  CHECK(pixels && sparse, "memory");
  fill(pixels, N * object_bytes);
  fill(sparse, 2 * object_bytes);
  OK(ncc_input_writer_create("a.h5", true, &writer));
  OK(ncc_input_writer_stack(writer, NCC_IMAGE, N, ROWS, COLS, dtype, storage));
  OK(ncc_input_writer_group(writer, NCC_TEMPLATE, storage));
  for (int64_t i = N - 1; i >= 0; i--) {
    const unsigned char *plane = pixels + (size_t)i * object_bytes;
    ncc_array image = {plane, dtype, ROWS, COLS, COLS};
    OK(ncc_input_writer_put(writer, NCC_IMAGE, i, &image));
    for (size_t y = 0; y < ROWS; y++) memcpy(sparse + 2 * y * COLS * bytes, plane + y * COLS * bytes, COLS * bytes);
    ncc_array tmpl = {sparse, dtype, ROWS, COLS, 2 * COLS};
    OK(ncc_input_writer_put(writer, NCC_TEMPLATE, 10 + 10 * i, &tmpl));
  }
  OK(ncc_input_writer_pairs(writer, 2, (const int64_t(*)[2])pairs));
  OK(ncc_input_writer_finish(&writer));
  CHECK(!writer && count_files() == 1, "%d files", count_files());
  OK(ncc_input_open("a.h5", NULL, &input));
  check_objects(input, NCC_IMAGE, 0, 1, pixels, object_bytes);
  check_objects(input, NCC_TEMPLATE, 10, 10, pixels, object_bytes);
  CHECK(ncc_input_catalog(input)->n_pairs == 2 && memcmp(ncc_input_catalog(input)->pairs, pairs, sizeof pairs) == 0,
        "pairs");
  ncc_input_close(&input);
  free(pixels);
  free(sparse);
}

/** Boxes, windows, names, known answers, an attribute. */
static void check_the_rest(void) {
  ncc_input_writer *writer;
  ncc_input *input;
  const uint8_t pixels[4][5] = {{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}, {11, 12, 13, 14, 15}, {16, 17, 18, 19, 20}};
  const ncc_array image = {pixels, NCC_U8, 4, 5, 5};
  const int64_t boxes[2][5] = {{7, 1, 2, 2, 3}, {7, 0, 0, 4, 5}}, pairs[1][2] = {{7, 0}}, coords[1][2] = {{2, 4}};
  const ncc_rect windows[1] = {{0, 1, 5, 6}};
  const double peaks[1] = {0.5};
  const char *const names[2] = {"caf\xc3\xa9", ""};
  uint8_t cut[2][3];
  const uint8_t expected_cut[2][3] = {{8, 9, 10}, {13, 14, 15}};
  int64_t(*read_coords)[2];
  double *read_peaks;
  char **read_names;
  OK(ncc_input_writer_create("b.h5", false, &writer));
  OK(ncc_input_writer_put(writer, NCC_IMAGE, 7, &image));
  OK(ncc_input_writer_boxes(writer, 2, boxes));
  OK(ncc_input_writer_pairs(writer, 1, pairs));
  OK(ncc_input_writer_search(writer, 1, windows));
  OK(ncc_input_writer_expected(writer, 1, coords, peaks));
  OK(ncc_input_writer_names(writer, NCC_TEMPLATE, 2, names));
  OK(ncc_input_writer_attribute(writer, "made_by", "test"));
  OK(ncc_input_writer_finish(&writer));
  OK(ncc_input_open("b.h5", NULL, &input));
  OK(ncc_input_read(input, NCC_TEMPLATE, 0, cut));
  CHECK(memcmp(cut, expected_cut, sizeof cut) == 0, "the box's pixels");
  CHECK(memcmp(ncc_input_catalog(input)->windows, windows, sizeof windows) == 0, "windows");
  OK(ncc_input_expected(input, &read_coords, &read_peaks));
  CHECK(read_coords[0][0] == 2 && read_coords[0][1] == 4 && read_peaks[0] == 0.5, "expected");
  OK(ncc_input_names(input, NCC_IMAGE, &read_names));
  CHECK(!read_names, "no image names");
  OK(ncc_input_names(input, NCC_TEMPLATE, &read_names));
  CHECK(strcmp(read_names[0], names[0]) == 0 && strcmp(read_names[1], names[1]) == 0, "template names");
  for (int i = 0; i < 2; i++) free(read_names[i]);
  free(read_names);
  free(read_coords);
  free(read_peaks);
  ncc_input_close(&input);
  unlink("b.h5");
}

static void check_refusals(void) {
  ncc_input_writer *writer;
  const uint8_t pixels[4] = {0};
  const ncc_array image = {pixels, NCC_U8, 2, 2, 2}, wide = {pixels, NCC_U8, 1, 4, 4};
  FAILS(ncc_input_writer_create("a.h5", false, &writer), NCC_ERR_OUTPUT, "a.h5: exists already");
  CHECK(!writer, "set to NULL");
  FAILS(ncc_input_writer_create("none/c.h5", false, &writer), NCC_ERR_OUTPUT, "none/c.h5");
  OK(ncc_input_writer_create("c.h5", false, &writer));
  FAILS(ncc_input_writer_stack(writer, NCC_IMAGE, 1, 0, 2, NCC_U8, NULL), NCC_ERR_USAGE, "out of range");
  OK(ncc_input_writer_stack(writer, NCC_IMAGE, 2, 2, 2, NCC_U8, NULL));
  FAILS(ncc_input_writer_group(writer, NCC_IMAGE, NULL), NCC_ERR_USAGE, "begun already");
  FAILS(ncc_input_writer_put(writer, NCC_IMAGE, 2, &image), NCC_ERR_USAGE, "id 2 found, expected 0 to 1");
  FAILS(ncc_input_writer_put(writer, NCC_IMAGE, 0, &wide), NCC_ERR_USAGE, "1 x 4 u8 found, expected 2 x 2 u8");
  OK(ncc_input_writer_put(writer, NCC_IMAGE, 0, &image));
  OK(ncc_input_writer_put(writer, NCC_TEMPLATE, 0, &wide));
  FAILS(ncc_input_writer_put(writer, NCC_TEMPLATE, 0, &wide), NCC_ERR_OUTPUT, "/templates/0");
  FAILS(ncc_input_writer_finish(&writer), NCC_ERR_USAGE, "1 of 2 planes");
  CHECK(!writer && count_files() == 1, "%d files", count_files());
  OK(ncc_input_writer_create("c.h5", false, &writer));
  ncc_input_writer_destroy(&writer);
  CHECK(!writer && count_files() == 1, "%d files", count_files());
}

int main(void) {
  char folder[] = "/tmp/test_io_writer.XXXXXX";
  const ncc_storage storages[] = {{0}, {.chunk_rows = 4, .chunk_cols = 100}, {.gzip_level = 3}, {5, 6, 1}};
  CHECK(mkdtemp(folder) && chdir(folder) == 0, "%s", folder);
  srand(1);
  for (int dtype = 0; dtype < NCC_DTYPE_COUNT; dtype++)
    for (size_t i = 0; i < sizeof storages / sizeof storages[0]; i++)
      check_round_trip((ncc_dtype)dtype, i ? &storages[i] : NULL);
  check_the_rest();
  check_refusals();
  unlink("a.h5");
  CHECK(rmdir(folder) == 0, "%s is not empty", folder);
  return 0;
}
