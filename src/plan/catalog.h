/** What an input holds, without its pixels: shapes and types of images and templates, and the pairs.
 *
 *  Filled by io/ on rank 0 and broadcast by mpi/; core code works on it alone.
 */
#ifndef NCC_CATALOG_H
#define NCC_CATALOG_H

#include "mpixcorr.h"

/** One image or template. */
typedef struct ncc_object {
  int64_t id;           /**< the number that /pairs uses */
  int64_t rows, cols;   /**< pixels */
  ncc_dtype dtype;      /**< as matched: float32 where pixels are filtered, else as stored */
  ncc_dtype stored;     /**< in the file (native byte order once read) */
  int64_t box_image;    /**< for a template that is a box of an image: that image's index; else -1 */
  int64_t box_y, box_x; /**< the box's top-left pixel in that image */
  bool masked;          /**< its pixels are followed by a mask, a byte each: 1 valid, 0 masked */
  ncc_margins around; /**< of a box that is turned: pixels of the image that are read with it; see ncc_template_get() */
} ncc_object;

/** The same as it is kept: there may be 10^7 on every rank. Sides are at most 2^29. */
typedef struct ncc_item {
  int32_t rows, cols, dtype, box_image, box_y, box_x;
} ncc_item;

/** An object that cannot be opened. */
typedef struct ncc_lost_object {
  int64_t id;
  char *reason; /**< with file and object; owned */
} ncc_lost_object;

/** Images of more pixels are matched in parts. A constant: what is judged over an image must not depend on a machine.
 */
#define NCC_WHOLE_IMAGE_PX ((int64_t)1 << 25)

/** All images, or all templates, in order of increasing id. */
typedef struct ncc_objects {
  int64_t count, capacity;
  ncc_item *items;  /**< [count], owned; NULL for a stack, whose shape and type is `stack` */
  int64_t *ids;     /**< [count], owned; NULL where they are 0 .. count-1 */
  ncc_object stack; /**< shared by all where items is NULL */
  bool filtered;    /**< pixels are filtered as they are read */
  int64_t turn;     /**< largest absolute angle that they are turned by, 1e-6 degree */
  bool in_parts;    /**< of images with more than NCC_WHOLE_IMAGE_PX only what windows reach is read (parts.h) */
  bool masked;      /**< pixels are followed by their mask */
  int64_t n_lost;
  ncc_lost_object *lost; /**< [n_lost] that are not among the items, by id; on rank 0 alone; owned */
} ncc_objects;

typedef struct ncc_catalog {
  char *path; /**< the input file, owned */
  ncc_objects images, templates;
  ncc_objects masks[2]; /**< of images and of stored templates, as in the file; count 0: there are none */
  bool one_mask[2];     /**< the first of `masks` is that of all */
  int64_t n_pairs;
  int64_t (*pairs)[2]; /**< [n_pairs] (image id, template id); -1 in a row: no pair; owned */
  ncc_rect *windows;   /**< [n_pairs] search windows, or NULL; owned */
  int64_t (*near)[4];  /**< [n_pairs] predicted offsets (y, x, radius_y, radius_x), or NULL; owned */
} ncc_catalog;

/** Makes room for as many items. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_objects_reserve(ncc_objects *objects, int64_t capacity);

/** Adds an item, where there is room, whose id is greater than all before. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_objects_add(ncc_objects *objects, const ncc_object *object);

/** The object at an index (0 .. count-1), by value. */
ncc_object ncc_objects_get(const ncc_objects *objects, int64_t index);

/** Sets `turn` of a catalog's templates. To be called before anything is planned by the catalog. */
void ncc_catalog_choose_turn(ncc_catalog *catalog, const ncc_search *search);

/** The template at an index, with what is around it where it is a box of an image and will be turned. */
ncc_object ncc_template_get(const ncc_catalog *catalog, int64_t index);

/** An object with what is around it, in its own coordinates. */
ncc_rect ncc_object_rect(const ncc_object *object);

/** Whether there may be masked pixels. */
static inline bool ncc_catalog_masked(const ncc_catalog *catalog) {
  return catalog->images.masked || catalog->templates.masked;
}

/** Bytes of an object's pixels, those around it included, and of the mask behind them. */
int64_t ncc_object_bytes(const ncc_object *object);

/** The same of so many of its pixels. */
int64_t ncc_object_bytes_of(const ncc_object *object, int64_t pixels);

/** The search as geometry knows it: where there may be masked pixels, valid ones count for the minimum overlap, not
 *  areas. */
ncc_search ncc_catalog_search(const ncc_catalog *catalog, const ncc_search *search);

/** Whether an image is matched in parts. */
static inline bool ncc_object_in_parts(const ncc_objects *objects, const ncc_object *object) {
  return objects->in_parts && object->rows * object->cols > NCC_WHOLE_IMAGE_PX;
}

/** Index of an id, or -1. O(log count). */
int64_t ncc_objects_find(const ncc_objects *objects, int64_t id);

/** Frees what the objects own and zeroes them. */
void ncc_objects_clear(ncc_objects *objects);

/** Why an object of that id cannot be opened; borrowed. NULL where there is none. O(log n_lost). */
const char *ncc_objects_lost(const ncc_objects *objects, int64_t id);

/** Frees what the catalog owns and zeroes it. */
void ncc_catalog_clear(ncc_catalog *catalog);

#endif
