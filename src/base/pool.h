/** A small pool of threads that share one loop at a time.
 *
 *  Why not OpenMP: its runtimes spin at barriers (two ranks on one core then starve each other) and do not survive
 *  fork(). Here waiting threads spin for some microseconds, because stages of a pair follow each other at that
 * distance, and then sleep.
 */
#ifndef NCC_POOL_H
#define NCC_POOL_H

#include "mpixcorr.h"

typedef struct ncc_pool ncc_pool;

/** Work on one item of a loop. @param[in] thread  0 .. threads-1, for scratch memory. */
typedef void (*ncc_pool_fn)(void *context, int64_t item, int thread);

/** Starts threads - 1 threads; the caller of run() is the last one. threads >= 1. */
ncc_status ncc_pool_create(int threads, ncc_pool **out);
void ncc_pool_destroy(ncc_pool **pool);
int ncc_pool_threads(const ncc_pool *pool);

/** Calls fn for items 0 .. count-1, each once, handed out in increasing order; returns when all are done. */
void ncc_pool_run(ncc_pool *pool, int64_t count, ncc_pool_fn fn, void *context);

#endif
