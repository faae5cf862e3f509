/** The threads that drive the matchers: each takes a piece of a batch at a time, or a lone one all pieces that have
 * come, so that batches of several images, and several batches, are under way at once. Batches are finished in the
 * order in which they came. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "match/turn.h"
#include "mpi/rank/stop.h"
#include "mpi/rank/threads.h"

/** @param[out] around  what there is around a template, whose pixels the array does not include; NULL: an image */
static ncc_array make_array(const ncc_catalog *catalog, const ncc_batch *batch, const ncc_need *need,
                            ncc_margins *around) {
  const ncc_object object = ncc_catalog_object(catalog, (ncc_object_kind)need->kind, need->index);
  const ncc_margins *a = &object.around;
  ncc_rect part;
  ncc_need_bytes(batch, need, catalog, &part);
  const int64_t stride = part.x1 - part.x0;
  const int64_t before = (a->above * stride + a->left) * (int64_t)ncc_dtype_size(object.dtype);
  if (around) *around = *a;
  return (ncc_array){.data = need->pixels ? need->pixels->data + before : NULL,
                     .dtype = object.dtype,
                     .rows = part.y1 - part.y0 - a->above - a->below,
                     .cols = stride - a->left - a->right,
                     .row_stride = stride};
}

/** The mask behind pixels where there may be masked ones. */
static ncc_array make_mask(const ncc_array *pixels, const ncc_need *need, const ncc_margins *around) {
  ncc_array mask = *pixels;
  const int64_t stride = pixels->row_stride, rows = around->above + pixels->rows + around->below;
  mask.dtype = NCC_U8;
  if (need->pixels)
    mask.data = need->pixels->data + rows * stride * (int64_t)ncc_dtype_size(pixels->dtype) + around->above * stride +
                around->left;
  return mask;
}

/** Waits for pixels of pairs from `at` on. @return the first pair that is not loaded; `at` if none will come. */
static int64_t wait_for_pixels(ncc_pipeline *pipeline, const ncc_batch_task *task, int64_t at, double *waited_s) {
  pthread_mutex_lock(&pipeline->mutex);
  double started_s = task->n_loaded > at ? 0 : ncc_clock_s();
  while (task->n_loaded <= at && task->loading && !pipeline->ending)
    pthread_cond_wait(&pipeline->may_compute, &pipeline->mutex);
  int64_t loaded = task->n_loaded;
  bool failed = task->done.status != NCC_OK;
  pthread_mutex_unlock(&pipeline->mutex);
  if (started_s > 0) *waited_s += ncc_clock_s() - started_s;
  return failed || ncc_stop_asked(pipeline->options.stop) ? at : loaded;
}

/** What a thread computes at a time: consecutive pieces of a batch. */
typedef struct claim {
  ncc_batch_task *task;
  int64_t piece, pieces; /* the first of them, and how many */
  int64_t first, pairs;  /* the first pair, and how many */
} claim;

/** What is matched at once: pairs whose pixels have come, by their images. Arrays as long as a claim. */
typedef struct groups_at_work {
  ncc_array *images, *templates;
  ncc_array *image_masks, *template_masks; /* NULL: none are masked */
  ncc_group *groups;
  ncc_margins *around;
  ncc_turned *turned;
  _Atomic double *best; /* for each group */
} groups_at_work;

/** At which angles the pairs of a piece are matched. @param[in] at  the first of them, in the piece
 *  @return NULL: at all. */
static const ncc_turned *make_turned(const ncc_piece *piece, int64_t at, int64_t n, ncc_turned *turned,
                                     _Atomic double *best) {
  if (piece->turn == 0) return NULL;
  *best = -2;
  for (int64_t i = 0; i < n; i++)
    turned[i] = piece->tried ? (ncc_turned){piece->turn - 1 + at + i, 0, best} : (ncc_turned){piece->turn - 1, i, NULL};
  return turned;
}

/** Pairs [at, end) of a batch as groups; pair `at` belongs to piece *piece, which ends before pair *piece_end, and on
 *  return pair `end` does. @return how many groups */
static int64_t make_groups(const ncc_catalog *catalog, const ncc_batch *batch, int64_t at, int64_t end, int64_t *piece,
                           int64_t *piece_end, const groups_at_work *work) {
  int64_t count = 0;
  ncc_array *tmpl = work->templates, *mask = work->template_masks;
  ncc_margins *around = work->around;
  ncc_turned *turned = work->turned;
  while (at < end) {
    const int64_t next = *piece_end < end ? *piece_end : end, piece_start = *piece_end - batch->pieces[*piece].count;
    const ncc_need *image = ncc_batch_image(batch, *piece);
    work->images[count] = make_array(catalog, batch, image, NULL);
    work->groups[count] = (ncc_group){
        .image_key = image->pixels && image->piece == NCC_WHOLE ? image->index : -1,
        .image = &work->images[count],
        .image_mask = work->image_masks ? &work->image_masks[count] : NULL,
        .n = next - at,
        .templates = tmpl,
        .template_masks = mask,
        .around = catalog->templates.turn ? around : NULL,
        .windows = batch->windows ? batch->windows + at : NULL,
        .results = batch->results + at,
        .peaks = batch->peaks ? batch->peaks + at * batch->n_peaks : NULL,
        .turned = make_turned(&batch->pieces[*piece], at - piece_start, next - at, turned, &work->best[count])};
    turned += next - at;
    if (work->image_masks) work->image_masks[count] = make_mask(&work->images[count], image, &(ncc_margins){0});
    count++;
    for (; at < next; at++) {
      const ncc_need *need = ncc_batch_template(batch, at);
      *tmpl = make_array(catalog, batch, need, around);
      if (mask) *mask++ = make_mask(tmpl, need, around);
      tmpl++;
      around++;
    }
    if (at == *piece_end && ++*piece < batch->n_pieces) *piece_end += batch->pieces[*piece].count;
  }
  return count;
}

static ncc_status compute(ncc_computer *computer, const claim *c, double *waited_s) {
  ncc_status status = NCC_OK;
  ncc_pipeline *pipeline = computer->pipeline;
  const ncc_batch *batch = c->task->done.batch;
  const ncc_catalog *catalog = pipeline->options.catalog;
  const bool masked[2] = {catalog->images.masked, catalog->templates.masked};
  groups_at_work work = {.images = malloc((size_t)c->pieces * sizeof *work.images),
                         .templates = malloc((size_t)c->pairs * sizeof *work.templates),
                         .groups = malloc((size_t)c->pieces * sizeof *work.groups),
                         .around = malloc((size_t)c->pairs * sizeof *work.around),
                         .turned = malloc((size_t)c->pairs * sizeof *work.turned),
                         .best = malloc((size_t)c->pieces * sizeof *work.best)};
  if (masked[0]) work.image_masks = malloc((size_t)c->pieces * sizeof *work.image_masks);
  if (masked[1]) work.template_masks = malloc((size_t)c->pairs * sizeof *work.template_masks);
  NCC_CHECK(work.images && work.templates && work.groups && work.around && work.turned && work.best &&
                (work.image_masks || !masked[0]) && (work.template_masks || !masked[1]),
            NCC_ERR_NOMEM, "out of memory for %lld pairs", (long long)c->pairs);
  int64_t piece = c->piece, piece_end = c->first + batch->pieces[piece].count;
  for (int64_t at = c->first, end = c->first + c->pairs; at < end;) {
    const int64_t loaded = wait_for_pixels(pipeline, c->task, at, waited_s), next = loaded < end ? loaded : end;
    if (next == at) goto cleanup; /* the rest stays pending */
    const int64_t groups = make_groups(catalog, batch, at, next, &piece, &piece_end, &work);
    NCC_TRY(ncc_matcher_match_groups(computer->matcher, groups, work.groups));
    at = next;
  }
cleanup:
  free(work.images);
  free(work.templates);
  free(work.image_masks);
  free(work.template_masks);
  free(work.groups);
  free(work.around);
  free(work.turned);
  free(work.best);
  return status;
}

/** Results are the same, but the rank is slower than it should be: says why, once for each kind of reason, which ends
 * at a colon. Matchers may have different ones. The mutex is held. */
static void tell_device_trouble(const ncc_computer *computer) {
  ncc_pipeline *pipeline = computer->pipeline;
  const char *why = ncc_matcher_device_trouble(computer->matcher);
  char kind[128], *told = pipeline->told_trouble;
  if (!why) return;
  snprintf(kind, sizeof kind, "%.*s;", (int)strcspn(why, ":"), why);
  if (strstr(told, kind)) return;
  snprintf(told + strlen(told), sizeof pipeline->told_trouble - strlen(told), "%s", kind);
  fprintf(stderr, "mpixcorr: warning: rank %d: %s; the CPU engine does it\n", pipeline->options.rank, why);
}

/** Computes pieces, and takes down how long it took; of several threads at work each counts for its part. The mutex is
 *  held, but not meanwhile. */
static void compute_claim(ncc_computer *computer, const claim *c) {
  ncc_pipeline *pipeline = computer->pipeline;
  ncc_batch *batch = c->task->done.batch;
  const double part = 1.0 / pipeline->options.n_matchers;
  pthread_mutex_unlock(&pipeline->mutex);
  double waited_s = 0;
  const double started_s = ncc_clock_s();
  const ncc_counters before = *ncc_matcher_counters(computer->matcher);
  const ncc_status status = ncc_stop_asked(pipeline->options.stop) ? NCC_OK : compute(computer, c, &waited_s);
  const ncc_counters *after = ncc_matcher_counters(computer->matcher);
  const double planned_s = after->planning_s - before.planning_s; /* happens once, and predicts nothing */
  const double computed_s = part * (ncc_clock_s() - started_s - waited_s - planned_s);
  pthread_mutex_lock(&pipeline->mutex);
  batch->image_s += part * (after->image_s - before.image_s);
  batch->elapsed_s += computed_s;
  pipeline->stats.compute_s += computed_s;
  pipeline->stats.wait_s += part * waited_s;
  tell_device_trouble(computer);
  if (status != NCC_OK && status != NCC_ERR_STOPPED) ncc_batch_task_fail(c->task, status);
  c->task->n_computed += c->pieces;
}

/** How well a piece of that image suits a thread. */
static int suits(const ncc_computer *computer, int64_t image) {
  const ncc_pipeline *pipeline = computer->pipeline;
  if (computer->image == image) return 2;
  for (int i = 0; i < pipeline->options.n_matchers; i++)
    if (pipeline->computers[i].image == image) return 0; /* it would be prepared twice */
  return 1;
}

/** The next piece of one of the batches: the first batch's, unless a later one suits better whose pixels are there;
 * where they are not, waiting for them might be waiting for the first batch. @return false if there is none now. */
static bool claim_piece(ncc_computer *computer, claim *out) {
  int best = -1;
  for (ncc_batch_task *task = computer->pipeline->to_compute.first; task && best < 2; task = task->next) {
    const ncc_batch *batch = task->done.batch;
    if (task->n_claimed == batch->n_pieces) continue;
    const ncc_piece *piece = &batch->pieces[task->n_claimed];
    if (best >= 0 && task->n_loaded < task->first_pair + piece->count) break;
    const int fit = suits(computer, piece->image);
    if (fit > best) *out = (claim){.task = task, .piece = task->n_claimed, .first = task->first_pair};
    best = fit > best ? fit : best;
    if (computer->pipeline->options.n_matchers == 1) break;
  }
  if (best < 0) return false;
  const ncc_batch *batch = out->task->done.batch;
  do {  // a lone matcher has threads for many pairs at once
    out->pairs += batch->pieces[out->piece + out->pieces++].count;
  } while (computer->pipeline->options.n_matchers == 1 && out->piece + out->pieces < batch->n_pieces &&
           out->first + out->pairs + batch->pieces[out->piece + out->pieces].count <= out->task->n_loaded);
  out->task->n_claimed += out->pieces;
  out->task->first_pair += out->pairs;
  computer->image = batch->pieces[out->piece + out->pieces - 1].image;
  return true;
}

/** Hands over the first batches as far as they are computed. */
static void finish_batches(ncc_pipeline *pipeline) {
  for (ncc_batch_task *task; (task = pipeline->to_compute.first);) {
    if (task->loading || task->n_computed < task->done.batch->n_pieces) return;
    ncc_batch_queue_take(&pipeline->to_compute);
    ncc_batch_move_results(task->done.batch);
    ncc_batch_drop_pixels(task->done.batch);
    pipeline->in_flight -= task->read_here;
    pthread_cond_broadcast(&pipeline->may_load);
    ncc_batch_queue_put(&pipeline->finished, task);
    pthread_cond_signal(&pipeline->finished_some);
  }
}

void *ncc_compute_run(void *argument) {
  ncc_computer *computer = argument;
  ncc_pipeline *pipeline = computer->pipeline;
  const double part = 1.0 / pipeline->options.n_matchers;
  double idle_since_s = ncc_clock_s();
  pthread_mutex_lock(&pipeline->mutex);
  for (;;) {
    claim c;
    finish_batches(pipeline);
    if (claim_piece(computer, &c)) {
      pipeline->stats.wait_s += part * (ncc_clock_s() - idle_since_s);
      compute_claim(computer, &c);
      idle_since_s = ncc_clock_s();
    } else if (pipeline->ending) {
      break;
    } else {
      pthread_cond_wait(&pipeline->may_compute, &pipeline->mutex);
    }
  }
  pipeline->stats.wait_s += part * (ncc_clock_s() - idle_since_s);
  pthread_mutex_unlock(&pipeline->mutex);
  return NULL;
}
