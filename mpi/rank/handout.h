/** A hand-out: some chunks of the plan given to one rank at once, the pixels they need, and their results.
 *
 *  No MPI in here. A pixel array is needed once, however many pairs of the hand-out use it, and not at all where the
 *  rank has it from its previous hand-out: so a group that continues keeps its image, and a few templates matched on
 *  thousands of images travel once. What later hand-outs need again is marked, so that readers keep just that.
 */
#ifndef NCC_HANDOUT_H
#define NCC_HANDOUT_H

#include "io/input/input.h"
#include "mpi/rank/pixels.h"
#include "plan/schedule.h"

enum { NCC_MESSAGE_TEXT = 512 };

/** Consecutive pairs of a hand-out, all of one image. */
typedef struct ncc_piece {
  int64_t image; /**< index */
  int64_t count; /**< pairs, at least 1 */
} ncc_piece;

/** How a needed object gets to the rank. */
typedef enum ncc_need_state {
  NCC_NEED_OPEN = 0,
  NCC_NEED_SHIPPED, /**< read for this hand-out; its pixels follow the message */
  NCC_NEED_KEPT,    /**< the rank has it from its previous hand-out */
  NCC_NEED_MISSING, /**< could not be read */
  NCC_NEED_STATE_COUNT
} ncc_need_state;

typedef struct ncc_need {
  int64_t index;      /**< of the image or template */
  uint8_t kind;       /**< an ncc_object_kind */
  uint8_t state;      /**< an ncc_need_state */
  bool again;         /**< pairs that are not handed out yet need it too */
  ncc_pixels *pixels; /**< one reference, or NULL */
} ncc_need;

typedef struct ncc_handout {
  int64_t id;
  int dest; /**< the rank that computes it */
  int refs; /**< of the thread that talks MPI: the list of what is outstanding, and messages under way */
  int64_t n_pieces, n_pairs, n_needs;
  ncc_piece *pieces;      /**< [n_pieces] */
  int64_t *templates;     /**< [n_pairs] index of the template */
  ncc_rect *windows;      /**< [n_pairs], or NULL */
  int64_t *rows;          /**< [n_pairs] rows of /pairs; rank 0 only */
  ncc_need *needs;        /**< [n_needs], by kind and index */
  ncc_result *results;    /**< [n_pairs], once computed */
  ncc_schedule_cost cost; /**< rank 0 only */
  int64_t pixel_bytes;    /**< of all needs; rank 0 only */
  double elapsed_s;       /**< that computing took */
  double image_s;         /**< of which preparing images */
  int64_t n_loaded;       /**< pairs whose pixels are there: the first ones; guarded by the lane's mutex */
  bool loading;           /**< this rank's reader is at it, for this rank; likewise */
  bool read_here;         /**< it was; likewise */
  ncc_status status;      /**< of computing or loading */
  char message[NCC_MESSAGE_TEXT];
  double sent_s;            /**< rank 0: on the watchdog's clock, when the rank could begin; 0: still being loaded */
  int unsent;               /**< rank 0: messages with its pixels that are still under way */
  int64_t shipped_bytes;    /**< rank 0: pixels in those */
  void *lane;               /**< rank 0: who is told when they are sent */
  struct ncc_handout *next; /**< in a queue */
} ncc_handout;

/** Makes an empty hand-out with one reference. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_handout_create(int64_t n_pieces, int64_t n_pairs, bool windows, bool rows, ncc_handout **out);

/** One reference less; the last frees. An ncc_outbox can call it. Accepts NULL. */
void ncc_handout_release(void *handout);

/** Works out `needs` from pieces and templates. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_handout_find_needs(ncc_handout *handout);

/** The need for an object, which the hand-out has. */
ncc_need *ncc_handout_need(const ncc_handout *handout, ncc_object_kind kind, int64_t index);

/** Pixels of a need, or NULL where they are missing. Borrowed. */
const ncc_pixels *ncc_handout_pixels(const ncc_handout *handout, ncc_object_kind kind, int64_t index);

/** Drops the pixels of all needs. */
void ncc_handout_drop_pixels(ncc_handout *handout);

/** What a rank has from its previous hand-out. */
typedef struct ncc_kept {
  ncc_need *needs;
  int64_t n_needs;
} ncc_kept;

/** The kept entry of a need, or NULL. */
const ncc_need *ncc_kept_find(const ncc_kept *kept, const ncc_need *need);

/** Remembers the hand-out's needs but for those that are missing; with their pixels, or only their names.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_kept_replace(ncc_kept *kept, const ncc_handout *handout, bool with_pixels);

void ncc_kept_clear(ncc_kept *kept);

#endif
