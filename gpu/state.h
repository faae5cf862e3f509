/** What the files of the GPU engine share: buffers, plans, the image's state and the batches in flight. Private. */
#ifndef NCC_GPU_STATE_H
#define NCC_GPU_STATE_H

#include "gpu/check.h"
#include "gpu/gpu.h"
#include "gpu/launchers.h"
#include "match/stats.h"

/* ---- memory (buffers.c) ----------------------------------------------------------------------------------------- */

/** Memory that is kept and grows: of the device, or of the host and pinned, so that copies run beside everything else.
 */
typedef struct ncc_gpu_buffer {
  void *data;
  int64_t bytes;
  bool pinned;
} ncc_gpu_buffer;

/** Makes room; the content is lost where the buffer grows. @return NCC_OK; NCC_ERR_MEMORY_LIMIT; NCC_ERR_DEVICE. */
ncc_status ncc_gpu_reserve(const ncc_gpu_place *place, ncc_gpu_buffer *buffer, int64_t bytes);
void ncc_gpu_release(ncc_gpu_buffer *buffer);

/* ---- transforms (plans.c) --------------------------------------------------------------------------------------- */

enum { NCC_GPU_MOST_PLANS = 80 }; /* more than three for each of ncc_gpu_batch_count()'s answers */

/** A batched 1-D transform, in place: `batch` transforms of `length` elements, `stride` apart, whose firsts are `dist`
 *  apart (complex elements; real rows have twice as many). */
typedef struct ncc_gpu_transform {
  cufftType type;
  int64_t length, stride, dist, batch;
} ncc_gpu_transform;

/** Plans of one stream. They share one work area: what runs on a stream never runs at the same time. */
typedef struct ncc_gpu_plans {
  struct {
    ncc_gpu_transform transform;
    cufftHandle handle;
    int64_t used; /**< 0: no plan */
  } entries[NCC_GPU_MOST_PLANS];
  int64_t clock;
  ncc_gpu_buffer work;
} ncc_gpu_plans;

/** The shortest multiple of `unit` (1, 2 or 4) that is >= least and has no other prime factors than 2, 3, 5 and 7. */
int64_t ncc_gpu_fft_length(int64_t least, int64_t unit);

/** Makes the plan, if need be, and room for its work. @param[in,out] planning_s  seconds are added */
ncc_status ncc_gpu_plan(const ncc_gpu_place *place, cudaStream_t stream, ncc_gpu_plans *plans,
                        const ncc_gpu_transform *transform, double *planning_s, cufftHandle *out);

/** Enqueues the transform of `data`. @param[in] direction  of complex transforms */
ncc_status ncc_gpu_execute(const ncc_gpu_place *place, cudaStream_t stream, ncc_gpu_plans *plans,
                           const ncc_gpu_transform *transform, int direction, void *data, double *planning_s);
void ncc_gpu_plans_clear(ncc_gpu_plans *plans);

/* ---- the engine ------------------------------------------------------------------------------------------------- */

enum {
  NCC_GPU_MOST_STREAMS = 16,
  NCC_GPU_MOST_BATCH = 64,
  NCC_GPU_LIST = 32768,     /**< candidates of a template that fit on the device */
  NCC_GPU_FIRST_ITEMS = 64, /**< of these come back with the heads */
  NCC_GPU_CACHED = 64,      /**< spectra of templates kept */
  NCC_GPU_SEEN = 1024,      /**< templates remembered, to know one that comes again */
};

#define NCC_GPU_PINNED_BYTES ((int64_t)64 << 20) /* an image's, on their way */

/** Lengths of the transforms of a geometry. */
typedef struct ncc_gpu_lengths {
  int64_t rows, cols; /**< of column and row transforms */
  int64_t half;       /**< columns of the half spectrum, cols / 2 + 1 rounded up to whole 64 bytes */
  int radix;          /**< columns are transformed as so many interleaved ones: see ncc_gpu_multiply() */
} ncc_gpu_lengths;

/** A batch in flight, on a stream of its own. */
typedef struct ncc_gpu_slot {
  cudaStream_t stream;
  cudaEvent_t done; /**< its results are on the host */
  bool has_stream, has_event;
  ncc_gpu_plans plans;
  ncc_gpu_buffer staging, results, rest, exclude;                        /**< pinned */
  ncc_gpu_buffer staged, excluded, spectra, prefix, tiles, heads, items; /**< on the device */
  int64_t count;         /**< templates; 0: none, or not to be used again */
  const ncc_task *tasks; /**< [count], borrowed within propose() */
  const ncc_prepared *tmpls[NCC_GPU_MOST_BATCH];
  ncc_bounds bounds[NCC_GPU_MOST_BATCH];
  double errors[NCC_GPU_MOST_BATCH];
  int64_t batch; /**< its number */
} ncc_gpu_slot;

/** A template's spectrum that may be wanted again. */
typedef struct ncc_gpu_cached {
  uint64_t hash; /**< 0: empty */
  ncc_gpu_lengths lengths;
  ncc_gpu_buffer spectrum;
  int64_t made, used; /**< by which batch; usable once that batch has been collected */
} ncc_gpu_cached;

typedef struct ncc_gpu_cache {
  ncc_gpu_cached entries[NCC_GPU_CACHED];
  int most; /**< entries that there is memory for */
  uint64_t seen[NCC_GPU_SEEN];
} ncc_gpu_cache;

/** The image at work, for the configured geometry. On the device but where it says otherwise. */
typedef struct ncc_gpu_image {
  int64_t serial; /**< of ncc_task; -1: none */
  ncc_centring centring;
  double ssd_unit;
  int64_t ssd_stride;
  cudaEvent_t ready;
  bool has_ready;
  ncc_gpu_buffer chunks[2]; /**< pinned: an image goes through them, a large one by turns */
  cudaEvent_t chunk_free[2];
  bool has_chunk_free[2];
  ncc_gpu_buffer host_task, host_tables; /**< pinned */
  bool has_tables;                       /**< of this geometry, on the device: spans, then turns */
  ncc_gpu_buffer pixels, spectrum, ssd, tables, sums, unknown, task;
} ncc_gpu_image;

typedef struct ncc_gpu_engine {
  const ncc_engine_context *context;
  ncc_gpu_place place;
  ncc_gpu_slot slots[NCC_GPU_MOST_STREAMS];
  int streams; /**< slots with a stream */

  bool configured; /**< for this geometry: */
  ncc_geometry geometry;
  ncc_gpu_lengths lengths;
  int active;         /**< streams in use: fewer where memory is short */
  int batch;          /**< templates in a batch at most, a power of two */
  int64_t sums_bytes; /**< scratch of window sums, about */

  ncc_gpu_image image;
  ncc_gpu_cache cache;
  int64_t submitted, collected; /**< batches */
} ncc_gpu_engine;

/* ---- layout.c */

/** Lengths, batch and memory for a geometry, unless they are those in use. What does not fit is halved, then the
 *  streams, then given up. @return NCC_OK; NCC_ERR_DEVICE. */
ncc_status ncc_gpu_configure(ncc_gpu_engine *e, const ncc_geometry *geometry, ncc_dtype dtype);

/** After an allocation failed: frees everything, for less at a time. @return false if there is no less. */
bool ncc_gpu_shrink(ncc_gpu_engine *e);

/** Waits until the device has left all memory alone. Errors are those that brought us here. */
void ncc_gpu_drain(ncc_gpu_engine *e);

/** Waits likewise, and frees all memory. */
void ncc_gpu_release_all(ncc_gpu_engine *e);

/** Transforms of `count` interleaved templates: rows of `rows` in time, and columns. */
ncc_gpu_transform ncc_gpu_rows(const ncc_gpu_engine *e, cufftType type, int64_t count, int64_t rows);
ncc_gpu_transform ncc_gpu_columns(const ncc_gpu_engine *e, int64_t count);

ncc_gpu_shape ncc_gpu_shape_of(const ncc_geometry *g);

static inline int64_t ncc_gpu_spans_bytes(const ncc_geometry *g) {
  return (g->search.y1 - g->search.y0) * 2 * (int64_t)sizeof(int64_t);
}

/* ---- image.c */

/** Uploads, transforms and surveys the image of a task, on the first slot's stream; unless that is done. */
ncc_status ncc_gpu_prepare_image(ncc_gpu_engine *e, const ncc_task *task);

/** Bytes on the device that an image of a geometry takes. */
int64_t ncc_gpu_image_bytes(const ncc_geometry *g, const ncc_gpu_lengths *lengths, ncc_dtype dtype, int64_t sums_bytes);

void ncc_gpu_image_release(ncc_gpu_image *image);

/* ---- cache.c */

/** Takes spectra from the cache where all of the batch's are there; else has those kept that come again.
 *  @return whether nothing is left to transform. */
bool ncc_gpu_cache_use(ncc_gpu_engine *e, const ncc_task *tasks, int64_t count, ncc_gpu_task *staged);
void ncc_gpu_cache_release(ncc_gpu_cache *cache);

/* ---- slot.c, candidates.c */

/** Makes all room and plans for batches of `count`. */
ncc_status ncc_gpu_slot_reserve(ncc_gpu_engine *e, ncc_gpu_slot *slot, int64_t count);

void ncc_gpu_slot_release(ncc_gpu_slot *slot);

/** Templates of the next batch, of n that are left: n with all but its three highest bits cut off. So up to 8 go at
 * once, and there are few plans to make. */
static inline int64_t ncc_gpu_batch_count(int64_t n) {
  int64_t unit = 1;
  while (n / unit >= 8) unit *= 2;
  return n / unit * unit;
}

/** Enqueues everything for `count` tasks, as ncc_gpu_batch_count() says. The image must have been prepared. */
ncc_status ncc_gpu_submit(ncc_gpu_engine *e, ncc_gpu_slot *slot, const ncc_task *tasks, int64_t count);

/** Looks for peaks of template t of a slot again, with its task's `exclude`. */
ncc_status ncc_gpu_search_again(ncc_gpu_engine *e, ncc_gpu_slot *slot, int64_t t, const ncc_task *task);

/** Waits, and makes proposals of what came back: of templates [first, first + n). */
ncc_status ncc_gpu_collect(ncc_gpu_engine *e, ncc_gpu_slot *slot, int64_t first, int64_t n, ncc_proposal *proposals);

#endif
