/** Threads that help the reader: they read and decode the next objects of its batch, a few ahead of it. Private to
 *  mpi/rank.
 *
 *  The reader goes through its list in order and takes each object when it comes to it: one that no helper has begun it
 *  reads itself. What is done with an object, and what is told of it, is the reader's alone.
 */
#ifndef NCC_READERS_H
#define NCC_READERS_H

#include "mpi/rank/batch.h"

/** An object to be read. */
typedef struct ncc_reading_item {
  ncc_need *need;
  ncc_rect part; /**< of the object */
  int64_t bytes;
  ncc_pixels *pixels; /**< once read; one reference */
  ncc_status status;
  char *message; /**< where status tells a failure; malloc'd */
  int state;     /**< the readers' own */
} ncc_reading_item;

/** Makes room and reads one object: sets pixels, status and message. Called by several threads at once. */
typedef void (*ncc_read_item)(void *context, ncc_reading_item *item);

typedef struct ncc_readers ncc_readers;

/** @param[in] helpers  threads beside the caller's; where some cannot be started, there are fewer.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_readers_create(int helpers, ncc_read_item read, void *context, ncc_readers **out);

/** Joins the helpers. @return their processor seconds. Accepts NULL. */
double ncc_readers_destroy(ncc_readers **readers);

/** A new list, in order of reading; borrowed until ncc_readers_end(). */
void ncc_readers_begin(ncc_readers *readers, ncc_reading_item *items, int64_t n);

/** Returns once item k is read, whoever does it; items before it that were passed over are not read. */
void ncc_readers_wait(ncc_readers *readers, int64_t k);

/** Waits for what is being read; nothing more is begun. Pixels that nobody took are released. */
void ncc_readers_end(ncc_readers *readers);

#endif
