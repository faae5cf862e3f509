/** Life of an output: refused, created, resumed, written, completed. See output.h.
 *
 *  Names: OUTPUT.part.lock (the lock), OUTPUT.part.new (being built; may be replaced at any time by the lock's holder),
 *  OUTPUT.part (always a valid HDF5 file), OUTPUT (complete).
 */
#include "io/output/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/files.h"
#include "base/target.h"
#include "io/output/file.h"
#include "io/output/lock.h"
#include "io/output/rows.h"
#include "match/result.h"

struct ncc_output {
  char *path, *part, *fresh, *lock;
  int fd, lock_fd;
  bool was_complete; /**< resumed, but there was nothing left to do */
  const ncc_work *work;
  ncc_output_layout layout;
  ncc_row_writer *writer;
  int64_t at_border; /**< rows that are not pending whose peak lies at the border */
  uint8_t *statuses; /**< [n_pairs] on disk at the start, and what was taken since */
};

static const struct {
  const char *suffix, *role;
} sidecars[] = {{".part", "OUTPUT.part"}, {".part.new", "OUTPUT.part.new"}, {".part.lock", "OUTPUT.part.lock"}};
enum { SIDECARS = sizeof sidecars / sizeof sidecars[0] };

static bool exists(const char *path) {
  return access(path, F_OK) == 0;
}

/** What NEW refuses. */
static ncc_status check_absent(const char *path, const char *part) {
  if (exists(path))
    return ncc_error_set(NCC_ERR_OUTPUT,
                         "%s: exists already (--overwrite starts over; --resume does nothing where it is complete)",
                         path);
  if (exists(part)) {
    return ncc_error_set(NCC_ERR_OUTPUT,
                         "%s: a partial output exists already (--resume goes on from it, --overwrite starts over)",
                         part);
  }
  return NCC_OK;
}

ncc_status ncc_output_declare(const char *path, char **out) {
  ncc_status status = NCC_OK;
  char *found = NULL;
  NCC_TRY(ncc_target_declare(path, "OUTPUT", &found));
  for (int i = 0; i < SIDECARS; i++) NCC_TRY(ncc_target_declare_sidecar(found, sidecars[i].suffix, sidecars[i].role));
cleanup:
  if (out) {
    *out = found;
  } else {
    free(found);
  }
  return status;
}

/** The output's files are nobody's any more. */
static void forget(void) {
  ncc_target_forget("OUTPUT");
  for (int i = 0; i < SIDECARS; i++) ncc_target_forget(sidecars[i].role);
}

ncc_status ncc_output_check(const char *path, ncc_output_mode mode) {
  ncc_status status = NCC_OK;
  char *found = NULL, *part = NULL, *lock = NULL;
  NCC_TRY(ncc_output_declare(path, &found));
  part = ncc_file_name(found, ".part");
  lock = ncc_file_name(found, ".part.lock");
  NCC_CHECK(part && lock, NCC_ERR_NOMEM, "%s: no memory", path);
  if (mode == NCC_OUTPUT_RESUME && exists(found) && !exists(part)) goto cleanup;
  NCC_TRY(ncc_file_check_creatable(found));
  NCC_TRY(ncc_output_lock_probe(lock));
  if (mode == NCC_OUTPUT_NEW) NCC_TRY(check_absent(found, part));
cleanup:
  free(found);
  free(part);
  free(lock);
  return status;
}

/** Builds the part under another name and puts it in its place. An old output goes only now. */
static ncc_status build_part(ncc_output *output, const ncc_output_spec *spec) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_output_file_build(output->fresh, spec, &output->layout));
  NCC_CHECK(unlink(output->path) == 0 || errno == ENOENT, NCC_ERR_OUTPUT, "%s: cannot be removed: %s", output->path,
            strerror(errno));
  NCC_TRY(ncc_file_rename(output->fresh, output->part));
cleanup:
  return status;
}

/** Reads n rows, from `first` on, of a table of one byte a row from the open file. */
static ncc_status read_bytes(const ncc_output *output, const char *path, ncc_table_id table, int64_t first, int64_t n,
                             uint8_t *out) {
  ncc_status status = NCC_OK;
  for (int64_t done = 0; done < n;) {
    const ssize_t got = pread(output->fd, out + done, (size_t)(n - done), output->layout.tables[table] + first + done);
    if (got < 0 && errno == EINTR) continue;
    NCC_CHECK(got > 0, NCC_ERR_INPUT, "%s: %s cannot be read: %s", path, ncc_tables[table].name,
              got < 0 ? strerror(errno) : "end of file");
    done += got;
  }
cleanup:
  return status;
}

/** Reads what is known of the rows that need no work any more. @param[in] retry  a status that counts as pending, or 0
 *  @param[out] n_retried  rows that have it */
static ncc_status read_done(ncc_output *output, const char *path, int retry, int64_t *n_retried) {
  ncc_status status = NCC_OK;
  enum { BLOCK = 1 << 14 };
  uint8_t at_border[BLOCK];
  const int64_t rows = output->layout.n_pairs;
  *n_retried = 0;
  NCC_TRY(read_bytes(output, path, NCC_TABLE_STATUS, 0, rows, output->statuses));
  for (int64_t row = 0; row < rows; row++) {
    if (row % BLOCK == 0)
      NCC_TRY(read_bytes(output, path, NCC_TABLE_AT_BORDER, row, ncc_min(rows - row, BLOCK), at_border));
    NCC_CHECK(output->statuses[row] < NCC_PAIR_STATUS_COUNT, NCC_ERR_INPUT,
              "%s: /status row %" PRId64 ": %d found, expected 0 to %d", path, row, output->statuses[row],
              NCC_PAIR_STATUS_COUNT - 1);
    if (retry && output->statuses[row] == retry) {
      output->statuses[row] = NCC_PAIR_PENDING;
      ++*n_retried;
    }
    output->at_border += output->statuses[row] != NCC_PAIR_PENDING && at_border[row % BLOCK] == 1;
  }
cleanup:
  return status;
}

static int64_t count_pending(const ncc_output *output) {
  int64_t pending = 0;
  for (int64_t row = 0; row < output->layout.n_pairs; row++) pending += output->statuses[row] == NCC_PAIR_PENDING;
  return pending;
}

/** Adds one to the count of resumed runs. */
static ncc_status count_resume(ncc_output *output) {
  int64_t resumes = 0, offset = output->layout.record + (int64_t)offsetof(ncc_output_record, resumes);
  if (pread(output->fd, &resumes, sizeof resumes, offset) != (ssize_t)sizeof resumes || (resumes++, false) ||
      !ncc_output_file_pwrite(output->fd, &resumes, sizeof resumes, offset)) {
    return ncc_error_set(NCC_ERR_OUTPUT, "%s: cannot be written: %s", output->part, strerror(errno));
  }
  return NCC_OK;
}

/** Rows are to be done again: a complete output becomes a part, in which they are pending; each step is durable before
 *  the next, and what is there in between can be resumed. */
static ncc_status reopen(ncc_output *output) {
  ncc_status status = NCC_OK;
  const int64_t zero = 0, complete = output->layout.record + (int64_t)offsetof(ncc_output_record, complete);
  if (output->was_complete) {
    if (output->lock_fd < 0) NCC_TRY(ncc_output_lock(output->lock, &output->lock_fd));
    NCC_TRY(ncc_file_rename(output->path, output->part));
    close(output->fd);
    output->fd = open(output->part, O_RDWR | O_CLOEXEC);
    NCC_CHECK(output->fd >= 0, NCC_ERR_OUTPUT, "%s: cannot be opened: %s", output->part, strerror(errno));
    output->was_complete = false;
  }
  const bool written = ncc_output_file_pwrite(output->fd, &zero, sizeof zero, complete) && fsync(output->fd) == 0 &&
                       ncc_output_file_pwrite(output->fd, output->statuses, (size_t)output->layout.n_pairs,
                                              output->layout.tables[NCC_TABLE_STATUS]) &&
                       fsync(output->fd) == 0;
  NCC_CHECK(written, NCC_ERR_OUTPUT, "%s: cannot be written: %s", output->part, strerror(errno));
cleanup:
  return status;
}

/** Lock, part and file descriptor, by mode. */
static ncc_status open_part(ncc_output *output, ncc_output_mode mode, const ncc_output_spec *spec) {
  ncc_status status = NCC_OK;
  forget(); /* from here on they are read as well, by us */
  const char *file = output->part;
  int64_t n_retried = 0;
  bool resumed = false;
  output->was_complete = mode == NCC_OUTPUT_RESUME && exists(output->path) && !exists(output->part);
  if (output->was_complete) {
    file = output->path;
    resumed = true;
    // Left over by a run that was killed as it finished: it goes with us.
    if (exists(output->lock)) NCC_TRY(ncc_output_lock(output->lock, &output->lock_fd));
  } else {
    NCC_TRY(ncc_output_lock(output->lock, &output->lock_fd));
    // Only now is it sure that nobody else is at it.
    if (mode == NCC_OUTPUT_NEW) NCC_TRY(check_absent(output->path, output->part));
    resumed = mode == NCC_OUTPUT_RESUME && exists(output->part);
  }
  NCC_TRY(resumed ? ncc_output_file_match(file, spec, &output->layout) : build_part(output, spec));
  output->fd = open(file, (output->was_complete ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  NCC_CHECK(output->fd >= 0, NCC_ERR_OUTPUT, "%s: cannot be opened: %s", file, strerror(errno));
  if (resumed) NCC_TRY(read_done(output, file, spec->info->retry, &n_retried));
  NCC_CHECK(!output->was_complete || count_pending(output) == n_retried, NCC_ERR_INPUT,
            "%s: %" PRId64 " rows are pending, expected none in a finished output (a partial one is named %s)", file,
            count_pending(output) - n_retried, output->part);
  if (n_retried > 0) NCC_TRY(reopen(output));
  if (resumed && !output->was_complete) NCC_TRY(count_resume(output));
cleanup:
  return status;
}

static void destroy(ncc_output *output) {
  if (!output) return;
  ncc_row_writer_destroy(&output->writer);
  if (output->fd >= 0) close(output->fd);
  if (output->lock) ncc_output_unlock(output->lock, &output->lock_fd);
  free(output->statuses);
  free(output->path);
  free(output->part);
  free(output->fresh);
  free(output->lock);
  free(output);
  forget();
}

/** A result as a row of all datasets. */
static ncc_status derive_row(const ncc_output *output, int64_t row, const ncc_result *result, ncc_output_row *out) {
  ncc_status status = NCC_OK;
  NCC_CHECK(row >= 0 && row < output->layout.n_pairs, NCC_ERR_INTERNAL,
            "%s: result for row %" PRId64 ", expected 0 to %" PRId64, output->part, row, output->layout.n_pairs - 1);
  NCC_CHECK(result->status > NCC_PAIR_PENDING && result->status < NCC_PAIR_STATUS_COUNT, NCC_ERR_INTERNAL,
            "%s: result for row %" PRId64 " has status %d", output->part, row, result->status);
  const bool has_peak = ncc_result_has_peak(result->status);
  const int32_t kind = output->work->rows[row].kind;
  NCC_CHECK(kind >= 0 || !has_peak, NCC_ERR_INTERNAL, "%s: result for row %" PRId64 ", which holds no work",
            output->part, row);
  const ncc_result r = has_peak ? *result : ncc_result_none((ncc_pair_status)result->status);
  *out = (ncc_output_row){.row = row,
                          .coords = {r.y, r.x},
                          .offsets = {-1, -1},
                          .peak = r.peak,
                          .subpixel = {r.subpixel_y, r.subpixel_x},
                          .subpixel_offsets = {NAN, NAN},
                          .curvature = {r.curvature_y, r.curvature_x},
                          .second_coords = {r.second_y, r.second_x},
                          .second_peak = r.second_peak,
                          .angle = r.angle,
                          .overlap = (float)r.overlap,
                          .status = r.status,
                          .at_border = r.at_border};
  if (!has_peak) return NCC_OK;
  const ncc_geometry *g = &output->work->kinds[kind].geometry;
  out->offsets[0] = r.y - (g->template_rows - 1);
  out->offsets[1] = r.x - (g->template_cols - 1);
  out->subpixel_offsets[0] = r.subpixel_y - (double)(g->template_rows - 1);
  out->subpixel_offsets[1] = r.subpixel_x - (double)(g->template_cols - 1);
cleanup:
  return status;
}

ncc_status ncc_output_write(ncc_output *output, int64_t n, const int64_t *rows, const ncc_result *results,
                            const ncc_peak *peaks) {
  ncc_status status = NCC_OK;
  enum { BLOCK = 256 };
  ncc_output_row block[BLOCK];
  NCC_CHECK(output->writer || n == 0, NCC_ERR_INTERNAL, "%s: results for a complete output", output->path);
  for (int64_t first = 0; first < n; first += BLOCK) {
    int64_t count = n - first < BLOCK ? n - first : BLOCK;
    for (int64_t i = 0; i < count; i++) NCC_TRY(derive_row(output, rows[first + i], &results[first + i], &block[i]));
    NCC_TRY(ncc_row_writer_put(output->writer, count, block, peaks ? peaks + first * output->layout.peaks : NULL));
    for (int64_t i = 0; i < count; i++) {
      output->statuses[block[i].row] = block[i].status;
      output->at_border += block[i].at_border;
    }
  }
cleanup:
  return status;
}

/** Rows without work get their answer at once. */
static ncc_status write_invalid(ncc_output *output) {
  ncc_status status = NCC_OK;
  const ncc_result invalid = ncc_result_none(NCC_PAIR_INVALID);
  for (int64_t row = 0; row < output->layout.n_pairs; row++)
    if (output->work->rows[row].kind < 0 && output->statuses[row] == NCC_PAIR_PENDING)
      NCC_TRY(ncc_output_write(output, 1, &row, &invalid, NULL));
cleanup:
  return status;
}

ncc_status ncc_output_create(const char *path, ncc_output_mode mode, const ncc_work *work,
                             const ncc_input_identity *identity, const ncc_search *search, const ncc_run_info *info,
                             ncc_output **out) {
  ncc_status status = NCC_OK;
  const ncc_output_spec spec = {work->catalog, identity, info, search};
  *out = NULL;
  ncc_output *output = calloc(1, sizeof *output);
  NCC_CHECK(output, NCC_ERR_NOMEM, "%s: no memory", path);
  output->fd = output->lock_fd = -1;
  output->work = work;
  NCC_TRY(ncc_output_declare(path, &output->path));
  output->part = ncc_file_name(output->path, ".part");
  output->fresh = ncc_file_name(output->path, ".part.new");
  output->lock = ncc_file_name(output->path, ".part.lock");
  output->statuses = calloc((size_t)work->catalog->n_pairs + 1, 1);
  NCC_CHECK(output->part && output->fresh && output->lock && output->statuses, NCC_ERR_NOMEM,
            "%s: no memory for %" PRId64 " pairs", path, work->catalog->n_pairs);
  NCC_TRY(ncc_output_check(path, mode));
  NCC_TRY(open_part(output, mode, &spec));
  if (output->was_complete) goto cleanup;
  NCC_TRY(ncc_row_writer_create(output->fd, output->part, &output->layout, &output->writer));
  NCC_TRY(write_invalid(output));
cleanup:
  if (status == NCC_OK) {
    *out = output;
  } else {
    destroy(output);
  }
  return status;
}

ncc_status ncc_output_peek(const char *path, const ncc_work *work, const ncc_input_identity *identity,
                           const ncc_search *search, const ncc_run_info *info, uint8_t **statuses) {
  ncc_status status = NCC_OK;
  const ncc_output_spec spec = {work->catalog, identity, info, search};
  ncc_output found = {.fd = -1};
  int64_t n_retried;
  *statuses = found.statuses = calloc((size_t)work->catalog->n_pairs + 1, 1);
  NCC_TRY(ncc_output_declare(path, &found.path));
  forget();
  found.part = ncc_file_name(found.path, ".part");
  NCC_CHECK(found.part && found.statuses, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " pairs", path,
            work->catalog->n_pairs);
  const char *file = exists(found.part) ? found.part : found.path;
  if (!exists(file)) goto cleanup;
  NCC_TRY(ncc_output_file_match(file, &spec, &found.layout));
  found.fd = open(file, O_RDONLY | O_CLOEXEC);
  NCC_CHECK(found.fd >= 0, NCC_ERR_OUTPUT, "%s: cannot be opened: %s", file, strerror(errno));
  NCC_TRY(read_done(&found, file, info->retry, &n_retried));
cleanup:
  if (found.fd >= 0) close(found.fd);
  free(found.path);
  free(found.part);
  if (status != NCC_OK) free(*statuses), *statuses = NULL;
  return status;
}

const uint8_t *ncc_output_statuses(const ncc_output *output) {
  return output->statuses;
}

int64_t ncc_output_unwritten(const ncc_output *output) {
  return output->writer ? ncc_row_writer_unwritten(output->writer) : 0;
}

int64_t ncc_output_at_border(const ncc_output *output) {
  return output->at_border;
}

ncc_status ncc_output_sync(ncc_output *output) {
  return output->writer ? ncc_row_writer_sync(output->writer) : NCC_OK;
}

void ncc_output_spent(const ncc_output *output, int64_t *times, double *elapsed_s) {
  *times = 0;
  *elapsed_s = 0;
  if (output->writer) ncc_row_writer_spent(output->writer, times, elapsed_s);
}

/** The record of the run, then the mark of completeness, then the name; each durable before the next. */
static ncc_status complete(ncc_output *output, const ncc_run_timings *timings) {
  ncc_status status = NCC_OK;
  const int64_t one = 1, place = output->layout.record;
  ncc_output_record record = {.timings = *timings};
  ncc_file_time_text(time(NULL), record.end_time, sizeof record.end_time);
  bool filled =
      ncc_output_file_pwrite(output->fd, &record, offsetof(ncc_output_record, resumes), place) &&
      fsync(output->fd) == 0 &&
      ncc_output_file_pwrite(output->fd, &one, sizeof one, place + (int64_t)offsetof(ncc_output_record, complete)) &&
      fsync(output->fd) == 0;
  NCC_CHECK(filled, NCC_ERR_OUTPUT, "%s: cannot be completed: %s", output->part, strerror(errno));
  int fd = output->fd;
  output->fd = -1;
  NCC_CHECK(close(fd) == 0, NCC_ERR_OUTPUT, "%s: cannot be closed: %s", output->part, strerror(errno));
  NCC_TRY(ncc_file_rename(output->part, output->path));
cleanup:
  return status;
}

ncc_status ncc_output_close(ncc_output **output_in, const ncc_run_timings *timings) {
  ncc_status status = NCC_OK;
  ncc_output *output = *output_in;
  if (!output) return NCC_OK;
  if (output->was_complete) goto cleanup;
  NCC_TRY(ncc_row_writer_destroy(&output->writer));
  if (timings && count_pending(output) == 0) NCC_TRY(complete(output, timings));
cleanup:
  destroy(output);
  *output_in = NULL;
  return status;
}
