/** Fuzz target: input files. What can be opened can be validated, read and identified; a chunked dataset beside it can
 * be read as a source. */
#include "io/input/input.h"
#include "patched_file.h"
#include "plan/work.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_some(ncc_input *input, ncc_object_kind kind, const ncc_objects *objects) {
  for (int64_t i = 0; i < objects->count && i < 4; i++) {
    ncc_object object = ncc_objects_get(objects, i);
    if (object.rows > 4096 || object.cols > 4096) continue;
    void *pixels = malloc((size_t)ncc_object_bytes(&object));
    if (pixels) (void)ncc_input_read(input, kind, i, pixels);
    free(pixels);
  }
}

/** Chunks with filters that io/volume decodes by itself. */
static void read_source(const char *path) {
  char source[96];
  ncc_volumes *volumes;
  int64_t rows, cols;
  ncc_dtype dtype;
  double pixel;
  snprintf(source, sizeof source, "%s/zipped[1]", path);
  if (ncc_volumes_create("", &volumes) != NCC_OK) abort();
  if (ncc_volumes_look(volumes, source, &rows, &cols, &dtype) == NCC_OK) {
    for (int64_t y = 0; y < rows && y < 64; y += 8) {
      const ncc_rect one = {y, cols / 2, y + 1, cols / 2 + 1};
      (void)ncc_volumes_read(volumes, source, rows, cols, dtype, &one, &pixel);
    }
  } else if (!ncc_error_message()[0]) {
    abort();
  }
  ncc_volumes_destroy(&volumes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static file_bytes good;
  static char path[64];
  ncc_input *input = NULL;
  if (!good.data) {
    good = file_load(FUZZ_BASE);
    file_name(path, sizeof path, "input");
  }
  file_store(path, &good, data, size);
  if (ncc_input_open(path, NULL, &input) == NCC_OK) {
    const ncc_catalog *catalog = ncc_input_catalog(input);
    const ncc_search search = {0};
    ncc_work work;
    if (ncc_work_create(catalog, &search, true, &work) == NCC_OK)
      for (int64_t i = 0; i < catalog->n_pairs; i++)
        if (work.rows[i].image >= catalog->images.count || work.rows[i].tmpl >= catalog->templates.count) abort();
    ncc_work_clear(&work);
    read_some(input, NCC_IMAGE, &catalog->images);
    read_some(input, NCC_TEMPLATE, &catalog->templates);
  } else if (!ncc_error_message()[0]) {
    abort();
  }
  ncc_input_close(&input);
  read_source(path);
  unlink(path);
  return 0;
}
