/** The content's fingerprint: the same for the same images, templates, pairs and windows, wherever and however stored.
 *
 *  SHA-256 over the structure (ids, shapes, types, boxes), all pairs and windows, and pixels: all of them where they
 *  are few, else a few rows of objects spread over the file, so that terabytes are told apart in seconds. Neither path
 *  nor layout (stack or group, chunks, byte order, compression) counts. A change of an object that the sample does not
 *  meet goes unnoticed; modification time and size are recorded beside it for that.
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/input/h5_input.h"

enum { ALL_OBJECTS = 1 << 14, SAMPLED_ROWS = 4, SAMPLED_OBJECTS = 256, LEAST_OBJECTS = 8 };
static const int64_t all_pixels_bytes = 64 << 20;  // hash everything up to here
static const int64_t touched_bytes = 256 << 20;    // what a compressed file may have to inflate

typedef struct hasher {
  EVP_MD_CTX *context;
  int64_t buffer[1024];
  size_t used;
} hasher;

static void hash_bytes(hasher *h, const void *data, size_t size) {
  EVP_DigestUpdate(h->context, data, size);
}

static void hash_flush(hasher *h) {
  hash_bytes(h, h->buffer, h->used * sizeof h->buffer[0]);
  h->used = 0;
}

static void hash_number(hasher *h, int64_t number) {
  h->buffer[h->used++] = number;
  if (h->used == sizeof h->buffer / sizeof h->buffer[0]) hash_flush(h);
}

static int64_t object_bytes(const ncc_object *object) {
  return object->rows * object->cols * (int64_t)ncc_dtype_size(object->stored);
}

/** Names of sources stand for their pixels: data that moved, or that cannot be read now, is still the same. */
static int64_t hash_sources(hasher *h, const ncc_named *named) {
  static const char what[] = "sources";
  hash_bytes(h, what, sizeof what);
  hash_number(h, named->n);
  hash_flush(h);
  for (int64_t i = 0; i < named->n; i++) {
    const char *name = ncc_named_get(named, i);
    hash_bytes(h, name, strlen(name) + 1);
  }
  return 0;
}

/** Ids, shapes, types and boxes; not the types of boxes of sources, which are not known where nobody looks at these.
 *  @return bytes of all pixels, up to all_pixels_bytes + 1. */
static int64_t hash_structure(hasher *h, const ncc_catalog *catalog, const ncc_objects *objects, bool of_sources) {
  int64_t bytes = 0;
  hash_number(h, objects->count);
  for (int64_t i = 0; i < objects->count; i++) {
    ncc_object object = ncc_objects_get(objects, i);
    bool box = object.box_image >= 0;
    hash_number(h, object.id);
    hash_number(h, object.rows);
    hash_number(h, object.cols);
    hash_number(h, box && of_sources ? 0 : object.stored);
    hash_number(h, box ? ncc_objects_get(&catalog->images, object.box_image).id : -1);
    hash_number(h, box ? object.box_y : 0);
    hash_number(h, box ? object.box_x : 0);
    if (!box && bytes <= all_pixels_bytes) bytes += object_bytes(&object);
  }
  hash_flush(h);
  return bytes;
}

/** One object: all of its pixels or a few rows. Pixels that cannot be read count as such. */
static ncc_status hash_object(hasher *h, ncc_input *input, ncc_object_kind kind, int64_t index, bool whole) {
  ncc_status status = NCC_OK;
  ncc_object object = ncc_objects_get(ncc_input_objects(input, kind), index);
  int64_t n = whole || object.rows < SAMPLED_ROWS ? 1 : SAMPLED_ROWS, rows = n == 1 ? object.rows : 1;
  size_t size = (size_t)(rows * object.cols) * ncc_dtype_size(object.stored);
  void *pixels = malloc(size);
  NCC_CHECK(pixels, NCC_ERR_NOMEM, "%s: no memory for %zu bytes of pixels", input->catalog.path, size);
  for (int64_t i = 0; i < n; i++) {
    int64_t y = n == 1 ? 0 : object.rows * (2 * i + 1) / (2 * n);
    ncc_rect rect = {y, 0, y + rows, object.cols};
    bool good = ncc_input_read_rect(input, kind, index, &rect, pixels) == NCC_OK;
    if (good) {
      hash_bytes(h, pixels, size);
    } else {
      hash_bytes(h, "unreadable", 10);
    }
  }
cleanup:
  free(pixels);
  return status;
}

static ncc_status hash_pixels(hasher *h, ncc_input *input, ncc_object_kind kind, int64_t bytes) {
  ncc_status status = NCC_OK;
  const ncc_objects *objects = ncc_input_objects(input, kind);
  if (bytes == 0) return NCC_OK;  // none, or boxes
  int64_t n = objects->count;
  bool all = bytes <= all_pixels_bytes && n <= ALL_OBJECTS;
  if (!all) {
    ncc_object middle = ncc_objects_get(objects, n / 2);
    int64_t affordable = touched_bytes / object_bytes(&middle);
    if (affordable > SAMPLED_OBJECTS) affordable = SAMPLED_OBJECTS;
    if (affordable < LEAST_OBJECTS) affordable = LEAST_OBJECTS;
    if (n > affordable) n = affordable;
  }
  for (int64_t i = 0; i < n; i++) {
    // First, last and evenly between.
    int64_t index = n < 2 ? 0 : (int64_t)((__int128)i * (objects->count - 1) / (n - 1));
    NCC_TRY(hash_object(h, input, kind, index, all));
  }
cleanup:
  return status;
}

/** Masks, where there are any: else the digest stays what it was without them. */
static ncc_status hash_masks(hasher *h, ncc_input *input) {
  ncc_status status = NCC_OK;
  for (int kind = NCC_IMAGE_MASK; kind < NCC_INPUT_SETS; kind++) {
    const char *label = ncc_input_names_of_kinds[kind];
    const ncc_objects *masks = ncc_input_objects(input, (ncc_object_kind)kind);
    const ncc_named *named = &input->sets[kind].named;
    if (masks->count == 0) continue;
    hash_bytes(h, label, strlen(label) + 1);
    hash_number(h, input->catalog.one_mask[kind - NCC_IMAGE_MASK]);
    const int64_t bytes = named->used ? hash_sources(h, named) : hash_structure(h, &input->catalog, masks, false);
    NCC_TRY(hash_pixels(h, input, (ncc_object_kind)kind, bytes));
  }
cleanup:
  return status;
}

ncc_status ncc_input_identify(ncc_input *input, ncc_input_identity *out) {
  ncc_status status = NCC_OK;
  const ncc_catalog *catalog = &input->catalog;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  ncc_h5_silence();
  *out = (ncc_input_identity){.size_bytes = input->size_bytes, .modified_s = input->modified_s};
  hasher *h = calloc(1, sizeof *h);
  NCC_CHECK(h, NCC_ERR_NOMEM, "%s: no memory", catalog->path);
  h->context = EVP_MD_CTX_new();
  NCC_CHECK(h->context && EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) == 1, NCC_ERR_INTERNAL,
            "%s: SHA-256 cannot be computed", catalog->path);
  static const char salt[] = "mpixcorr input 1";
  hash_bytes(h, salt, sizeof salt);
  int64_t image_bytes = input->sets[NCC_IMAGE].named.used ? hash_sources(h, &input->sets[NCC_IMAGE].named)
                                                          : hash_structure(h, catalog, &catalog->images, false);
  int64_t template_bytes = input->sets[NCC_TEMPLATE].named.used
                               ? hash_sources(h, &input->sets[NCC_TEMPLATE].named)
                               : hash_structure(h, catalog, &catalog->templates, input->sets[NCC_IMAGE].named.used);
  hash_number(h, catalog->n_pairs);
  hash_number(h, catalog->near ? 2 : catalog->windows != NULL);
  hash_flush(h);
  hash_bytes(h, catalog->pairs, (size_t)catalog->n_pairs * sizeof *catalog->pairs);
  if (catalog->windows) hash_bytes(h, catalog->windows, (size_t)catalog->n_pairs * sizeof *catalog->windows);
  if (catalog->near) hash_bytes(h, catalog->near, (size_t)catalog->n_pairs * sizeof *catalog->near);
  NCC_TRY(hash_pixels(h, input, NCC_IMAGE, image_bytes));
  NCC_TRY(hash_pixels(h, input, NCC_TEMPLATE, template_bytes));
  NCC_TRY(hash_masks(h, input));
  NCC_CHECK(EVP_DigestFinal_ex(h->context, digest, &length) == 1 && length == 32, NCC_ERR_INTERNAL,
            "%s: SHA-256 cannot be computed", catalog->path);
  for (unsigned i = 0; i < length; i++) snprintf(out->fingerprint + 2 * i, 3, "%02x", digest[i]);
cleanup:
  if (h) EVP_MD_CTX_free(h->context);
  free(h);
  return status;
}
