/** The same options give the same pixels, here and on any other machine; other seeds give others; what comes before
 * does not depend on how many images or templates follow, nor on the order in which they are made. */
#include "synth_cases.h"

static uint64_t hash_array(uint64_t hash, const ncc_array *a) { /* FNV-1a; stacks have no gaps */
  const unsigned char *bytes = a->data;
  const size_t n = (size_t)(a->rows * a->cols) * ncc_dtype_size(a->dtype);
  for (size_t i = 0; i < n; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

static uint64_t hash_image(ncc_synth *synth, int64_t image, int64_t templates) {
  ncc_array pixels;
  ncc_synth_answer answer;
  CHECK(ncc_synth_image(synth, image, &pixels) == NCC_OK, "%s", ncc_error_message());
  uint64_t hash = hash_array(0xcbf29ce484222325u, &pixels);
  for (int64_t i = 0; i < templates; ++i) {
    ncc_synth_template(synth, i, &pixels, &answer);
    hash = hash_array(hash, &pixels);
  }
  return hash;
}

static uint64_t hash_first_image(ncc_synth_preset preset, uint64_t seed, ncc_dtype dtype, bool subpixel_shift) {
  ncc_synth *synth = start(preset, seed, dtype, subpixel_shift);
  const uint64_t hash = hash_image(synth, 0, 2);
  ncc_synth_destroy(&synth);
  return hash;
}

static void check_known_bytes(void) {
  static const struct {
    ncc_synth_preset preset;
    uint64_t seed;
    ncc_dtype dtype;
    bool subpixel_shift;
    uint64_t hash;
  } cases[] = {
      {NCC_SYNTH_TINY, 1, NCC_U8, false, 0x54a8d5ee223fb9dbu},
      {NCC_SYNTH_TINY, 2, NCC_F64, true, 0x1e9a7a8d9d5d1536u},
      {NCC_SYNTH_STITCH2D, 1, NCC_F32, false, 0xb59ca685aa22fc47u},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    const uint64_t hash = hash_first_image(cases[i].preset, cases[i].seed, cases[i].dtype, cases[i].subpixel_shift);
    CHECK(hash == cases[i].hash, "case %zu: hash 0x%016llx", i, (unsigned long long)hash);
  }
}

static void check_seeds_differ(void) {
  for (uint64_t seed = 1; seed <= 8; ++seed)
    CHECK(hash_first_image(NCC_SYNTH_TINY, seed, NCC_U8, false) !=
              hash_first_image(NCC_SYNTH_TINY, seed - 1, NCC_U8, false),
          "seed %llu", (unsigned long long)seed);
}

static void check_longer_series(void) {
  ncc_synth_options options = {
      .preset = NCC_SYNTH_TINY, .images = 2, .templates = 3, .dtype = NCC_U8, .seed = 5, .noise = NCC_SYNTH_NOISE};
  ncc_synth *few, *many;
  CHECK(ncc_synth_create(&options, &few) == NCC_OK, "%s", ncc_error_message());
  options.images = 9;
  options.templates = 40;
  CHECK(ncc_synth_create(&options, &many) == NCC_OK, "%s", ncc_error_message());
  const uint64_t second = hash_image(few, 1, 3), first = hash_image(few, 0, 3);
  CHECK(first != second, "two images of a series are the same");
  CHECK(hash_image(many, 0, 3) == first, "the first image depends on how many follow");
  CHECK(hash_image(many, 1, 3) == second, "the second image depends on how many follow");
  ncc_synth_destroy(&few);
  ncc_synth_destroy(&many);
}

int main(void) {
  check_known_bytes();
  check_seeds_differ();
  check_longer_series();
  return 0;
}
