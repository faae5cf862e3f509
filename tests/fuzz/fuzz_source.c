/** Fuzz target: sources. FUZZ_PARSER names one of the parsers below; what can be opened can be read.
 *
 *  The first byte is a choice that the parser explains. Pictures and the like follow as a file; of formats in folders
 * the next two bytes say how long the description is, and what follows it is one chunk. HDF5's own reading is the
 * target `input`'s.
 */
#include "io/codec/codec.h"
#include "io/input/named.h"
#include "io/volume/volume.h"
#include "memory_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** A fuzzed input, parted. */
typedef struct input {
  unsigned choice;
  const uint8_t *data; /* after the first byte */
  size_t size;
  const uint8_t *meta, *chunk; /* the same in two */
  size_t meta_size, chunk_size;
} input;

static void expect_a_reason(ncc_status status) {
  if (status != NCC_OK && !ncc_error_message()[0]) abort();
  ncc_error_set(NCC_OK, "%s", "");
}

/** A rectangle in the middle, twice: the second time chunks that were kept are found. */
static void read_source(const char *source) {
  ncc_volumes *volumes;
  int64_t rows, cols;
  ncc_dtype dtype;
  memory_files_inside = true;
  if (ncc_volumes_create("", &volumes) != NCC_OK) abort();
  ncc_volumes_limit(volumes, 1 << 20);
  ncc_status status = ncc_volumes_look(volumes, source, &rows, &cols, &dtype);
  expect_a_reason(status);
  if (status == NCC_OK && rows > 0 && cols > 0) {
    ncc_rect rect = {rows / 2, cols / 2, rows / 2 + (rows < 64 ? rows - rows / 2 : 32),
                     cols / 2 + (cols < 64 ? cols - cols / 2 : 32)};
    void *pixels = malloc((size_t)((rect.y1 - rect.y0) * (rect.x1 - rect.x0)) * ncc_dtype_size(dtype));
    for (int time = 0; time < 2 && pixels && rect.y0 < rect.y1; time++, rect.y0++)
      expect_a_reason(ncc_volumes_read(volumes, source, rows, cols, dtype, &rect, pixels));
    free(pixels);
  }
  ncc_volumes_destroy(&volumes);
  memory_files_inside = false;
}

/** Index of a source whose array may have any rank. */
static const char *index_of(unsigned choice) {
  static const char *const some[] = {"", "[0]", "[-1]", "[0,0]", "[:,0]", "[:,:,0]", "[0,1:9,:]", "[:3,-4:]"};
  return some[choice % 8];
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/** A file whose first bytes are those of its format, whatever they were. */
static void read_file(const char *name, const char *magic, size_t magic_size, const input *in) {
  char source[32];
  uint8_t *bytes = malloc(magic_size + in->size + 1);
  if (!bytes) abort();
  memcpy(bytes, in->data, in->size);
  memcpy(bytes, magic, magic_size);
  snprintf(source, sizeof source, "%s%s", name, index_of(in->choice));
  memory_files_add(name, bytes, in->size > magic_size ? in->size : magic_size);
  read_source(source);
  free(bytes);
}

/** The choice has the byte order and size of the file's numbers, too. */
static void read_tiff(const input *in) {
  static const char *const magic[] = {"II*\0", "MM\0*", "II+\0", "MM\0+"};
  memory_files_real = true;
  read_file("a", magic[in->choice / 8 % 4], 4, in);
}

static void read_png(const input *in) {
  read_file("a", "\x89PNG\r\n\x1a\n", 8, in);
}

static void read_jpeg(const input *in) {
  read_file("a", "\xFF\xD8\xFF", 3, in);
}

static void read_npy(const input *in) {
  read_file("a", "\x93NUMPY", 6, in);
}

static void read_mrc(const input *in) {
  read_file("a.mrc", "", 0, in);
}

/* ---- folders ----------------------------------------------------------------------------------------------------- */

static void read_array(const char *meta, const char *chunk, const char *name, const input *in) {
  char source[32];
  snprintf(source, sizeof source, "%s%s", name, index_of(in->choice));
  memory_files_add(meta, in->meta, in->meta_size);
  memory_files_add(chunk, in->chunk, in->chunk_size);
  read_source(source);
}

/** The chunk lies where an array of two or of three axes has it. */
static void read_zarr2(const input *in) {
  static const char *const chunks[] = {"z/0.0", "z/0.0.0", "z/0/0", "z/0/0/0"};
  read_array("z/.zarray", chunks[in->choice / 8 % 4], "z", in);
}

static void read_zarr3(const input *in) {
  static const char *const chunks[] = {"z/c/0/0", "z/c/0/0/0", "z/c.0.0", "z/0.0"};
  read_array("z/zarr.json", chunks[in->choice / 8 % 4], "z", in);
}

static void read_n5(const input *in) {
  static const char *const chunks[] = {"z/0/0", "z/0/0/0"};
  read_array("z/attributes.json", chunks[in->choice / 8 % 2], "z", in);
}

/** A group's description, above good levels of both formats. */
static void read_ome(const input *in) {
  static const char zarr2[] =
      "{\"zarr_format\": 2, \"shape\": [4, 6], \"chunks\": [4, 6], \"dtype\": \"|u1\", \"order\": \"C\", "
      "\"fill_value\": 7, \"filters\": null, \"compressor\": null}";
  static const uint8_t pixels[24] = {0};
  memory_files_add("z/0/.zarray", zarr2, sizeof zarr2 - 1);
  memory_files_add("z/0/0.0", pixels, sizeof pixels);
  read_array(in->choice / 8 % 2 ? "z/zarr.json" : "z/.zattrs", "z/.zgroup", "z", in);
}

/* ---- names and shapes -------------------------------------------------------------------------------------------- */

static const uint8_t *good_npy(void) {
  static const char header[] = "\x93NUMPY\1\0v\0{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3, 4)}";
  static uint8_t good[128 + 48];
  memset(good, ' ', 128);
  memcpy(good, header, sizeof header - 1);
  return good;
}

/** A name, or where the choice is odd an index behind a good one. */
static void read_name(const input *in) {
  char source[1100];
  memory_files_add("good.npy", good_npy(), 128 + 48);
  snprintf(source, sizeof source, "%s%.*s", in->choice % 2 ? "good.npy[" : "", (int)(in->size < 1000 ? in->size : 1000),
           (const char *)in->data);
  read_source(source);
}

static void check_objects(const ncc_objects *objects, int64_t n) {
  if (objects->count != n) abort();
  for (int64_t i = 0; i < n; i++) {
    const ncc_object object = ncc_objects_get(objects, i);
    if (object.rows < 1 || object.cols < 1 || object.id != i) abort();
  }
}

/** Names in lines, looked up; and their shapes as told, 16 bytes each. */
static void read_shapes(const input *in) {
  ncc_named named = {0};
  ncc_objects objects = {0};
  char *reason = NULL;
  int64_t n_failed, (*shapes)[2] = calloc(in->chunk_size / 16 + 1, sizeof *shapes);
  memory_files_add("good.npy", good_npy(), 128 + 48);
  if (!shapes || ncc_named_start(&named, "", NULL) != NCC_OK) abort();
  named.text = malloc(in->meta_size + 1);
  named.at = malloc((in->meta_size + 1) * sizeof *named.at);
  if (!named.text || !named.at) abort();
  memcpy(named.text, in->meta, in->meta_size);
  for (size_t i = 0; i < in->meta_size; i++) {
    if (i == 0 || named.text[i - 1] == '\0') named.at[named.n++] = (int64_t)i;
    if (named.text[i] == '\n') named.text[i] = '\0';
  }
  named.text[in->meta_size] = '\0';
  named.n = named.n < 60 ? named.n : 60; /* more are looked up by several threads */
  memory_files_inside = true;
  ncc_status status = ncc_named_look(&named, "/images", &objects, &n_failed, &reason);
  memory_files_inside = false;
  expect_a_reason(status);
  if (status == NCC_OK && named.n > 0) check_objects(&objects, named.n);
  ncc_objects_clear(&objects);
  named.n = (int64_t)(in->chunk_size / 16);
  memcpy(shapes, in->chunk, (size_t)named.n * 16);
  status = ncc_named_shapes(&named, (const int64_t(*)[2])shapes, (ncc_dtype)(in->choice % 9), "in.h5", "/image_shapes",
                            &objects);
  expect_a_reason(status);
  if (status == NCC_OK && named.n > 0) check_objects(&objects, named.n);
  ncc_objects_clear(&objects);
  ncc_named_clear(&named);
  free(reason);
  free(shapes);
}

/* ---- codecs ------------------------------------------------------------------------------------------------------ */

/** Up to three codecs, three bytes each, then how many bytes are expected, then a chunk. */
static void read_codecs(const input *in) {
  ncc_codecs codecs = {0};
  ncc_codec_scratch scratch = {0};
  const int n = (int)(in->choice % 3) + 1;
  if (in->size < (size_t)(3 * n + 2)) return;
  const uint8_t *at = in->data;
  for (int i = 0; i < n; i++, at += 3)
    if (ncc_codecs_add(&codecs, (ncc_codec){.kind = (ncc_codec_kind)(at[0] % NCC_CODEC_KINDS),
                                            .size = at[1] % 8 ? 1 << at[1] % 4 : at[1] / 8 + 1,
                                            .block = at[2]}) != NCC_OK)
      return;
  const int64_t bytes = at[0] | at[1] << 8;
  void *out = malloc((size_t)bytes + 1);
  if (!out) abort();
  expect_a_reason(ncc_codecs_decode(&codecs, at + 2, (int64_t)in->size - 3 * n - 2, &scratch, out, bytes));
  free(out);
  ncc_codec_scratch_free(&scratch);
}

/* ---- which ------------------------------------------------------------------------------------------------------- */

static void (*parser(void))(const input *) {
  static const struct {
    const char *name;
    void (*parse)(const input *);
  } parsers[] = {{"tiff", read_tiff}, {"png", read_png},     {"jpeg", read_jpeg},     {"npy", read_npy},
                 {"mrc", read_mrc},   {"zarr2", read_zarr2}, {"zarr3", read_zarr3},   {"n5", read_n5},
                 {"ome", read_ome},   {"name", read_name},   {"shapes", read_shapes}, {"codec", read_codecs}};
  const char *name = getenv("FUZZ_PARSER");
  for (size_t i = 0; name && i < sizeof parsers / sizeof parsers[0]; i++)
    if (strcmp(name, parsers[i].name) == 0) return parsers[i].parse;
  fprintf(stderr, "FUZZ_PARSER=%s found, expected the name of a parser\n", name ? name : "");
  abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*parse)(const input *);
  if (!parse) parse = parser();
  if (size < 3) return 0;
  input in = {.choice = data[0], .data = data + 1, .size = size - 1};
  in.meta_size = (data[1] | (size_t)data[2] << 8) % (size - 2);
  in.meta = data + 3;
  in.chunk = in.meta + in.meta_size;
  in.chunk_size = size - 3 - in.meta_size;
  memory_files_n = 0;
  memory_files_real = false;
  parse(&in);
  return 0;
}
