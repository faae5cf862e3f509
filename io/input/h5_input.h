/** The open input file as the files of this folder see it. Private to io/; users include input.h. */
#ifndef NCC_H5_INPUT_H
#define NCC_H5_INPUT_H

#include <pthread.h>

#include "io/base/sources.h"
#include "io/input/input.h"
#include "io/input/named.h"

/** Where an object's pixels lie. Travels between ranks as it is. */
typedef struct ncc_place {
  int64_t offset; /**< of its first byte, where they lie in one piece of a file; else -1 */
  int32_t index;  /**< of that file; else of a source */
  int32_t order;  /**< an ncc_stored_order */
} ncc_place;

/** /images or /templates as stored. Boxes and names have no places. */
typedef struct ncc_input_set {
  ncc_named named;
  bool stack;        /**< one dataset [n, rows, cols]; else a group of 2-D datasets, or boxes */
  int64_t n_places;  /**< 1 for a stack, [count] for a group, else 0 */
  ncc_place *places; /**< [n_places] */
} ncc_input_set;

struct ncc_input {
  ncc_sources sources; /**< the first file is the input */
  ncc_catalog catalog;
  bool borrowed;                      /**< the catalog belongs to somebody else, but for its path */
  ncc_input_set sets[NCC_INPUT_SETS]; /**< by ncc_object_kind */
  ncc_mask_values mask_values;
  struct ncc_input_filters *filters; /**< NULL: pixels are as stored */
  pthread_mutex_t filtering;         /**< of those that read through the filters */
  ncc_input_name_of name_of;         /**< on ranks that have no names of their own; else NULL */
  void *name_context;
  bool tables_alone; /**< sources are not looked at */
  char *root;        /**< where names start, whatever the file says; NULL: as it says; owned */
  int64_t size_bytes, modified_s;
  char *warnings[NCC_INPUT_WARNINGS];
  int n_warnings;
};

/** "/images", "/templates", "/image_masks", "/template_masks". */
extern const char *const ncc_input_names_of_kinds[NCC_INPUT_SETS];

/** An input without anything opened. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_input_create(const char *path, const char *root, ncc_input **out);

/** Fills catalog and sets from the open file. @return NCC_OK; NCC_ERR_INPUT; NCC_ERR_NOMEM. */
ncc_status ncc_input_inspect(ncc_input *input);

/** Makes a set ready to read sources, by what another set of the same root has open where there is one. */
ncc_status ncc_input_start_named(ncc_input *input, ncc_object_kind kind, const char *root);

/** Inspects one of the sets. */
ncc_status ncc_input_inspect_kind(ncc_input *input, ncc_object_kind kind);

/** Finds masks, and checks that they fit what they are of. Images and templates must be inspected. */
ncc_status ncc_input_inspect_masks(ncc_input *input);

/** The image and the rectangle in it that a box's rectangle is; what is no box stays as it is. */
void ncc_input_resolve_box(const ncc_input *input, ncc_object_kind *kind, int64_t *index, ncc_object *object,
                           ncc_rect *rect);

/** Which pixels of an object's rectangle are valid: by its mask, and by their values.
 *  @param[in]  pixels  of the rectangle, as stored. @param[out] valid  likewise, 1: valid.
 *  @return as ncc_input_read(). */
ncc_status ncc_input_read_mask(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect,
                               const void *pixels, uint8_t *valid);

/** How pixels of a type come out. */
static inline ncc_element ncc_input_element(ncc_dtype dtype) {
  return (ncc_element){ncc_h5_pixel_type(dtype), (int32_t)ncc_dtype_size(dtype), true, dtype};
}

/** Adds a warning; those beyond NCC_INPUT_WARNINGS are dropped. */
void ncc_input_warn(ncc_input *input, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline const ncc_objects *ncc_input_objects(const ncc_input *input, ncc_object_kind kind) {
  return kind == NCC_IMAGE      ? &input->catalog.images
         : kind == NCC_TEMPLATE ? &input->catalog.templates
                                : &input->catalog.masks[kind - NCC_IMAGE_MASK];
}

#endif
