/** See rows.h.
 *
 *  Two buffers change places: one is filled by the caller, the other is drained by the thread. A drained batch is
 *  sorted by row, every run of consecutive rows becomes one pwrite a dataset, then fdatasync, then the statuses turn
 *  from `pending`, then fdatasync: so a status on disk never runs ahead of its data.
 */
#include "io/output/rows.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "match/result.h"

#define INTERVAL_S 5.0  // rows wait no longer than this; MPIXCORR_SYNC_S replaces it
enum {
  BATCH_ROWS = 1 << 16,      // nor in larger numbers than this while the thread is idle
  SCRATCH_BYTES = 256 << 10  // a pwrite
};

typedef struct row_buffer {
  ncc_output_row *rows;
  ncc_peak *peaks; /**< [capacity][layout.peaks], in the order in which rows were taken; NULL: no lists */
  int64_t count, capacity;
} row_buffer;

struct ncc_row_writer {
  int fd;
  char *path;
  ncc_output_layout layout;
  double interval_s;
  int64_t batch_rows; /**< that wake the thread */
  pthread_t thread;
  bool started;
  // The following is guarded by the mutex; `draining` belongs to the thread.
  pthread_mutex_t mutex;
  pthread_cond_t work, progress;
  row_buffer filling, draining;
  struct timespec first_due; /**< when the oldest row of `filling` has waited long enough */
  int64_t taken, durable;    /**< rows so far */
  int64_t wanted;            /**< rows that someone waits for */
  int64_t times;             /**< that the thread made rows durable */
  double elapsed_s;
  bool stop;
  int error; /**< errno of the first failure, or 0; nothing is written after it */
};

static double interval_s(void) {
  const char *text = getenv("MPIXCORR_SYNC_S");
  const double wished_s = text ? atof(text) : 0;
  return wished_s > 0 && wished_s < 1e9 ? wished_s : INTERVAL_S;
}

/** Where a dataset's values lie in a row in memory. */
static const size_t fields[NCC_TABLE_COUNT] = {
    [NCC_TABLE_COORDS] = offsetof(ncc_output_row, coords),
    [NCC_TABLE_OFFSETS] = offsetof(ncc_output_row, offsets),
    [NCC_TABLE_PEAKS] = offsetof(ncc_output_row, peak),
    [NCC_TABLE_OVERLAP] = offsetof(ncc_output_row, overlap),
    [NCC_TABLE_STATUS] = offsetof(ncc_output_row, status),
    [NCC_TABLE_AT_BORDER] = offsetof(ncc_output_row, at_border),
    [NCC_TABLE_SUBPIXEL] = offsetof(ncc_output_row, subpixel),
    [NCC_TABLE_SUBPIXEL_OFFSETS] = offsetof(ncc_output_row, subpixel_offsets),
    [NCC_TABLE_CURVATURE] = offsetof(ncc_output_row, curvature),
    [NCC_TABLE_SECOND_COORDS] = offsetof(ncc_output_row, second_coords),
    [NCC_TABLE_SECOND_PEAKS] = offsetof(ncc_output_row, second_peak),
    [NCC_TABLE_ANGLES] = offsetof(ncc_output_row, angle),
};

static int compare_rows(const void *a, const void *b) {
  int64_t x = ((const ncc_output_row *)a)->row, y = ((const ncc_output_row *)b)->row;
  return (x > y) - (x < y);
}

/** A row's values in a dataset. */
static void copy_values(const ncc_row_writer *writer, ncc_table_id id, const row_buffer *batch, int64_t i, char *out) {
  const ncc_output_row *row = &batch->rows[i];
  if (!ncc_table_lists((int)id)) {
    memcpy(out, (const char *)row + fields[id], ncc_tables[id].row_bytes);
    return;
  }
  for (int k = 0; k < writer->layout.peaks; k++, out += ncc_tables[id].row_bytes) {
    const ncc_peak *peak = &batch->peaks[row->peaks + k];
    const int64_t coords[2] = {peak->y, peak->x};
    memcpy(out, id == NCC_TABLE_TOP_COORDS ? (const void *)coords : &peak->value, ncc_tables[id].row_bytes);
  }
}

/** Writes one dataset's values of a sorted batch. @return 0 or an errno. */
static int write_table(const ncc_row_writer *writer, ncc_table_id id, const row_buffer *batch, char *scratch) {
  const int64_t offset = writer->layout.tables[id];
  if (offset < 0) return 0;
  const size_t bytes = ncc_tables[id].row_bytes * (size_t)(ncc_table_lists((int)id) ? writer->layout.peaks : 1);
  const int64_t most = SCRATCH_BYTES / (int64_t)bytes;
  for (int64_t i = 0; i < batch->count;) {
    int64_t first = batch->rows[i].row, n = 0;
    while (i < batch->count && n < most && batch->rows[i].row == first + n) {
      copy_values(writer, id, batch, i, scratch + (size_t)n * bytes);
      i++;
      n++;
    }
    if (!ncc_output_file_pwrite(writer->fd, scratch, (size_t)n * bytes, offset + first * (int64_t)bytes)) {
      return errno ? errno : EIO;
    }
  }
  return 0;
}

/** Makes a batch durable: data first, statuses after. @return 0 or an errno. */
static int write_batch(const ncc_row_writer *writer, row_buffer *batch) {
  int error = 0;
  char *scratch = malloc(SCRATCH_BYTES);
  if (!scratch) return ENOMEM;
  qsort(batch->rows, (size_t)batch->count, sizeof *batch->rows, compare_rows);
  for (int id = 0; id < NCC_TABLE_COUNT && !error; id++) {
    if (id != NCC_TABLE_PAIRS && id != NCC_TABLE_STATUS) error = write_table(writer, (ncc_table_id)id, batch, scratch);
  }
  if (!error && fdatasync(writer->fd) != 0) error = errno;
  if (!error) error = write_table(writer, NCC_TABLE_STATUS, batch, scratch);
  if (!error && fdatasync(writer->fd) != 0) error = errno;
  free(scratch);
  return error;
}

/** Whether the thread should drain now. */
static bool is_due(const ncc_row_writer *writer) {
  if (writer->filling.count == 0) return false;
  if (writer->stop || writer->wanted > writer->durable || writer->filling.count >= writer->batch_rows) return true;
  const struct timespec now = ncc_clock_after(0);
  return now.tv_sec > writer->first_due.tv_sec ||
         (now.tv_sec == writer->first_due.tv_sec && now.tv_nsec >= writer->first_due.tv_nsec);
}

static void *run_thread(void *argument) {
  ncc_row_writer *writer = argument;
  pthread_mutex_lock(&writer->mutex);
  for (;;) {
    while (!is_due(writer) && !writer->stop) {
      if (writer->filling.count > 0) {
        pthread_cond_timedwait(&writer->work, &writer->mutex, &writer->first_due);
      } else {
        pthread_cond_wait(&writer->work, &writer->mutex);
      }
    }
    if (writer->filling.count == 0) break;
    row_buffer batch = writer->filling;
    writer->filling = writer->draining;
    writer->draining = batch;
    int64_t taken = writer->taken;
    bool failed = writer->error != 0;
    pthread_mutex_unlock(&writer->mutex);
    const double started_s = ncc_clock_s();
    int error = failed ? 0 : write_batch(writer, &batch);
    pthread_mutex_lock(&writer->mutex);
    writer->elapsed_s += ncc_clock_s() - started_s;
    writer->times++;
    writer->draining.count = 0;
    writer->durable = taken;
    if (error) writer->error = error;
    pthread_cond_broadcast(&writer->progress);
  }
  pthread_mutex_unlock(&writer->mutex);
  return NULL;
}

ncc_status ncc_row_writer_create(int fd, const char *path, const ncc_output_layout *layout, ncc_row_writer **out) {
  ncc_status status = NCC_OK;
  pthread_condattr_t attributes;
  *out = NULL;
  ncc_row_writer *writer = calloc(1, sizeof *writer);
  NCC_CHECK(writer, NCC_ERR_NOMEM, "%s: no memory", path);
  writer->fd = fd;
  writer->layout = *layout;
  writer->interval_s = interval_s();
  writer->batch_rows = ncc_max(1, BATCH_ROWS / (1 + layout->peaks / 4));  // a list is a row's size for each 4 peaks
  pthread_mutex_init(&writer->mutex, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&writer->work, &attributes);
  pthread_cond_init(&writer->progress, &attributes);
  pthread_condattr_destroy(&attributes);
  writer->path = strdup(path);
  NCC_CHECK(writer->path, NCC_ERR_NOMEM, "%s: no memory", path);
  // Signals are for the caller's thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&writer->thread, NULL, run_thread, writer);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  NCC_CHECK(error == 0, NCC_ERR_NOMEM, "%s: no thread for writing: %s", path, strerror(error));
  writer->started = true;
cleanup:
  if (status == NCC_OK) {
    *out = writer;
  } else {
    ncc_row_writer_destroy(&writer);
  }
  return status;
}

/** The first failure as an error; with the mutex held. */
static ncc_status check_error(const ncc_row_writer *writer) {
  if (!writer->error) return NCC_OK;
  return ncc_error_set(NCC_ERR_OUTPUT, "%s: cannot be written: %s", writer->path, strerror(writer->error));
}

/** Makes room for more rows. */
static ncc_status grow(const ncc_row_writer *writer, row_buffer *buffer, int64_t rows) {
  ncc_status status = NCC_OK;
  const int64_t peaks = writer->layout.peaks;
  if (rows <= buffer->capacity) return NCC_OK;
  const int64_t capacity = ncc_max(2 * buffer->capacity, rows);
  ncc_output_row *larger = realloc(buffer->rows, (size_t)capacity * sizeof *larger);
  if (larger) buffer->rows = larger;
  ncc_peak *lists = peaks ? realloc(buffer->peaks, (size_t)(capacity * peaks) * sizeof *lists) : NULL;
  if (lists) buffer->peaks = lists;
  NCC_CHECK(larger && (lists || !peaks), NCC_ERR_NOMEM, "%s: no memory for %lld rows", writer->path,
            (long long)capacity);
  buffer->capacity = capacity;
cleanup:
  return status;
}

/** Appends rows to a buffer that has room. */
static void append(const ncc_row_writer *writer, row_buffer *buffer, int64_t n, const ncc_output_row *rows,
                   const ncc_peak *peaks) {
  const int64_t each = writer->layout.peaks, first = buffer->count * each;
  memcpy(buffer->rows + buffer->count, rows, (size_t)n * sizeof *rows);
  for (int64_t i = 0; i < n; i++) buffer->rows[buffer->count + i].peaks = first + i * each;
  for (int64_t i = 0; i < n * each; i++) buffer->peaks[first + i] = peaks ? peaks[i] : ncc_peak_none();
  buffer->count += n;
}

ncc_status ncc_row_writer_put(ncc_row_writer *writer, int64_t n, const ncc_output_row *rows, const ncc_peak *peaks) {
  ncc_status status = NCC_OK;
  if (n == 0) return NCC_OK;
  pthread_mutex_lock(&writer->mutex);
  row_buffer *buffer = &writer->filling;
  NCC_TRY(check_error(writer));
  NCC_TRY(grow(writer, buffer, buffer->count + n));
  if (buffer->count == 0) {
    writer->first_due = ncc_clock_after(writer->interval_s);
  }
  bool wake = buffer->count == 0 || buffer->count + n >= writer->batch_rows;
  append(writer, buffer, n, rows, peaks);
  writer->taken += n;
  if (wake) pthread_cond_signal(&writer->work);
cleanup:
  pthread_mutex_unlock(&writer->mutex);
  return status;
}

int64_t ncc_row_writer_unwritten(ncc_row_writer *writer) {
  pthread_mutex_lock(&writer->mutex);
  int64_t rows = writer->taken - writer->durable;
  pthread_mutex_unlock(&writer->mutex);
  return rows;
}

ncc_status ncc_row_writer_sync(ncc_row_writer *writer) {
  pthread_mutex_lock(&writer->mutex);
  int64_t wanted = writer->taken;
  if (writer->wanted < wanted) writer->wanted = wanted;
  pthread_cond_signal(&writer->work);
  while (writer->durable < wanted && !writer->error) pthread_cond_wait(&writer->progress, &writer->mutex);
  ncc_status status = check_error(writer);
  pthread_mutex_unlock(&writer->mutex);
  return status;
}

void ncc_row_writer_spent(ncc_row_writer *writer, int64_t *times, double *elapsed_s) {
  pthread_mutex_lock(&writer->mutex);
  *times = writer->times;
  *elapsed_s = writer->elapsed_s;
  pthread_mutex_unlock(&writer->mutex);
}

ncc_status ncc_row_writer_destroy(ncc_row_writer **writer_in) {
  ncc_row_writer *writer = *writer_in;
  if (!writer) return NCC_OK;
  if (writer->started) {
    pthread_mutex_lock(&writer->mutex);
    writer->stop = true;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
  }
  ncc_status status = check_error(writer);
  pthread_cond_destroy(&writer->work);
  pthread_cond_destroy(&writer->progress);
  pthread_mutex_destroy(&writer->mutex);
  free(writer->filling.rows);
  free(writer->filling.peaks);
  free(writer->draining.rows);
  free(writer->draining.peaks);
  free(writer->path);
  free(writer);
  *writer_in = NULL;
  return status;
}
