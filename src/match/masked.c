/** See masked.h.
 *
 *  With A and B the masks (1: valid), d = A (I - c) and t = B (T - k) about the means, and * the correlation:
 *
 *      n = A * B, s = d * B, q = d^2 * B, u = A * t, v = A * t^2, p = d * t
 *      NCC = (p - s u / n) / sqrt((q - s^2 / n) (v - u^2 / n))
 *
 *  n is a count, and rounded to one. The others err by at most `unit` times the norms of their factors (cpu/peak.c).
 *  Of 8-bit pixels about an integer s and q are integers too, so that flat windows are told exactly; of others they are
 *  doubtful, which is for the judge. Where one of the two is not masked, n and the sums of the other alone are those of
 *  rectangles: three of the six correlations become differences of prefix sums.
 */
#include "match/masked.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/buffer.h"
#include "base/error.h"
#include "match/fft.h"
#include "match/formulas.h"

/** What is transformed of an operand. */
enum { MASK, VALUES, SQUARES, PLANES };

/** The sums of a position. */
enum { N, S, Q, U, V, P, SUMS };

/** Moments known this well, relative to themselves, give bounds on both sides. */
#define WELL_ABOVE 1e6

typedef struct operand {
  ncc_buffer planes[PLANES], prefix[PLANES];  // prefix sums [height + 1][width + 1]
  double norms[PLANES], totals[PLANES];       // totals are of absolute values
  double c;
  int64_t height, width;
  bool whole;            // no pixel is masked
  unsigned transformed;  // a bit for each plane
} operand;

typedef struct plans {
  fftw_plan forward, inverse;
} plans;

struct ncc_masked {
  const ncc_engine_context *context;
  operand image, tmpl;
  ncc_buffer sums[SUMS];
  int64_t serial;  // of the image whose planes are transformed; -1: none
  ncc_geometry geometry;
  int64_t rows, cols, stride;  // of the transforms; stride in doubles
  plans plans;                 // of that size
  bool integers;
};

ncc_status ncc_masked_create(const ncc_engine_context *context, ncc_masked **out) {
  *out = calloc(1, sizeof **out);
  if (!*out) return ncc_error_set(NCC_ERR_NOMEM, "out of memory for masked pairs");
  (*out)->context = context;
  (*out)->serial = -1;
  return NCC_OK;
}

static void drop_plans(plans *p) {
  ncc_fft_lock();
  if (p->forward) fftw_destroy_plan(p->forward);
  if (p->inverse) fftw_destroy_plan(p->inverse);
  ncc_fft_unlock();
  *p = (plans){0};
}

void ncc_masked_destroy(ncc_masked **masked) {
  if (!*masked) return;
  drop_plans(&(*masked)->plans);
  for (int i = 0; i < PLANES; i++) {
    ncc_buffer_free(&(*masked)->image.planes[i]);
    ncc_buffer_free(&(*masked)->tmpl.planes[i]);
    ncc_buffer_free(&(*masked)->image.prefix[i]);
    ncc_buffer_free(&(*masked)->tmpl.prefix[i]);
  }
  for (int i = 0; i < SUMS; i++) ncc_buffer_free(&(*masked)->sums[i]);
  free(*masked);
  *masked = NULL;
}

static void choose_size(const ncc_geometry *g, int64_t *rows, int64_t *cols) {
  const ncc_rect *trim = &g->trim, *s = &g->search;
  *rows = ncc_fft_length(
      ncc_max(2, ncc_geometry_min_fft(trim->y1 - trim->y0, g->template_rows, s->y0 - trim->y0, s->y1 - 1 - trim->y0)));
  *cols = ncc_fft_length(
      ncc_max(2, ncc_geometry_min_fft(trim->x1 - trim->x0, g->template_cols, s->x0 - trim->x0, s->x1 - 1 - trim->x0)));
}

int64_t ncc_masked_bytes(const ncc_geometry *g) {
  int64_t rows, cols;
  choose_size(g, &rows, &cols);
  const int64_t pixels = g->image_rows * g->image_cols + g->template_rows * g->template_cols;
  const int64_t sums = (g->image_rows + 1) * (g->image_cols + 1) + (g->template_rows + 1) * (g->template_cols + 1);
  return (2 * PLANES + SUMS) * 8 * rows * 2 * (cols / 2 + 1) + pixels + PLANES * 8 * sums;
}

/** A pixel's value in each plane. */
static void add_pixel(operand *o, double d, double *const planes[PLANES], int64_t at, double squares[PLANES],
                      double run[PLANES]) {
  const double v[PLANES] = {[MASK] = 1, [VALUES] = d, [SQUARES] = d * d};
  for (int i = 0; i < PLANES; i++) {
    planes[i][at] = v[i];
    squares[i] += v[i] * v[i];
    run[i] += v[i];
    o->totals[i] += fabs(v[i]);
  }
}

/** Fills the planes of an operand with what lies in `part`; of templates reversed, so that a product correlates.
 *  @param[in] summed  prefix sums are wanted */
static ncc_status fill(ncc_masked *m, const ncc_prepared *p, const ncc_rect *part, bool reversed, bool summed,
                       operand *o) {
  ncc_status status = NCC_OK;
  const int64_t height = o->height = part->y1 - part->y0, width = o->width = part->x1 - part->x0;
  double *planes[PLANES], squares[PLANES] = {0};
  o->transformed = 0;
  for (int i = 0; i < PLANES; i++) {
    NCC_TRY(ncc_buffer_reserve(&o->planes[i], 8 * m->rows * m->stride, "masked pairs"));
    if (summed) NCC_TRY(ncc_buffer_reserve(&o->prefix[i], 8 * (height + 1) * (width + 1), "masked pairs"));
    planes[i] = o->planes[i].data;
    memset(planes[i], 0, (size_t)(8 * m->rows * m->stride));
    if (summed) memset(o->prefix[i].data, 0, (size_t)(8 * (width + 1)));
    o->totals[i] = 0;
  }
  double *pixels = malloc((size_t)width * sizeof *pixels);
  NCC_CHECK(pixels, NCC_ERR_NOMEM, "out of memory for a row of %lld pixels", (long long)width);
  for (int64_t y = 0; y < height; y++) {
    ncc_prepared_row(p, part->y0 + y, part->x0, width, pixels);
    const uint8_t *valid = p->valid ? p->valid + (part->y0 + y) * p->pixels.cols + part->x0 : NULL;
    const int64_t to = (reversed ? height - 1 - y : y) * m->stride;
    double run[PLANES] = {0};
    for (int64_t x = 0; x < width; x++) {
      if (!valid || valid[x]) add_pixel(o, pixels[x] - o->c, planes, to + (reversed ? width - 1 - x : x), squares, run);
      for (int i = 0; summed && i < PLANES; i++) {
        double *here = (double *)o->prefix[i].data + (y + 1) * (width + 1) + x + 1;
        if (x == 0) here[-1] = 0;
        *here = here[-(width + 1)] + run[i];
      }
    }
  }
  free(pixels);
  for (int i = 0; i < PLANES; i++) o->norms[i] = sqrt(squares[i]);

cleanup:
  return status;
}

static ncc_status make_plans(const ncc_masked *m, double *a, plans *p) {
  ncc_fft_lock();
  p->forward = fftw_plan_dft_r2c_2d((int)m->rows, (int)m->cols, a, (fftw_complex *)a, FFTW_ESTIMATE);
  p->inverse = fftw_plan_dft_c2r_2d((int)m->rows, (int)m->cols, (fftw_complex *)a, a, FFTW_ESTIMATE);
  ncc_fft_unlock();
  if (p->forward && p->inverse) return NCC_OK;
  return ncc_error_set(NCC_ERR_INTERNAL, "no float64 FFT plan for %lldx%lld", (long long)m->rows, (long long)m->cols);
}

/** A plane's transform, made when it is first asked for. */
static const double *spectrum(const ncc_masked *m, operand *o, int plane) {
  double *a = o->planes[plane].data;
  if (!(o->transformed & 1u << plane)) fftw_execute_dft_r2c(m->plans.forward, a, (fftw_complex *)a);
  o->transformed |= 1u << plane;
  return a;
}

static ncc_status correlate(ncc_masked *m, int image_plane, int tmpl_plane, ncc_buffer *out) {
  ncc_status status = ncc_buffer_reserve(out, 8 * m->rows * m->stride, "masked pairs");
  if (status != NCC_OK) return status;
  if (ncc_stop_came(m->context->config)) return ncc_error_set(NCC_ERR_STOPPED, "stopped");
  const double *a = spectrum(m, &m->image, image_plane), *b = spectrum(m, &m->tmpl, tmpl_plane);
  double *to = out->data;
  for (int64_t i = 0; i < m->rows * m->stride; i += 2) {
    to[i] = a[i] * b[i] - a[i + 1] * b[i + 1];
    to[i + 1] = a[i] * b[i + 1] + a[i + 1] * b[i];
  }
  fftw_execute_dft_c2r(m->plans.inverse, (fftw_complex *)to, to);
  return NCC_OK;
}

/** The operand whose prefix sums give a sum, and which of them; NULL: it is a correlation. */
static const operand *summed_by(const ncc_masked *m, int sum, int *plane) {
  static const int of_image[SUMS] = {[N] = MASK, [S] = VALUES, [Q] = SQUARES, [U] = -1, [V] = -1, [P] = -1};
  static const int of_tmpl[SUMS] = {[N] = MASK, [S] = -1, [Q] = -1, [U] = VALUES, [V] = SQUARES, [P] = -1};
  *plane = m->tmpl.whole ? of_image[sum] : m->image.whole ? of_tmpl[sum] : -1;
  return *plane < 0 ? NULL : m->tmpl.whole ? &m->image : &m->tmpl;
}

/** All sums of a task, undivided by the number of points. */
static ncc_status make_sums(ncc_masked *m, const ncc_task *task) {
  static const int factors[SUMS][2] = {[N] = {MASK, MASK},   [S] = {VALUES, MASK},  [Q] = {SQUARES, MASK},
                                       [U] = {MASK, VALUES}, [V] = {MASK, SQUARES}, [P] = {VALUES, VALUES}};
  ncc_status status = NCC_OK;
  const ncc_geometry *g = task->geometry;
  const bool same = m->serial == task->image_serial && ncc_geometry_equal(&m->geometry, g);
  const ncc_rect whole = {0, 0, g->template_rows, g->template_cols};
  int64_t rows, cols;
  m->serial = -1;
  m->geometry = *g;
  choose_size(g, &rows, &cols);
  if (rows != m->rows || cols != m->cols) drop_plans(&m->plans);
  m->rows = rows;
  m->cols = cols;
  m->stride = 2 * (m->cols / 2 + 1);
  m->integers = task->image->pixels.dtype == NCC_U8 || task->image->pixels.dtype == NCC_I8;
  m->image.whole = !task->image->valid;
  m->tmpl.whole = !task->tmpl->valid;
  m->image.c = m->integers ? nearbyint(task->image->mean) : task->image->mean;
  m->tmpl.c = task->tmpl->mean;
  NCC_TRY(ncc_buffer_reserve(&m->sums[P], 8 * m->rows * m->stride, "masked pairs"));
  if (!m->plans.forward) NCC_TRY(make_plans(m, m->sums[P].data, &m->plans));
  if (!same) NCC_TRY(fill(m, task->image, &g->trim, false, !m->image.whole, &m->image));
  NCC_TRY(fill(m, task->tmpl, &whole, true, m->image.whole, &m->tmpl));
  for (int i = 0, plane; i < SUMS; i++)
    if (!summed_by(m, i, &plane)) NCC_TRY(correlate(m, factors[i][0], factors[i][1], &m->sums[i]));
  m->serial = task->image_serial;

cleanup:
  return status;
}

/** Bounds of the sums of all positions. */
typedef struct errors {
  double of[SUMS];
} errors;

static errors find_errors(const ncc_masked *m) {
  const double *a = m->image.norms, *b = m->tmpl.norms;
  const double unit = (10 + log2((double)m->rows * (double)m->cols) / 2) * 0x1p-52;
  errors e = {{[N] = unit * a[MASK] * b[MASK],
               [S] = unit * a[VALUES] * b[MASK],
               [Q] = unit * a[SQUARES] * b[MASK],
               [U] = unit * a[MASK] * b[VALUES],
               [V] = unit * a[MASK] * b[SQUARES],
               [P] = unit * a[VALUES] * b[VALUES]}};
  for (int i = 0, plane; i < SUMS; i++) {
    const operand *o = summed_by(m, i, &plane);
    // A prefix sum is one of height + width additions, of which none exceeds the total; four of them are taken.
    if (o) e.of[i] = (double)(4 * (o->height + o->width) + 16) * 0x1p-53 * o->totals[plane];
  }
  return e;
}

/** ssd from a sum and squares over n pixels, and its bound. */
static double ssd_of(double s, double q, double n, double s_error, double q_error, double *error) {
  *error = q_error + (2 * fabs(s) + s_error) * s_error / n + 0x1p-50 * (fabs(q) + s * s / n);
  return q - s * s / n;
}

/** What the sums of a position come to. */
typedef struct position {
  bool flat;   // the window surely is
  bool known;  // the moments are, on both sides
  double numerator, error;
  double least, product;  // of ssd of window and template
  double slack;           // of the product, relative, on each side; where it is known
} position;

static position find_position(const ncc_masked *m, const errors *e, const double sums[SUMS]) {
  const double n = sums[N];
  double s = sums[S], q = sums[Q], s_error = e->of[S], q_error = e->of[Q], w_error, t_error;
  if (m->integers && s_error < 0.4 && q_error < 0.4) {
    s = nearbyint(s);
    q = nearbyint(q);
    s_error = q_error = 0;
  }
  const bool exact = q_error == 0 && n * q < 0x1p52 && s * s < 0x1p52;
  const double w = ssd_of(s, q, n, s_error, q_error, &w_error);
  const double t = ssd_of(sums[U], sums[V], n, e->of[U], e->of[V], &t_error);
  const double w_least = w - w_error, t_least = t - t_error;
  position p = {.flat = exact && n * q == s * s, .product = w * t};
  p.known = w_least > WELL_ABOVE * w_error && t_least > WELL_ABOVE * t_error && w_least > 0 && t_least > 0;
  p.numerator = sums[P] - s * sums[U] / n;
  p.error = e->of[P] + (fabs(s) * e->of[U] + fabs(sums[U]) * s_error + s_error * e->of[U]) / n +
            0x1p-50 * (fabs(sums[P]) + fabs(s * sums[U]) / n);
  p.least = w_least > 0 && t_least > 0 ? w_least * t_least : 0;
  p.slack = p.known ? w_error / w_least + t_error / t_least + 1e-14 : 0;
  return p;
}

/** Considers a position for a proposal. */
static void consider(const position *p, double eps, int64_t y, int64_t x, ncc_proposal *out, _Atomic double *best) {
  const double eps2 = eps * eps;
  ncc_bounds b = {.inv_norm = 1, .to_evaluation = 1};
  if (p->flat) {
    ncc_proposal_consider(out, &b, y, x, 0, 0, best);
    return;
  }
  b.error = p->error;
  b.relative_slack = p->slack;
  b.absolute_slack = 1e-15;
  if (p->known && eps > 0) {
    b.zero_lo = eps2 * (1 - 4 * p->slack);
    b.zero_hi = eps2 * (1 + 4 * p->slack);
  }
  out->error = fmax(out->error, 4 * p->error);
  ncc_proposal_consider(out, &b, y, x, p->numerator, p->known ? p->product : -fmax(p->least, 1e-300), best);
}

/** Is given every position that has enough valid pixels, in row-major order. */
typedef void (*take_position)(void *context, int64_t y, int64_t x, const position *p);

/** Where the sums of positions come from. */
typedef struct sources {
  const double *prefix[SUMS], *correlated[SUMS];  // one of them
  int64_t width;                                  // of what prefix sums are of
  int64_t y, x;                                   // the position at which first pixels lie on each other
  double points;                                  // that correlations are multiplied by
} sources;

static sources find_sources(const ncc_masked *m) {
  const ncc_geometry *g = &m->geometry;
  sources from = {.points = (double)m->rows * (double)m->cols};
  for (int i = 0, plane; i < SUMS; i++) {
    const operand *o = summed_by(m, i, &plane);
    from.prefix[i] = o ? o->prefix[plane].data : NULL;
    from.correlated[i] = m->sums[i].data;
    if (o) from.width = o->width;
  }
  from.y = g->template_rows - 1 + g->trim.y0;
  from.x = g->template_cols - 1 + g->trim.x0;
  return from;
}

/** The sums of a position. */
static inline void find_sums(const ncc_masked *m, const sources *from, int64_t y, int64_t x, double sums[SUMS]) {
  const ncc_geometry *g = &m->geometry;
  const int64_t at = (y - g->trim.y0) * m->stride + x - g->trim.x0;
  const int64_t dy = m->tmpl.whole ? y - from->y : 0, dx = m->tmpl.whole ? x - from->x : 0;
  const int64_t top = ncc_overlap_first(g->template_rows, y) + dy, left = ncc_overlap_first(g->template_cols, x) + dx;
  const int64_t bottom = ncc_overlap_end(g->image_rows, g->template_rows, y) + dy;
  const int64_t right = ncc_overlap_end(g->image_cols, g->template_cols, x) + dx;
  for (int i = 0; i < SUMS; i++)
    sums[i] = from->prefix[i] ? ncc_prefix_sum(from->prefix[i], from->width, top, bottom, left, right)
                              : from->correlated[i][at] / from->points;
}

static ncc_status walk(ncc_masked *m, const ncc_task *task, double min_overlap, take_position take, void *context) {
  ncc_status status = NCC_OK;
  const ncc_geometry *g = task->geometry;
  const double n_tmpl = (double)task->tmpl->n_valid;
  if (!task->again) NCC_TRY(make_sums(m, task));
  const sources from = find_sources(m);
  const errors e = find_errors(m);
  for (int64_t row = g->search.y0; row < g->search.y1; row++) {
    int64_t segments[NCC_SEGMENTS_MOST][2];
    const int count = ncc_geometry_segments(g, row, segments);
    for (int k = 0; k < count; k++)
      for (int64_t col = segments[k][0]; col < segments[k][1]; col++) {
        double sums[SUMS];
        find_sums(m, &from, row, col, sums);
        sums[N] = nearbyint(sums[N]);
        if (!ncc_masked_enough(sums[N], n_tmpl, min_overlap)) continue;
        const position p = find_position(m, &e, sums);
        take(context, row, col, &p);
      }
  }

cleanup:
  return status;
}

typedef struct proposing {
  ncc_proposal *out;
  _Atomic double best;
  double eps;
  int64_t *y, *x;
} proposing;

static void propose_position(void *context, int64_t y, int64_t x, const position *p) {
  proposing *to = context;
  if (*to->y < 0) {
    *to->y = y;
    *to->x = x;
  }
  consider(p, to->eps, y, x, to->out, &to->best);
}

ncc_status ncc_masked_propose(ncc_masked *m, const ncc_task *task, double min_overlap, ncc_proposal *out, int64_t *y,
                              int64_t *x) {
  ncc_status status = NCC_OK;
  proposing to = {out, -2, m->context->eps * task->image->scale * task->tmpl->scale, y, x};
  *y = *x = -1;
  ncc_proposal_reset(out);
  NCC_TRY(walk(m, task, min_overlap, propose_position, &to));
  NCC_TRY(ncc_proposal_finish(out));

cleanup:
  return status;
}

typedef struct showing {
  const ncc_masked_viewer *viewer;
  double eps;
} showing;

static void show_position(void *context, int64_t y, int64_t x, const position *p) {
  const showing *s = context;
  const double response = sqrt(fmax(p->product, 0));
  const bool near_eps = s->eps > 0 && fabs(response - s->eps) <= 1e-9 * s->eps;
  double value = NAN;
  if (p->flat || (p->known && !near_eps && response < s->eps))
    value = 0;
  else if (p->known && !near_eps && p->error + p->slack * response <= s->viewer->open * response)
    value = fmin(1, fmax(-1, p->numerator / response));
  s->viewer->show(s->viewer->context, y, x, value);
}

ncc_status ncc_masked_view(ncc_masked *m, const ncc_task *task, double min_overlap, const ncc_masked_viewer *viewer) {
  showing s = {viewer, m->context->eps * task->image->scale * task->tmpl->scale};
  return walk(m, task, min_overlap, show_position, &s);
}
