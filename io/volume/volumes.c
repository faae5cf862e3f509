/** What is open, what is kept of chunks, and how a rectangle is put together of them. See volume.h. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/crash.h"
#include "io/volume/cache.h"
#include "io/volume/name.h"
#include "io/volume/open.h"

enum { MOST_OPEN = 64 };
static const int64_t default_chunk_bytes = 256 << 20;

/** A volume that is open, being opened or waited for. */
typedef struct open_volume {
  char *path; /* without an index; owned */
  ncc_volume *volume;
  int users;
  bool opening;
  int64_t used;
} open_volume;

struct ncc_volumes {
  char *root;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  open_volume open[MOST_OPEN];
  ncc_chunk_cache *cache;
  int64_t clock, bytes_read;
  int64_t largest_bytes; /* of a chunk of what was open so far */
  ncc_volume_work *spare;
};

ncc_status ncc_volumes_create(const char *root, ncc_volumes **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_volumes *volumes = calloc(1, sizeof *volumes);
  NCC_CHECK(volumes && (volumes->root = strdup(root)), NCC_ERR_NOMEM, "no memory for sources");
  NCC_TRY(ncc_chunk_cache_create(default_chunk_bytes, &volumes->cache));
  pthread_mutex_init(&volumes->mutex, NULL);
  pthread_cond_init(&volumes->changed, NULL);
  *out = volumes;
  volumes = NULL;
cleanup:
  if (volumes) free(volumes->root);
  free(volumes);
  return status;
}

void ncc_volumes_limit(ncc_volumes *volumes, int64_t chunk_bytes) {
  ncc_chunk_cache_limit(volumes->cache, chunk_bytes);
}

/* ---- volumes that are open --------------------------------------------------------------------------------------- */

static void close_slot(ncc_volumes *volumes, open_volume *slot) {
  if (slot->volume) ncc_chunk_cache_forget(volumes->cache, slot->volume);
  if (slot->volume) volumes->bytes_read += slot->volume->bytes_read;
  ncc_volume_close(&slot->volume);
  free(slot->path);
  *slot = (open_volume){0};
}

void ncc_volumes_destroy(ncc_volumes **out) {
  ncc_volumes *volumes = *out;
  if (!volumes) return;
  for (int i = 0; i < MOST_OPEN; i++) close_slot(volumes, &volumes->open[i]);
  for (ncc_volume_work *work; (work = volumes->spare);) {
    volumes->spare = work->next;
    free(work->in);
    free(work->out);
    ncc_codec_scratch_free(&work->scratch);
    free(work);
  }
  ncc_chunk_cache_destroy(&volumes->cache);
  pthread_cond_destroy(&volumes->changed);
  pthread_mutex_destroy(&volumes->mutex);
  free(volumes->root);
  free(volumes);
  *out = NULL;
}

int64_t ncc_volumes_bytes_read(ncc_volumes *volumes) {
  pthread_mutex_lock(&volumes->mutex);
  int64_t bytes = volumes->bytes_read;
  for (int i = 0; i < MOST_OPEN; i++)
    if (volumes->open[i].volume && !volumes->open[i].opening) bytes += volumes->open[i].volume->bytes_read;
  pthread_mutex_unlock(&volumes->mutex);
  return bytes;
}

int64_t ncc_volumes_thread_bytes(ncc_volumes *volumes) {
  pthread_mutex_lock(&volumes->mutex);
  const int64_t bytes = 3 * volumes->largest_bytes; /* as stored, between two codecs, and as pixels */
  pthread_mutex_unlock(&volumes->mutex);
  return bytes;
}

/** A slot that has this path, or is free for it. The mutex is held. */
static open_volume *find_slot(ncc_volumes *volumes, const char *path) {
  for (;;) {
    open_volume *best = NULL;
    bool wait = false;
    for (int i = 0; i < MOST_OPEN; i++) {
      open_volume *slot = &volumes->open[i];
      if (slot->path && strcmp(slot->path, path) == 0) {
        if (!slot->opening) return slot;
        wait = true;
        break;
      }
      if (slot->users == 0 && !slot->opening && (!best || slot->used < best->used)) best = slot;
    }
    if (!wait && best) return best;
    pthread_cond_wait(&volumes->changed, &volumes->mutex);
  }
}

/** The volume of a path, opened if need be; to be given back by release(). */
static ncc_status acquire(ncc_volumes *volumes, const char *path, open_volume **out) {
  ncc_status status = NCC_OK;
  pthread_mutex_lock(&volumes->mutex);
  open_volume *slot = find_slot(volumes, path);
  slot->used = ++volumes->clock;
  if (!slot->path || strcmp(slot->path, path) != 0) {
    close_slot(volumes, slot);
    slot->used = volumes->clock;
    slot->path = strdup(path);
    slot->opening = true;
    pthread_mutex_unlock(&volumes->mutex);
    ncc_volume *volume = NULL;
    const char *before = ncc_crash_reading(path);
    status = slot->path ? ncc_volume_open(path, &volume) : ncc_error_set(NCC_ERR_NOMEM, "%s: no memory", path);
    ncc_crash_reading(before);
    pthread_mutex_lock(&volumes->mutex);
    slot->volume = volume;
    slot->opening = false;
    if (volume) volumes->largest_bytes = ncc_max(volumes->largest_bytes, ncc_volume_chunk_bytes(volume));
    if (status != NCC_OK) close_slot(volumes, slot);
    pthread_cond_broadcast(&volumes->changed);
  }
  if (status == NCC_OK) slot->users++;
  pthread_mutex_unlock(&volumes->mutex);
  *out = slot;
  return status;
}

static void release(ncc_volumes *volumes, open_volume *slot) {
  pthread_mutex_lock(&volumes->mutex);
  if (--slot->users == 0) pthread_cond_broadcast(&volumes->changed);
  pthread_mutex_unlock(&volumes->mutex);
}

/* ---- rectangles ---------------------------------------------------------------------------------------------------
 */

/** A rectangle that is being read: of two axes, at single indices along the others. */
typedef struct reading {
  ncc_volumes *volumes;
  ncc_volume *volume;
  ncc_volume_work *work;
  int row, col;                /* stored axes */
  int64_t at[NCC_VOLUME_RANK]; /* along stored axes, the first pixel's */
  int64_t rows, cols;
  unsigned char *out;
  ncc_source_chunk_seen seen; /* instead of reading */
  void *context;
} reading;

static void copy_pixels(size_t size, const unsigned char *from, int64_t step, unsigned char *to, int64_t n) {
  if (step == 1) {
    memcpy(to, from, (size_t)n * size);
    return;
  }
  for (int64_t i = 0; i < n; i++) memcpy(to + (size_t)i * size, from + (size_t)(i * step) * size, size);
}

/** The part of the rectangle that lies in a chunk: first row and column in the rectangle, and how many. */
typedef struct meeting {
  int64_t y, x, rows, cols;
} meeting;

static meeting meet(const reading *r, const int64_t *chunk_at) {
  const int64_t *size = r->volume->chunk;
  const int64_t y0 = ncc_max(chunk_at[r->row] * size[r->row], r->at[r->row]);
  const int64_t x0 = ncc_max(chunk_at[r->col] * size[r->col], r->at[r->col]);
  const int64_t y1 = ncc_min((chunk_at[r->row] + 1) * size[r->row], r->at[r->row] + r->rows);
  const int64_t x1 = ncc_min((chunk_at[r->col] + 1) * size[r->col], r->at[r->col] + r->cols);
  return (meeting){y0 - r->at[r->row], x0 - r->at[r->col], y1 - y0, x1 - x0};
}

static ncc_status place(const reading *r, const int64_t *chunk_at, const meeting *m, const ncc_volume_chunk *chunk) {
  ncc_status status = NCC_OK;
  const ncc_volume *v = r->volume;
  const size_t size = ncc_dtype_size(v->dtype);
  int64_t stride[NCC_VOLUME_RANK], step = 1, from = 0;
  unsigned char *to = r->out + (size_t)(m->y * r->cols + m->x) * size;
  if (chunk->absent) {
    for (int64_t y = 0; y < m->rows; y++)
      for (int64_t x = 0; x < m->cols; x++) memcpy(to + (size_t)(y * r->cols + x) * size, v->fill, size);
    return NCC_OK;
  }
  for (int d = v->rank - 1; d >= 0; d--) {
    const int64_t first = r->at[d] + (d == r->row ? m->y : d == r->col ? m->x : 0) - chunk_at[d] * v->chunk[d];
    const int64_t n = d == r->row ? m->rows : d == r->col ? m->cols : 1;
    NCC_CHECK(first + n <= chunk->n[d], NCC_ERR_UNREADABLE,
              "%s: a chunk holds %" PRId64 " indices along axis %d, expected %" PRId64, v->path, chunk->n[d], d,
              first + n);
    stride[d] = step;
    from += first * step;
    step *= chunk->n[d];
  }
  for (int64_t y = 0; y < m->rows; y++)
    copy_pixels(size, chunk->data + (size_t)(from + y * stride[r->row]) * size, stride[r->col],
                to + (size_t)(y * r->cols) * size, m->cols);
cleanup:
  return status;
}

static ncc_status load(const reading *r, const int64_t *chunk_at, ncc_volume_chunk *chunk) {
  memcpy(chunk->n, r->volume->chunk, sizeof chunk->n);
  return r->volume->format->load(r->volume, chunk_at, r->work, chunk);
}

/** Whether nothing of a chunk is left for others to read. */
static bool used_up(const reading *r, const int64_t *chunk_at, const meeting *m) {
  const ncc_volume *v = r->volume;
  for (int d = 0; d < v->rank; d++) {
    const int64_t there = ncc_min(v->chunk[d], v->shape[d] - chunk_at[d] * v->chunk[d]);
    if (there > (d == r->row ? m->rows : d == r->col ? m->cols : 1)) return false;
  }
  return true;
}

/** Where a chunk's pixels stand in the rectangle as they do in the chunk, and nobody else wants any: the place. */
static unsigned char *place_itself(const reading *r, const meeting *m) {
  const ncc_volume *v = r->volume;
  for (int d = 0; d < v->rank - 2; d++)
    if (v->chunk[d] != 1) return NULL;
  if (r->row != v->rank - 2 || r->col != v->rank - 1 || m->rows != v->chunk[r->row] || m->cols != v->chunk[r->col] ||
      m->cols != r->cols)
    return NULL;
  return r->out + (size_t)(m->y * r->cols) * ncc_dtype_size(v->dtype);
}

/** Reads what of a chunk nobody else wants, or what cannot be kept. */
static ncc_status read_unkept(reading *r, const int64_t *chunk_at, const meeting *m) {
  ncc_status status = NCC_OK;
  const int64_t bytes = ncc_volume_chunk_bytes(r->volume);
  ncc_volume_chunk chunk = {.data = place_itself(r, m)};
  const bool itself = chunk.data != NULL;
  if (!itself && r->work->out_capacity < bytes) {
    free(r->work->out);
    r->work->out = malloc((size_t)bytes);
    r->work->out_capacity = r->work->out ? bytes : 0;
  }
  if (!itself) chunk.data = r->work->out;
  NCC_CHECK(chunk.data, NCC_ERR_NOMEM, "%s: no memory for a chunk of %" PRId64 " bytes", r->volume->path, bytes);
  NCC_TRY(load(r, chunk_at, &chunk));
  if (itself && !chunk.absent && memcmp(chunk.n, r->volume->chunk, sizeof chunk.n) == 0) goto cleanup;
  NCC_TRY(place(r, chunk_at, m, &chunk));
cleanup:
  return status;
}

static ncc_status read_chunk(reading *r, const int64_t *chunk_at) {
  const meeting m = meet(r, chunk_at);
  const int64_t bytes = ncc_volume_chunk_bytes(r->volume);
  bool is_new;
  ncc_volume_chunk *kept =
      used_up(r, chunk_at, &m) ? NULL : ncc_chunk_cache_take(r->volumes->cache, r->volume, chunk_at, bytes, &is_new);
  if (!kept) return read_unkept(r, chunk_at, &m);
  ncc_status status = is_new ? load(r, chunk_at, kept) : NCC_OK;
  const bool good = status == NCC_OK;
  if (good) status = place(r, chunk_at, &m, kept);
  ncc_chunk_cache_give(r->volumes->cache, kept, is_new, good);
  return status;
}

static ncc_status tell_chunk(reading *r, const int64_t *chunk_at) {
  const meeting m = meet(r, chunk_at);
  const ncc_volume *v = r->volume;
  ncc_source_chunk chunk = {.bytes = ncc_volume_chunk_bytes(v), .all = used_up(r, chunk_at, &m)};
  for (int d = 0; d < v->rank; d++) chunk.number = chunk.number * ncc_ceil_div(v->shape[d], v->chunk[d]) + chunk_at[d];
  for (const char *at = v->path; *at; at++) chunk.array = (chunk.array ^ (unsigned char)*at) * 0x100000001B3U;
  chunk.array |= 2; /* it is some array's */
  return r->seen(r->context, &chunk);
}

static ncc_status walk_chunks(reading *r, ncc_status (*visit)(reading *, const int64_t *)) {
  ncc_status status = NCC_OK;
  const ncc_volume *v = r->volume;
  int64_t at[NCC_VOLUME_RANK] = {0};
  for (int d = 0; d < v->rank; d++) at[d] = r->at[d] / v->chunk[d];
  const int64_t first_col = at[r->col], end_row = ncc_ceil_div(r->at[r->row] + r->rows, v->chunk[r->row]);
  const int64_t end_col = ncc_ceil_div(r->at[r->col] + r->cols, v->chunk[r->col]);
  for (; at[r->row] < end_row; at[r->row]++)
    for (at[r->col] = first_col; at[r->col] < end_col; at[r->col]++) NCC_TRY(visit(r, at));
cleanup:
  return status;
}

static ncc_volume_work *take_work(ncc_volumes *volumes) {
  pthread_mutex_lock(&volumes->mutex);
  ncc_volume_work *work = volumes->spare;
  if (work) volumes->spare = work->next;
  pthread_mutex_unlock(&volumes->mutex);
  return work ? work : calloc(1, sizeof *work);
}

static void give_work(ncc_volumes *volumes, ncc_volume_work *work) {
  if (!work) return;
  pthread_mutex_lock(&volumes->mutex);
  work->next = volumes->spare;
  volumes->spare = work;
  pthread_mutex_unlock(&volumes->mutex);
}

/* ---- sources ------------------------------------------------------------------------------------------------------
 */

/** Opens what a source names, and what its index leaves; stored axes are those of the array put in order. */
static ncc_status resolve(ncc_volumes *volumes, const char *source, open_volume **slot, ncc_name_part *part) {
  ncc_status status = NCC_OK;
  ncc_name name = {0};
  int64_t shape[NCC_VOLUME_RANK];
  *slot = NULL;
  NCC_TRY(ncc_name_parse(volumes->root, source, &name));
  NCC_TRY(acquire(volumes, name.path, slot));
  const ncc_volume *v = (*slot)->volume;
  for (int d = 0; d < v->rank; d++) shape[d] = v->shape[v->axis[d]];
  status = ncc_name_apply(&name, v->rank, shape, v->pages, part);
  if (status != NCC_OK) release(volumes, *slot);
cleanup:
  if (status != NCC_OK) *slot = NULL;
  ncc_name_clear(&name);
  return status;
}

ncc_status ncc_volumes_look(ncc_volumes *volumes, const char *source, int64_t *rows, int64_t *cols, ncc_dtype *dtype) {
  open_volume *slot;
  ncc_name_part part;
  const ncc_status status = resolve(volumes, source, &slot, &part);
  if (status != NCC_OK) return status;
  *rows = part.n[part.row_axis];
  *cols = part.n[part.col_axis];
  *dtype = slot->volume->dtype;
  release(volumes, slot);
  return NCC_OK;
}

ncc_status ncc_volumes_describe(ncc_volumes *volumes, const char *source, ncc_source_array *out) {
  ncc_status status = NCC_OK;
  open_volume *slot;
  ncc_name name = {0};
  *out = (ncc_source_array){0};
  NCC_TRY(ncc_name_parse(volumes->root, source, &name));
  NCC_TRY(acquire(volumes, name.path, &slot));
  const ncc_volume *v = slot->volume;
  *out = (ncc_source_array){.path = name.path, .rank = v->rank, .pages = v->pages, .dtype = v->dtype};
  name.path = NULL;
  for (int d = 0; d < v->rank; d++) out->shape[d] = v->shape[v->axis[d]];
  out->chunk_rows = v->chunk[v->axis[v->rank - 2]];
  release(volumes, slot);
cleanup:
  ncc_name_clear(&name);
  return status;
}

/** Puts a rectangle of a source's part in the order of stored axes. */
static void begin(reading *r, const open_volume *slot, const ncc_name_part *part, const ncc_rect *rect) {
  const ncc_volume *v = r->volume = slot->volume;
  for (int d = 0; d < v->rank; d++) r->at[v->axis[d]] = part->at[d];
  r->row = v->axis[part->row_axis];
  r->col = v->axis[part->col_axis];
  r->at[r->row] += rect->y0;
  r->at[r->col] += rect->x0;
  r->rows = rect->y1 - rect->y0;
  r->cols = rect->x1 - rect->x0;
}

/** Whether it lies in the file as it is wanted. */
static bool is_plain(const reading *r) {
  return r->volume->format->read && r->col == r->volume->rank - 1;
}

ncc_status ncc_volumes_reach(ncc_volumes *volumes, const char *source, const ncc_rect *rect, ncc_source_chunk_seen seen,
                             void *context) {
  open_volume *slot;
  ncc_name_part part;
  reading r = {.volumes = volumes, .seen = seen, .context = context};
  ncc_status status = resolve(volumes, source, &slot, &part);
  if (status != NCC_OK) return status;
  begin(&r, slot, &part, rect);
  if (!is_plain(&r)) status = walk_chunks(&r, tell_chunk);
  release(volumes, slot);
  return status;
}

ncc_status ncc_volumes_read(ncc_volumes *volumes, const char *source, int64_t rows, int64_t cols, ncc_dtype dtype,
                            const ncc_rect *rect, void *pixels) {
  ncc_status status = NCC_OK;
  open_volume *slot = NULL;
  ncc_name_part part;
  reading r = {.volumes = volumes, .out = pixels};
  const char *before = ncc_crash_reading(source);
  NCC_TRY(resolve(volumes, source, &slot, &part));
  const ncc_volume *v = slot->volume;
  NCC_CHECK(part.n[part.row_axis] == rows && part.n[part.col_axis] == cols && v->dtype == dtype, NCC_ERR_UNREADABLE,
            "%s: %" PRId64 " x %" PRId64 " pixels of %s found, expected %" PRId64 " x %" PRId64 " of %s", source,
            part.n[part.row_axis], part.n[part.col_axis], ncc_dtype_name(v->dtype), rows, cols, ncc_dtype_name(dtype));
  begin(&r, slot, &part, rect);
  if (is_plain(&r)) {
    NCC_TRY(v->format->read(slot->volume, r.at, r.row, r.rows, r.cols, pixels));
    goto cleanup;
  }
  r.work = take_work(volumes);
  NCC_CHECK(r.work, NCC_ERR_NOMEM, "%s: no memory", source);
  NCC_TRY(walk_chunks(&r, read_chunk));
cleanup:
  ncc_crash_reading(before);
  give_work(volumes, r.work);
  if (slot) release(volumes, slot);
  return status;
}
