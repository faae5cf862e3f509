/** See masked_box.h. */
#include "match/masked_box.h"

#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/error.h"

/** What a task comes to without what is outside the boxes. */
typedef struct inner {
  ncc_prepared image, tmpl;
  ncc_geometry geometry;
  int64_t y, x;  // to be added to a position
} inner;

struct ncc_masked_box {
  void *engine;        // of the CPU engine
  inner in;            // of the task at work, which the engine may point at
  ncc_buffer exclude;  // the task's, seen from the boxes
};

ncc_status ncc_masked_box_create(void *engine, ncc_masked_box **out) {
  *out = calloc(1, sizeof **out);
  if (!*out) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for masked pairs");
  (*out)->engine = engine;
  return NCC_OK;
}

void ncc_masked_box_destroy(ncc_masked_box **box) {
  if (!*box) return;
  ncc_buffer_free(&(*box)->exclude);
  free(*box);
  *box = NULL;
}

static ncc_rect box_of(const ncc_prepared *p) {
  return p->valid ? p->box : (ncc_rect){0, 0, p->pixels.rows, p->pixels.cols};
}

static bool fills_box(const ncc_prepared *p) {
  const ncc_rect box = box_of(p);
  return (box.y1 - box.y0) * (box.x1 - box.x0) == p->n_valid;
}

bool ncc_masked_box_serves(const ncc_task *task) {
  const ncc_rect image = box_of(task->image), tmpl = box_of(task->tmpl);
  return fills_box(task->image) && fills_box(task->tmpl) && tmpl.y1 - tmpl.y0 <= image.y1 - image.y0 &&
         tmpl.x1 - tmpl.x0 <= image.x1 - image.x0;
}

/** What lies in a box, without a mask; borrows the pixels. */
static ncc_prepared cut(const ncc_prepared *p, const ncc_rect *box) {
  ncc_prepared part = *p;
  part.valid = NULL;
  part.normalised = NULL;
  part.pixels.data = ncc_array_at(&p->pixels, box->y0, box->x0);
  part.pixels.rows = box->y1 - box->y0;
  part.pixels.cols = box->x1 - box->x0;
  return part;
}

static inner look_inside(const ncc_task *task) {
  const ncc_geometry *g = task->geometry;
  const ncc_rect image = box_of(task->image), tmpl = box_of(task->tmpl);
  return (inner){.image = cut(task->image, &image),
                 .tmpl = cut(task->tmpl, &tmpl),
                 // Where the template's last pixel lies, seen from the image's first one.
                 .y = image.y0 + g->template_rows - tmpl.y1,
                 .x = image.x0 + g->template_cols - tmpl.x1};
}

/** The task's excluded squares, seen from the boxes. */
static ncc_status move_excluded(ncc_masked_box *b, const ncc_geometry *g, const inner *in) {
  ncc_status status = ncc_buffer_reserve(&b->exclude, g->n_exclude * (int64_t)sizeof(ncc_rect), "excluded squares");
  ncc_rect *to = b->exclude.data;
  for (int64_t i = 0; status == NCC_OK && i < g->n_exclude; i++) {
    const ncc_rect *e = &g->exclude[i];
    to[i] = (ncc_rect){e->y0 - in->y, e->x0 - in->x, e->y1 - in->y, e->x1 - in->x};
  }
  return status;
}

/** The search, seen from the boxes. @return false if no position has enough overlap, or all that have are excluded. */
static bool make_geometry(const ncc_masked_box *b, const ncc_geometry *g, double min_overlap, inner *in) {
  const ncc_array *image = &in->image.pixels, *tmpl = &in->tmpl.pixels;
  const ncc_rect window = {ncc_max(g->search.y0 - in->y, 0), ncc_max(g->search.x0 - in->x, 0),
                           ncc_min(g->search.y1 - in->y, image->rows + tmpl->rows - 1),
                           ncc_min(g->search.x1 - in->x, image->cols + tmpl->cols - 1)};
  const ncc_search search = {.outside = NCC_OUTSIDE_IGNORE, .min_overlap = min_overlap};
  int64_t y, x;
  if (window.y0 >= window.y1 || window.x0 >= window.x1 ||
      ncc_geometry_create(&search, &window, image->rows, image->cols, tmpl->rows, tmpl->cols, &in->geometry) != NCC_OK)
    return false;
  in->geometry.exclude = b->exclude.data;
  in->geometry.n_exclude = g->n_exclude;
  return ncc_geometry_first(&in->geometry, &y, &x);
}

static void move_back(const inner *in, ncc_proposal *p) {
  for (int64_t i = 0; i < p->count; i++) {
    p->items[i].y += in->y;
    p->items[i].x += in->x;
  }
  if (p->cut_y == INT64_MAX) return;
  p->cut_y += in->y;
  p->cut_x += in->x;
}

ncc_status ncc_masked_box_propose(ncc_masked_box *b, const ncc_task *task, double min_overlap, ncc_proposal *out,
                                  int64_t *y, int64_t *x) {
  ncc_status status = NCC_OK;
  inner *in = &b->in;
  *in = look_inside(task);
  ncc_proposal_reset(out);
  *y = *x = -1;
  NCC_TRY(move_excluded(b, task->geometry, in));
  if (!make_geometry(b, task->geometry, min_overlap, in)) goto cleanup;
  ncc_geometry_first(&in->geometry, y, x);
  *y += in->y;
  *x += in->x;
  if (task->tmpl->flat) goto cleanup;
  ncc_task inside = *task;
  inside.image = &in->image;
  inside.tmpl = &in->tmpl;
  inside.geometry = &in->geometry;
  NCC_TRY(ncc_engine_cpu()->propose(b->engine, 1, &inside, out));
  move_back(in, out);

cleanup:
  return status;
}
