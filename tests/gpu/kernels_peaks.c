/** gpu/peaks.cu: largest bounds, first zeros and candidates, against bounds in float64 of one position after the other.
 */
#include <string.h>

#include "kernels.h"
#include "match/formulas.h"

enum { TEMPLATES = 11, CAPACITY = 32768, TILE = 32, BOXES = 2 };

/** Bounds agree within float32's rounding; those of whole tiles are wider by some of their slack. */
#define NEAR(task) (1e-6 + 0.5 * (double)(task)->slack)

/** A search of which everything is known. */
typedef struct search {
  ncc_gpu_shape shape;
  int64_t stride, ssd_stride, capacity, first, after, n_excluded;
  ncc_gpu_task tasks[TEMPLATES];
  int64_t *spans, excluded[4 * BOXES];
  float *numerators, *ssd; /* with `lead` more columns before the first */
  double *prefix;          /* NULL: no centre */
} search;

static float *numerator_of(const search *s, int64_t row, int64_t t, int64_t col) {
  return s->numerators + (row * TEMPLATES + t) * s->stride + s->shape.lead + col;
}
static float *ssd_of(const search *s, int64_t row, int64_t col) {
  return s->ssd + row * s->ssd_stride + s->shape.lead + col;
}

/** Sum of T' where the template overhangs. */
static double overlap_sum(const search *s, int64_t t, int64_t row, int64_t col) {
  const ncc_gpu_shape *g = &s->shape;
  const int64_t y = g->y0 + row, x = g->x0 + col, m = g->tmpl_rows, n = g->tmpl_cols;
  const double *prefix = s->prefix + t * (m + 1) * (n + 1);
  const int64_t top = ncc_max(0, m - 1 - y), bottom = ncc_min(m, g->image_rows - 1 - y + m);
  const int64_t left = ncc_max(0, n - 1 - x), right = ncc_min(n, g->image_cols - 1 - x + n);
  if (top == 0 && bottom == m && left == 0 && right == n) return 0;
  return prefix[bottom * (n + 1) + right] - prefix[top * (n + 1) + right] - prefix[bottom * (n + 1) + left] +
         prefix[top * (n + 1) + left];
}

/** Random values of the NCC below 0.9, numerators for them, what lies beside the search much too large. */
static search make(int64_t rows, int64_t cols, int64_t lead, bool centred) {
  search s = {.shape = {90, 100, 20, 30, 5, 7, rows, cols, lead}, .capacity = CAPACITY, .after = TEMPLATES};
  s.stride = ncc_round_up(lead + cols, 4) + 8;
  s.ssd_stride = ncc_round_up(lead + cols, 32);
  s.spans = kernels_room(16 * rows);
  s.numerators = kernels_room(4 * rows * TEMPLATES * s.stride);
  s.ssd = kernels_room(4 * rows * s.ssd_stride);
  const int64_t points = 21 * 31;
  if (centred) s.prefix = kernels_room(8 * TEMPLATES * points);
  for (int64_t i = 0; centred && i < TEMPLATES * points; i++) s.prefix[i] = conf_uniform(-1, 1);
  for (int64_t i = 0; i < rows * TEMPLATES * s.stride; i++) s.numerators[i] = 1e6f;
  for (int64_t i = 0; i < rows * s.ssd_stride; i++) s.ssd[i] = 1;
  for (int t = 0; t < TEMPLATES; t++)
    s.tasks[t] = (ncc_gpu_task){.overhang = centred ? 0.4 : 0,
                                .inv_norm = 0.5f + 0.1f * (float)t,
                                .error = 0.05f / (0.5f + 0.1f * (float)t),
                                .slack = 2e-6f,
                                .absolute_slack = 1e-6f};
  for (int64_t row = 0; row < rows; row++) {
    s.spans[2 * row] = 0;
    s.spans[2 * row + 1] = cols;
    for (int64_t col = 0; col < cols; col++) {
      *ssd_of(&s, row, col) = (float)conf_uniform(0.8, 1.2);
      for (int64_t t = 0; t < TEMPLATES; t++) {
        const double value = conf_uniform(-0.9, 0.9) * sqrt(*ssd_of(&s, row, col)) / s.tasks[t].inv_norm;
        *numerator_of(&s, row, t, col) = (float)(value - (centred ? 0.4 * overlap_sum(&s, t, row, col) : 0));
      }
    }
  }
  return s;
}

static void release(search *s) {
  free(s->spans);
  free(s->numerators);
  free(s->ssd);
  free(s->prefix);
}

/** What a position comes to by the comments of launchers.h and bounds.h. */
typedef struct judged {
  bool searched, zero, sure;
  double numerator, lower, upper;
} judged;

static judged judge(const search *s, int64_t t, int64_t row, int64_t col) {
  const ncc_gpu_task *task = &s->tasks[t];
  const float ssd = *ssd_of(s, row, col);
  judged j = {.searched = col >= s->spans[2 * row] && col < s->spans[2 * row + 1]};
  for (int64_t i = 0; i < s->n_excluded; i++) {
    const int64_t *e = s->excluded + 4 * i;
    if (row >= e[0] && row < e[2] && col >= e[1] && col < e[3]) j.searched = false;
  }
  j.zero = ssd == 0 || (ssd > 0 && ssd < task->zero_lo);
  j.sure = !j.zero && ssd > task->zero_hi;
  j.numerator = *numerator_of(s, row, t, col);
  if (s->prefix) j.numerator += task->overhang * overlap_sum(s, t, row, col);
  const double inv = task->inv_norm / sqrt(fabs((double)ssd)), value = j.numerator * inv;
  const double radius = task->error * inv, off = radius + task->slack * (fabs(value) + radius) + task->absolute_slack;
  j.upper = fmin(1, value + off);
  j.lower = fmax(-1, value - off);
  if (!isfinite(j.numerator)) j.upper = 1, j.lower = -1;
  if (!j.sure) j.upper = fmax(0, j.upper);
  return j;
}

/** The bound that an integer of ncc_gpu_head stands for. */
static double bound_of(unsigned key) {
  const unsigned bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/** What the kernels found. */
typedef struct found {
  ncc_gpu_head heads[TEMPLATES];
  ncc_gpu_item *items; /* [TEMPLATES][capacity] */
  float *tiles;        /* [TEMPLATES][tiles] */
} found;

static found run(const search *s) {
  cudaStream_t stream = kernels_begin();
  const int64_t rows = s->shape.rows, tiles = ncc_gpu_tiles(&s->shape);
  const int64_t item_bytes = TEMPLATES * s->capacity * (int64_t)sizeof(ncc_gpu_item);
  found f = {.items = kernels_room(item_bytes), .tiles = kernels_room(4 * TEMPLATES * tiles)};
  memset(f.heads, 0, sizeof f.heads);
  const float *numerators = kernels_put(s->numerators, 4 * rows * TEMPLATES * s->stride);
  const float *ssd = kernels_put(s->ssd, 4 * rows * s->ssd_stride);
  const ncc_gpu_peaks peaks = {.shape = s->shape,
                               .count = TEMPLATES,
                               .first = s->first,
                               .after = s->after,
                               .tasks = kernels_put(s->tasks, sizeof s->tasks),
                               .numerators = numerators + s->shape.lead,
                               .stride = s->stride,
                               .ssd = ssd + s->shape.lead,
                               .ssd_stride = s->ssd_stride,
                               .spans = kernels_put(s->spans, 16 * rows),
                               .excluded = kernels_put(s->excluded, sizeof s->excluded),
                               .n_excluded = s->n_excluded,
                               .prefix = s->prefix ? kernels_put(s->prefix, 8 * (int64_t)TEMPLATES * 21 * 31) : NULL,
                               .tiles = kernels_put(NULL, 4 * TEMPLATES * tiles),
                               .heads = kernels_put(f.heads, sizeof f.heads),
                               .items = kernels_put(NULL, item_bytes),
                               .capacity = s->capacity};
  KERNELS_TRY(ncc_gpu_find_peaks(stream, &peaks));
  kernels_get(f.heads, peaks.heads, sizeof f.heads);
  kernels_get(f.items, peaks.items, item_bytes);
  kernels_get(f.tiles, peaks.tiles, 4 * TEMPLATES * tiles);
  kernels_end();
  return f;
}

/** Tiles begin `lead` columns left of the search. */
static void check_tiles(const search *s, int64_t t, const float *tiles) {
  const int64_t across = (s->shape.lead + s->shape.cols + TILE - 1) / TILE, down = (s->shape.rows + TILE - 1) / TILE;
  CONF_EXPECT(ncc_gpu_tiles(&s->shape) == across * down, "%lld tiles", (long long)ncc_gpu_tiles(&s->shape));
  for (int64_t tile = 0; tile < across * down; tile++) {
    double most = -2;
    for (int64_t i = 0; i < TILE * TILE; i++) {
      const int64_t row = tile / across * TILE + i / TILE, col = tile % across * TILE + i % TILE - s->shape.lead;
      if (row >= s->shape.rows || col < 0 || col >= s->shape.cols) continue;
      const judged j = judge(s, t, row, col);
      if (j.searched && !j.zero) most = fmax(most, j.upper);
    }
    CONF_EXPECT(tiles[tile] >= most - 1e-6 && tiles[tile] <= most + NEAR(&s->tasks[t]),
                "tile %lld of template %lld: %.8g, expected %.8g", (long long)tile, (long long)t, (double)tiles[tile],
                most);
  }
}

/** Every position that reaches the best is in the list once, and none that is clearly below. */
static void check_list(const search *s, int64_t t, const ncc_gpu_head *head, const ncc_gpu_item *items, double best) {
  const int64_t cols = s->shape.cols, n = ncc_min(head->count, s->capacity);
  char *listed = calloc((size_t)(s->shape.rows * cols), 1);
  int64_t twice = 0, below = 0, other = 0, missing = 0, some = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t at = (int64_t)items[i].at;
    if (at < 0 || at >= s->shape.rows * cols) {
      other++;
      continue;
    }
    const judged j = judge(s, t, at / cols, at % cols);
    twice += listed[at]++;
    below += !j.searched || j.zero || j.upper < best - 1e-6 - NEAR(&s->tasks[t]);
    const bool same = fabs(items[i].numerator - j.numerator) <= 1e-5 || !isfinite(j.numerator);
    other += !same || items[i].ssd != *ssd_of(s, at / cols, at % cols);
  }
  for (int64_t at = 0; at < s->shape.rows * cols; at++) {
    const judged j = judge(s, t, at / cols, at % cols);
    const bool reaches = j.searched && !j.zero && j.upper >= best;
    some += reaches;
    missing += reaches && !listed[at];
  }
  if (some <= s->capacity)
    CONF_EXPECT(missing == 0, "%lld candidates of template %lld are missing", (long long)missing, (long long)t);
  CONF_EXPECT(head->count >= some, "%u candidates of template %lld, of %lld", head->count, (long long)t,
              (long long)some);
  CONF_EXPECT(twice == 0 && below == 0 && other == 0, "template %lld: %lld twice, %lld too low, %lld with other values",
              (long long)t, (long long)twice, (long long)below, (long long)other);
  free(listed);
}

static void check(const search *s, const char *what) {
  conf_label("%s: %lldx%lld, %lld before", what, (long long)s->shape.rows, (long long)s->shape.cols,
             (long long)s->shape.lead);
  found f = run(s);
  for (int64_t t = 0; t < TEMPLATES; t++) {
    const ncc_gpu_head *head = &f.heads[t];
    if (t < s->first || t >= s->after) {
      CONF_EXPECT(head->zero == 0 && head->best == 0 && head->count == 0, "template %lld was looked at", (long long)t);
      continue;
    }
    double best = -2;
    bool any_sure = false;
    unsigned long long zero = 0;
    for (int64_t at = s->shape.rows * s->shape.cols - 1; at >= 0; at--) {
      const judged j = judge(s, t, at / s->shape.cols, at % s->shape.cols);
      if (!j.searched) continue;
      if (j.zero) zero = ~(unsigned long long)at;
      if (j.sure) best = fmax(best, j.lower);
      any_sure |= j.sure;
    }
    const double is = head->best ? bound_of(head->best) : -2;
    CONF_EXPECT(any_sure == (head->best != 0), "template %lld: whether any position is sure", (long long)t);
    CONF_EXPECT(is <= best + 1e-6 && is >= best - NEAR(&s->tasks[t]), "template %lld: best %.8g, expected %.8g",
                (long long)t, is, best);
    CONF_EXPECT(head->zero == zero, "template %lld: first zero %lld, expected %lld", (long long)t,
                (long long)~head->zero, (long long)~zero);
    check_tiles(s, t, f.tiles + t * ncc_gpu_tiles(&s->shape));
    check_list(s, t, head, f.items + t * s->capacity, zero ? fmax(is, 0) : is);
  }
  free(f.items);
  free(f.tiles);
}

/** Nothing but plain positions, wherever 16 bytes begin; rows of which parts are searched; boxes left out. */
void kernels_sure_peaks(void) {
  for (int64_t lead = 0; lead < 4; lead++) {
    search s = make(70, 93 - lead, lead, false);
    check(&s, "all searched");
    s.first = 9;
    s.after = 10;
    check(&s, "one of the templates");
    s.first = 0;
    s.after = TEMPLATES;
    for (int64_t row = 0; row < 70; row++) {
      s.spans[2 * row] = row % 45;
      s.spans[2 * row + 1] = row == 20 ? 20 : 90 - lead - row % 7;
    }
    check(&s, "parts of rows");
    const int64_t boxes[] = {3, 10, 40, 61, 35, 58, 70, 80};
    memcpy(s.excluded, boxes, sizeof boxes);
    s.n_excluded = BOXES;
    check(&s, "without two boxes");
    for (int t = 0; t < TEMPLATES; t++) s.tasks[t].slack = s.tasks[t].absolute_slack = 1e-3f;
    check(&s, "with slack");
    release(&s);
  }
  search s = make(1, 1, 3, false);
  check(&s, "one position");
  release(&s);
}

/** Tiles of which nothing but the threshold of one or another template makes a close look necessary. */
static void thresholds_apart(void) {
  search s = make(64, 128, 0, false);
  for (int t = 0; t < TEMPLATES; t++) {
    s.tasks[t].zero_lo = t % 2 ? 0.85f : 0.9f;
    s.tasks[t].zero_hi = t % 2 ? 1 : 0.95f;
  }
  for (int64_t row = 0; row < 64; row++)
    for (int64_t col = 0; col < 128; col++) {
      const bool some = (row * 31 + col * 17) % 41 == 0;
      *ssd_of(&s, row, col) = !some ? 1.1f : col < 64 ? 0.97f : 0.87f;  // above one zero_hi, above one zero_lo
      for (int64_t t = 0; some && t < TEMPLATES; t++) *numerator_of(&s, row, t, col) = 0.96f / s.tasks[t].inv_norm;
    }
  check(&s, "thresholds apart");
  release(&s);
}

/** Zeros, windows of doubtful ssd, thresholds that differ from template to template, what is no number. */
void kernels_doubtful_peaks(void) {
  thresholds_apart();
  search s = make(80, 130, 1, false);
  for (int64_t row = 40; row < 60; row++)  // a tile of zeros and sure positions needs no close look
    for (int64_t col = 3; col < 20; col++) *ssd_of(&s, row, col) = 0;
  check(&s, "zeros");
  for (int64_t i = 0; i < 80 * TEMPLATES * s.stride; i++) s.numerators[i] = -fabsf(s.numerators[i]) - 0.2f;
  check(&s, "zeros, and else less");
  for (int64_t row = 0; row < 30; row++)
    for (int64_t col = 70; col < 90; col++) *ssd_of(&s, row, col) = row % 2 ? -0.5f : -1e-37f;
  check(&s, "doubtful windows");
  for (int t = 0; t < TEMPLATES; t++) {
    s.tasks[t].zero_lo = t % 2 ? 0.9f : 0.85f;
    s.tasks[t].zero_hi = t % 2 ? 1 : 0.95f;
  }
  check(&s, "thresholds");
  for (int t = 0; t < TEMPLATES; t++) s.tasks[t].zero_lo = s.tasks[t].zero_hi = 2;
  check(&s, "all below the threshold");
  release(&s);
  s = make(64, 64, 0, false);
  *numerator_of(&s, 40, 2, 50) = NAN;
  *numerator_of(&s, 7, 5, 20) = INFINITY;
  check(&s, "no numbers");
  *ssd_of(&s, 7, 20) = -0.1f;
  check(&s, "no number where the ssd is in doubt");
  release(&s);
}

/** A centre that is put back where the template overhangs: on all sides. */
void kernels_overhanging_peaks(void) {
  for (int64_t lead = 0; lead < 4; lead += 3) {
    search s = make(100, 118, lead, true);
    check(&s, "overhanging");
    release(&s);
  }
}

/** More than there is room for; and equal ones, which must all be there. */
void kernels_many_peaks(void) {
  search s = make(50, 60, 2, false);
  for (int t = 0; t < TEMPLATES; t++) s.tasks[t].error *= 8;
  s.capacity = 16;
  check(&s, "a short list");
  s.capacity = CAPACITY;
  for (int64_t at = 0; at < 50 * 60; at++)
    for (int64_t t = 0; t < TEMPLATES; t++)
      *numerator_of(&s, at / 60, t, at % 60) = (float)(0.5 * sqrt(*ssd_of(&s, at / 60, at % 60)) / s.tasks[t].inv_norm);
  for (int t = 0; t < TEMPLATES; t++) s.tasks[t].error = s.tasks[t].slack = s.tasks[t].absolute_slack = 0;
  conf_label("equal ones");
  found f = run(&s);
  for (int t = 0; t < TEMPLATES; t++)
    CONF_EXPECT(f.heads[t].count == 50 * 60, "template %d: %u of %d equal ones", t, f.heads[t].count, 50 * 60);
  free(f.items);
  free(f.tiles);
  release(&s);
}
