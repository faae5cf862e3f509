/** A batch: what rank 0 hands to a rank at once. Some pairs, the pixels that they need, and in the end their results.
 *
 *  No MPI in here. An object is needed once, however many pairs of the batch use it, and its pixels need not travel
 * where the rank has them from its previous batch: so a group that continues keeps its image, and a few templates
 * matched on thousands of images travel once. What later batches need again is marked, so that readers keep just that.
 */
#ifndef NCC_BATCH_H
#define NCC_BATCH_H

#include "io/input/input.h"
#include "mpi/rank/store.h"

enum { NCC_MESSAGE_TEXT = 512 };

/** Consecutive pairs of a batch, all of one image; or angles of one pair, each of which counts as a pair. */
typedef struct ncc_piece {
  int64_t image; /**< index */
  int64_t count; /**< pairs, at least 1 */
  int64_t turn;  /**< from 1 on: the first of the angles at which they are tried, or are answered; 0: at all angles */
  int64_t tried; /**< 1: one pair at `count` angles in a row, of which rank 0 will choose; 0: each pair is answered */
  ncc_rect part; /**< of the image, which is all that is read of it for them, and in whose frame their windows are;
                    empty: the whole image */
} ncc_piece;

/** How a needed object gets to the rank. */
typedef enum ncc_need_state {
  NCC_NEED_OPEN = 0,
  NCC_NEED_SHIPPED, /**< read for this batch; where rank 0 read it, its pixels follow the message */
  NCC_NEED_KEPT,    /**< the rank has it from its previous batch */
  NCC_NEED_MISSING, /**< could not be read */
  NCC_NEED_STATE_COUNT
} ncc_need_state;

typedef struct ncc_need {
  int64_t index;      /**< of the image or template */
  int64_t piece;      /**< of the batch, whose part of the image it is; NCC_WHOLE: all of the object */
  uint8_t kind;       /**< an ncc_object_kind */
  uint8_t state;      /**< an ncc_need_state */
  bool again;         /**< pairs that are not handed out yet need it too */
  ncc_pixels *pixels; /**< one reference, or NULL */
} ncc_need;

enum { NCC_WHOLE = -1 };

/** Objects and parts by kind, index and piece, each once. */
typedef struct ncc_needs {
  ncc_need *items; /**< [n], owned */
  int64_t n;
} ncc_needs;

/** The name of the source of an image or template that is no box, for a rank that reads it. */
typedef struct ncc_batch_name {
  int64_t index;
  int64_t kind; /**< an ncc_object_kind */
  int64_t at;   /**< in the batch's text of names */
} ncc_batch_name;

/** An object that could not be read, and why. */
typedef struct ncc_unreadable {
  int64_t index;
  int64_t kind; /**< an ncc_object_kind */
  char reason[NCC_MESSAGE_TEXT];
} ncc_unreadable;

typedef struct ncc_batch {
  int64_t id;
  int64_t n_pieces, n_pairs;
  ncc_piece *pieces;  /**< [n_pieces] */
  int64_t *templates; /**< [n_pairs] index of the template */
  ncc_rect *windows;  /**< [n_pairs], or NULL */
  ncc_needs needs;
  ncc_batch_name *names; /**< [n_names] by kind and index, or NULL: pixels are no sources, or rank 0 reads them */
  int64_t n_names;
  char *name_text; /**< [name_bytes], each name ends with a zero */
  int64_t name_bytes;
  ncc_result *results; /**< [n_pairs], once computed */
  int n_peaks;         /**< listed for each pair */
  ncc_peak *peaks;     /**< [n_pairs][n_peaks], with the results; NULL: no lists */
  double elapsed_s;    /**< that computing took */
  double image_s;      /**< of which preparing images */
  ncc_unreadable *unreadable;
  int64_t n_unreadable;
} ncc_batch;

/** About what a result takes that waits for the disk. @param[in] n_peaks  listed for each pair */
#define NCC_WAITING_ROW_BYTES(n_peaks) (128 + (n_peaks) * (int64_t)sizeof(ncc_peak))

/** Bytes that rank 0 has for each pair of a batch, at most. */
int64_t ncc_batch_pair_bytes(bool windows, int n_peaks);

/** Makes an empty batch. @param[in] n_peaks  listed for each pair. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_batch_create(int64_t n_pieces, int64_t n_pairs, bool windows, int n_peaks, ncc_batch **out);

/** Frees it, and its references to pixels. Accepts NULL. */
void ncc_batch_destroy(ncc_batch **batch);

/** Works out `needs` from pieces and templates. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_batch_find_needs(ncc_batch *batch);

/** Looks up the names of all sources that the batch needs. @param[in] input  rank 0's. @return NCC_OK; NCC_ERR_NOMEM.
 */
ncc_status ncc_batch_find_names(ncc_batch *batch, const ncc_input *input);

/** The name of a source among the batch's, or NULL; an ncc_input_name_of. @param[in] batch  an ncc_batch */
const char *ncc_batch_name_of(void *batch, ncc_object_kind kind, int64_t index);

/** What a piece needs of its image, and a pair as its template; borrowed. */
ncc_need *ncc_batch_image(const ncc_batch *batch, int64_t piece);
ncc_need *ncc_batch_template(const ncc_batch *batch, int64_t pair);

/** Moves results of pairs that were matched on parts to where they are in their images. */
void ncc_batch_move_results(ncc_batch *batch);

/** Bytes of the pixels that were read for it, and that it still has. */
int64_t ncc_batch_shipped_bytes(const ncc_batch *batch);

/** Gives back the pixels of all needs. */
void ncc_batch_drop_pixels(ncc_batch *batch);

/** Notes that an object could not be read, with the calling thread's error message; of parts of one image that follow
 *  each other the first. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_batch_note_unreadable(ncc_batch *batch, ncc_object_kind kind, int64_t index);

/** The need for an object, or NULL. */
ncc_need *ncc_needs_find(const ncc_needs *needs, ncc_object_kind kind, int64_t index, int64_t piece);

/** Whether an object is needed, or a part of it. */
bool ncc_needs_some(const ncc_needs *needs, ncc_object_kind kind, int64_t index);

/** Rows and columns of what is needed; bytes of its pixels. @param[out] part  which of the object they are */
int64_t ncc_need_bytes(const ncc_batch *batch, const ncc_need *need, const ncc_catalog *catalog, ncc_rect *part);

/** Replaces a list by what a batch leaves with its rank: all whole objects but what is missing; without pixels.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_needs_remember(ncc_needs *had, const ncc_batch *batch);

/** The object's shape and type. */
static inline ncc_object ncc_catalog_object(const ncc_catalog *catalog, ncc_object_kind kind, int64_t index) {
  return kind == NCC_IMAGE ? ncc_objects_get(&catalog->images, index) : ncc_template_get(catalog, index);
}

#endif
