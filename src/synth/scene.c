#include "synth/scene.h"
#include "base/buffer.h"

#include <math.h>
#include <stdlib.h>

/* Cells are an additively weighted Voronoi diagram of jittered sites, seen through a smooth random warp: with F1 <= F2
 * the two smallest values of |p - site| - weight, the membrane runs where F2 = F1. Every organelle belongs to a site
 * and lies in the circle around it that no membrane enters. Points are sampled in blocks small enough that only the few
 * sites near a block matter to it. */

enum {
  BLOCK = 16, /* points in a block's edge */
  POINTS = BLOCK * BLOCK,
  TABLE = 256,        /* lattice values in the noise table's edge */
  RINGS = 2,          /* sites further than this many cells away are never the nearest two */
  MARGIN = RINGS + 2, /* cells around the scene: RINGS and the reach of the warp */
  MAX_NEAR = 256      /* sites around one block */
};

typedef enum organelle_kind { VESICLE, DENSE_VESICLE, MITOCHONDRION } organelle_kind;

typedef struct organelle {
  organelle_kind kind;
  float y, x;         /* centre */
  float a, b;         /* half axes; a = b for vesicles */
  float cosine, sine; /* direction of the long axis */
  float phase;        /* of the cristae */
  float reach;        /* nothing of it lies further from the centre */
} organelle;

typedef struct cell_site {
  float y, x, weight;
  float tone;     /* grey level of the cytoplasm */
  float inner;    /* radius of the circle that no membrane enters */
  int first, end; /* its organelles */
} cell_site;

struct ncc_scene {
  uint64_t seed;
  float scale, pitch;           /* pitch: pixels from a site to the next */
  float half_y, half_x;         /* half of the scene's size: where the gradient of the drift is zero */
  float slope_y, slope_x;       /* of the drift, grey levels from the centre to an edge */
  int64_t site_rows, site_cols; /* grid of sites, MARGIN included */
  cell_site *sites;             /* [site_rows, site_cols] */
  organelle *organelles;
  int n_organelles;
  float (*noise)[2]; /* [TABLE * TABLE] two independent values in [-1, 1) */
};

/* ---- random numbers ------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

ncc_random ncc_random_seeded(uint64_t seed, uint64_t a, uint64_t b) {
  const uint64_t golden = 0x9e3779b97f4a7c15u;
  return (ncc_random){mix(mix(mix(seed + golden) + a + golden) + b + golden)};
}

uint64_t ncc_random_bits(ncc_random *random) {
  return mix(random->state += 0x9e3779b97f4a7c15u);
}

float ncc_random_unit(ncc_random *random) {
  return (float)(ncc_random_bits(random) >> 40) * 0x1p-24f;
}

int64_t ncc_random_below(ncc_random *random, int64_t n) {
  return (int64_t)(((ncc_random_bits(random) >> 32) * (uint64_t)n) >> 32);
}

static float between(ncc_random *random, float low, float high) {
  return low + (high - low) * ncc_random_unit(random);
}

/** A random direction without trigonometry: a point of the disc, scaled to the circle. */
static void direction(ncc_random *random, float *cosine, float *sine) {
  for (;;) {
    const float u = between(random, -1, 1), v = between(random, -1, 1), square = u * u + v * v;
    if (square < 0.01f || square > 1) continue;
    const float length = sqrtf(square);
    *cosine = u / length;
    *sine = v / length;
    return;
  }
}

/* ---- invention ------------------------------------------------------------------------------------------------ */

static cell_site *site_at(const ncc_scene *scene, int64_t row, int64_t col) {
  return &scene->sites[row * scene->site_cols + col];
}

static void place_sites(ncc_scene *scene) {
  const float pitch = scene->pitch, jitter = 0.36f * pitch;
  ncc_random random = ncc_random_seeded(scene->seed, 1, 0);
  for (int64_t row = 0; row < scene->site_rows; ++row)
    for (int64_t col = 0; col < scene->site_cols; ++col) {
      cell_site *site = site_at(scene, row, col);
      site->y = ((float)(row - MARGIN) + 0.5f) * pitch + between(&random, -jitter, jitter);
      site->x = ((float)(col - MARGIN) + 0.5f) * pitch + between(&random, -jitter, jitter);
      const float large = ncc_random_unit(&random);
      site->weight = 0.5f * pitch * large * large;
      site->tone = between(&random, 138, 178);
      if (ncc_random_unit(&random) < 0.12f) site->tone -= 30; /* a dark process here and there */
    }
}

static void measure_inner(ncc_scene *scene, int64_t row, int64_t col) {
  cell_site *site = site_at(scene, row, col);
  float inner = scene->pitch;
  for (int64_t r = row - RINGS; r <= row + RINGS; ++r)
    for (int64_t c = col - RINGS; c <= col + RINGS; ++c) {
      if (r < 0 || c < 0 || r >= scene->site_rows || c >= scene->site_cols || (r == row && c == col)) continue;
      const cell_site *other = site_at(scene, r, c);
      const float dy = other->y - site->y, dx = other->x - site->x;
      const float radius = 0.5f * (sqrtf(dy * dy + dx * dx) + site->weight - other->weight);
      if (radius < inner) inner = radius;
    }
  site->inner = inner;
}

static ncc_status add_organelle(ncc_scene *scene, int64_t *capacity, const organelle *item) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_list_grow(&scene->organelles, scene->n_organelles + 1, capacity, sizeof *item,
                        "organelles of a synthetic image"));
  scene->organelles[scene->n_organelles++] = *item;
cleanup:
  return status;
}

/** Moves an organelle to a random place in its cell where it touches no other. @return false where none was found. */
static bool settle(const ncc_scene *scene, const cell_site *site, ncc_random *random, organelle *item) {
  const float free_radius = site->inner - item->reach - 3 * scene->scale;
  for (int attempt = 0; free_radius > 0 && attempt < 6; ++attempt) {
    const float u = between(random, -1, 1), v = between(random, -1, 1);
    if (u * u + v * v > 1) continue;
    item->y = site->y + u * free_radius;
    item->x = site->x + v * free_radius;
    bool collides = false;
    for (int i = site->first; i < scene->n_organelles && !collides; ++i) {
      const organelle *other = &scene->organelles[i];
      const float dy = other->y - item->y, dx = other->x - item->x, least = other->reach + item->reach;
      collides = dy * dy + dx * dx < least * least;
    }
    if (!collides) return true;
  }
  return false;
}

static ncc_status fill_cell(ncc_scene *scene, cell_site *site, ncc_random *random, int64_t *capacity) {
  ncc_status status = NCC_OK;
  const float scale = scene->scale, room = site->inner - 3 * scale;
  site->first = scene->n_organelles;
  const float large = room / (22 * scale);
  const int mitochondria = large > 1 && ncc_random_unit(random) < 0.75f ? 1 + (large > 1.4f) : 0;
  for (int i = 0; i < mitochondria; ++i) {
    organelle item = {.kind = MITOCHONDRION, .phase = ncc_random_unit(random)};
    item.a = between(random, 0.5f, 0.85f) * room;
    item.b = between(random, 0.5f, 0.9f) * item.a;
    item.reach = item.a + 2 * scale;
    direction(random, &item.cosine, &item.sine);
    if (settle(scene, site, random, &item)) NCC_TRY(add_organelle(scene, capacity, &item));
  }
  if (room > 6 * scale) {
    const float unit = ncc_random_unit(random),
                crowding = unit * unit * unit; /* few cells are full, most nearly empty */
    const int vesicles = (int)(crowding * 1.1f * (room / (5 * scale)) * (room / (5 * scale)) + 2 * unit);
    for (int i = 0; i < vesicles; ++i) {
      organelle item = {.kind = ncc_random_unit(random) < 0.1f ? DENSE_VESICLE : VESICLE, .cosine = 1};
      item.a = item.b = between(random, 2.8f, 4.2f) * scale;
      item.reach = item.a + 1.6f * scale;
      if (settle(scene, site, random, &item)) NCC_TRY(add_organelle(scene, capacity, &item));
    }
  }
  site->end = scene->n_organelles;
cleanup:
  return status;
}

ncc_status ncc_scene_create(uint64_t seed, int64_t rows, int64_t cols, double scale, ncc_scene **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_scene *scene = calloc(1, sizeof *scene);
  NCC_CHECK(scene, NCC_ERR_NOMEM, "no memory for a synthetic image");
  scene->seed = seed;
  scene->scale = (float)scale;
  scene->pitch = 74 * scene->scale;
  scene->half_y = 0.5f * (float)rows;
  scene->half_x = 0.5f * (float)cols;
  scene->site_rows = (int64_t)((float)rows / scene->pitch) + 1 + 2 * MARGIN;
  scene->site_cols = (int64_t)((float)cols / scene->pitch) + 1 + 2 * MARGIN;
  scene->sites = calloc((size_t)(scene->site_rows * scene->site_cols), sizeof *scene->sites);
  scene->noise = malloc(sizeof *scene->noise * TABLE * TABLE);
  NCC_CHECK(scene->sites && scene->noise, NCC_ERR_NOMEM, "no memory for a synthetic image of %lld x %lld pixels",
            (long long)rows, (long long)cols);

  ncc_random random = ncc_random_seeded(seed, 0, 0);
  for (size_t i = 0; i < (size_t)TABLE * TABLE; ++i)
    for (int k = 0; k < 2; ++k) scene->noise[i][k] = between(&random, -1, 1);
  scene->slope_y = between(&random, -14, 14);
  scene->slope_x = between(&random, -14, 14);
  place_sites(scene);
  for (int64_t row = 0; row < scene->site_rows; ++row)
    for (int64_t col = 0; col < scene->site_cols; ++col) measure_inner(scene, row, col);
  int64_t capacity = 0;
  for (int64_t i = 0; i < scene->site_rows * scene->site_cols; ++i) {
    ncc_random own = ncc_random_seeded(seed, 2, (uint64_t)i);
    NCC_TRY(fill_cell(scene, &scene->sites[i], &own, &capacity));
  }
  *out = scene;
  scene = NULL;
cleanup:
  ncc_scene_destroy(&scene);
  return status;
}

void ncc_scene_destroy(ncc_scene **scene) {
  if (!*scene) return;
  free((*scene)->sites);
  free((*scene)->organelles);
  free((*scene)->noise);
  free(*scene);
  *scene = NULL;
}

/* ---- sampling ------------------------------------------------------------------------------------------------- */

/** Two values of the noise table at an integer lattice point. Every period of the table is shifted against the last. */
static const float *lattice(const ncc_scene *scene, int row, int col) {
  const unsigned r = (unsigned)(row + 91 * (col >> 8)) & (TABLE - 1),
                 c = (unsigned)(col + 37 * (row >> 8)) & (TABLE - 1);
  return scene->noise[r * TABLE + c];
}

/** Two independent smooth noises in [-1, 1) with a knot every `spacing` pixels. `shift` tells the octaves apart. */
static void smooth_noise(const ncc_scene *scene, float spacing, int shift, const float *y, const float *x, float *first,
                         float *second) {
  const float inverse = 1 / spacing, bias = 1024; /* keeps the argument positive: truncation is then the floor */
  for (int i = 0; i < POINTS; ++i) {
    const float fy = y[i] * inverse + bias, fx = x[i] * inverse + bias;
    const int row = (int)fy, col = (int)fx;
    const float ty = fy - (float)row, tx = fx - (float)col;
    const float sy = ty * ty * (3 - 2 * ty), sx = tx * tx * (3 - 2 * tx);
    const float *v00 = lattice(scene, row + shift, col), *v01 = lattice(scene, row + shift, col + 1);
    const float *v10 = lattice(scene, row + shift + 1, col), *v11 = lattice(scene, row + shift + 1, col + 1);
    const float top = v00[0] + sx * (v01[0] - v00[0]), bottom = v10[0] + sx * (v11[0] - v10[0]);
    first[i] = top + sy * (bottom - top);
    if (second) {
      const float top2 = v00[1] + sx * (v01[1] - v00[1]), bottom2 = v10[1] + sx * (v11[1] - v10[1]);
      second[i] = top2 + sy * (bottom2 - top2);
    }
  }
}

/** 1 at t = 0, falling smoothly to 0 at |t| = 1. */
static inline float bump(float t) {
  const float s = 1 - t * t;
  return s > 0 ? s * s : 0;
}

/** 0 below a, 1 above b, smooth between. */
static inline float ramp(float a, float b, float t) {
  float s = (t - a) / (b - a);
  s = s < 0 ? 0 : s > 1 ? 1 : s;
  return s * s * (3 - 2 * s);
}

typedef struct box {
  float y0, x0, y1, x1;
} box;

static box bound(const float *y, const float *x) {
  box b = {y[0], x[0], y[0], x[0]};
  for (int i = 1; i < POINTS; ++i) {
    b.y0 = y[i] < b.y0 ? y[i] : b.y0;
    b.y1 = y[i] > b.y1 ? y[i] : b.y1;
    b.x0 = x[i] < b.x0 ? x[i] : b.x0;
    b.x1 = x[i] > b.x1 ? x[i] : b.x1;
  }
  return b;
}

/** Least and greatest distance of a point from a box. */
static void box_distances(const box *b, float y, float x, float *least, float *greatest) {
  const float below = b->y0 - y, above = y - b->y1, left = b->x0 - x, right = x - b->x1;
  const float near_y = fmaxf(0, fmaxf(below, above)), near_x = fmaxf(0, fmaxf(left, right));
  const float far_y = fmaxf(-below, -above), far_x = fmaxf(-left, -right);
  *least = sqrtf(near_y * near_y + near_x * near_x);
  *greatest = sqrtf(far_y * far_y + far_x * far_x);
}

static int64_t clamp(int64_t value, int64_t highest) {
  return value < 0 ? 0 : value > highest ? highest : value;
}

/** The sites that can be among the nearest two of any point in the box. */
static int near_sites(const ncc_scene *scene, const box *b, const cell_site **near) {
  float least[MAX_NEAR], greatest, first = INFINITY, second = INFINITY;
  const int64_t row0 = (int64_t)(b->y0 / scene->pitch + MARGIN) - RINGS,
                row1 = (int64_t)(b->y1 / scene->pitch + MARGIN) + RINGS;
  const int64_t col0 = (int64_t)(b->x0 / scene->pitch + MARGIN) - RINGS,
                col1 = (int64_t)(b->x1 / scene->pitch + MARGIN) + RINGS;
  int n = 0;
  for (int64_t row = clamp(row0, scene->site_rows - 1); row <= clamp(row1, scene->site_rows - 1); ++row)
    for (int64_t col = clamp(col0, scene->site_cols - 1); col <= clamp(col1, scene->site_cols - 1); ++col) {
      if (n == MAX_NEAR) break;
      const cell_site *site = site_at(scene, row, col);
      box_distances(b, site->y, site->x, &least[n], &greatest);
      least[n] -= site->weight;
      greatest -= site->weight;
      if (greatest < first) {
        second = first;
        first = greatest;
      } else if (greatest < second) {
        second = greatest;
      }
      near[n++] = site;
    }
  int kept = 0;
  for (int i = 0; i < n; ++i)
    if (least[i] <= second) near[kept++] = near[i];
  return kept;
}

/** The cytoplasm's tone and the distance from the nearest membrane at every point. */
static void sample_cells(const cell_site *const *near, int n, const float *y, const float *x, float *tone, float *gap) {
  float first[POINTS], second[POINTS];
  for (int i = 0; i < POINTS; ++i) {
    first[i] = second[i] = 1e30f;
    tone[i] = 0;
  }
  for (int k = 0; k < n; ++k) {
    const cell_site site = *near[k];
    for (int i = 0; i < POINTS; ++i) {
      const float dy = y[i] - site.y, dx = x[i] - site.x, d = sqrtf(dy * dy + dx * dx) - site.weight;
      const float behind = d < second[i] ? d : second[i];
      const bool nearest = d < first[i];
      second[i] = nearest ? first[i] : behind;
      tone[i] = nearest ? site.tone : tone[i];
      first[i] = nearest ? d : first[i];
    }
  }
  for (int i = 0; i < POINTS; ++i) gap[i] = 0.5f * (second[i] - first[i]);
}

static void draw_vesicle(const organelle *item, float scale, const float *y, const float *x, float *grey) {
  const float wall = 1 / (2.2f * scale), lumen = item->kind == DENSE_VESICLE ? -75 : 16;
  for (int i = 0; i < POINTS; ++i) {
    const float dy = y[i] - item->y, dx = x[i] - item->x, d = sqrtf(dy * dy + dx * dx) - item->a;
    const float inside = 1 - ramp(-3 * scale, 0, d);
    grey[i] += lumen * inside - 62 * bump(d * wall);
  }
}

static void draw_mitochondrion(const organelle *item, float scale, const float *y, const float *x, const float *wiggle,
                               float *grey) {
  const float inverse_a = 1 / item->a, inverse_b = 1 / item->b, spacing = 1 / (9 * scale);
  for (int i = 0; i < POINTS; ++i) {
    const float dy = y[i] - item->y, dx = x[i] - item->x;
    const float u = (item->cosine * dx + item->sine * dy), v = (item->cosine * dy - item->sine * dx);
    const float qu = u * inverse_a, qv = v * inverse_b, q = sqrtf(qu * qu + qv * qv);
    const float d = (q - 1) * item->b; /* about the distance from the outer membrane */
    if (d > 4 * scale) continue;
    const float wave = (u + 5 * scale * wiggle[i]) * spacing + item->phase + 64, t = wave - (float)(int)wave;
    const float crista = ramp(0.45f, 0.95f, 1 - 2 * fabsf(2 * t - 1)) * ramp(1.5f * scale, 4 * scale, -d) *
                         ramp(-0.45f, 0.05f, wiggle[i] + 0.35f * qv);
    const float matrix = ramp(-1.5f * scale, 1.5f * scale, -d);
    const float walls = bump(d / (2.3f * scale)) + 0.55f * bump((d + 3.6f * scale) / (1.8f * scale));
    grey[i] -= 34 * matrix + 48 * crista + 58 * walls;
  }
}

/** Grey levels of POINTS points that lie close together. */
static void sample_block(const ncc_scene *scene, const float *y, const float *x, float *grey) {
  const float scale = scene->scale;
  float wy[POINTS], wx[POINTS], a[POINTS], b[POINTS], wiggle[POINTS], gap[POINTS];
  smooth_noise(scene, 0.8f * scene->pitch, 0, y, x, wy, wx);
  smooth_noise(scene, 24 * scale, 50, y, x, a, b);
  for (int i = 0; i < POINTS; ++i) {
    wy[i] = y[i] + scale * (26 * wy[i] + 6 * a[i]);
    wx[i] = x[i] + scale * (26 * wx[i] + 6 * b[i]);
    wiggle[i] = a[i];
  }
  const box bounds = bound(wy, wx);
  const cell_site *near[MAX_NEAR];
  const int n = near_sites(scene, &bounds, near);
  sample_cells(near, n, wy, wx, grey, gap);

  smooth_noise(scene, 3 * scale + 1, 100, y, x, a, NULL);
  smooth_noise(scene, 7 * scale + 1, 150, y, x, b, NULL);
  for (int i = 0; i < POINTS; ++i) {
    const float dense = ramp(0.35f, 0.8f, wiggle[i]); /* thicker and darker here and there, as at synapses */
    const float membrane = bump(gap[i] / ((4.6f + 3 * dense) * scale)), cleft = bump(gap[i] / (1.7f * scale));
    grey[i] += 13 * a[i] + 12 * b[i] - (92 + 16 * dense) * membrane + 34 * cleft;
  }
  for (int k = 0; k < n; ++k)
    for (int o = near[k]->first; o < near[k]->end; ++o) {
      const organelle *item = &scene->organelles[o];
      if (item->y + item->reach < bounds.y0 || item->y - item->reach > bounds.y1 || item->x + item->reach < bounds.x0 ||
          item->x - item->reach > bounds.x1)
        continue;
      if (item->kind == MITOCHONDRION)
        draw_mitochondrion(item, scale, wy, wx, wiggle, grey);
      else
        draw_vesicle(item, scale, wy, wx, grey);
    }

  smooth_noise(scene, 5 * scene->pitch, 200, y, x, a, b);
  const float step_y = scene->slope_y / scene->half_y, step_x = scene->slope_x / scene->half_x;
  for (int i = 0; i < POINTS; ++i) {
    const float drift = step_y * (y[i] - scene->half_y) + step_x * (x[i] - scene->half_x) + 10 * a[i];
    grey[i] = 132 + drift + (1 + 0.18f * b[i]) * (grey[i] - 132);
  }
}

void ncc_scene_locate(const ncc_scene_grid *grid, double i, double j, double *y, double *x) {
  const double dy = i - 0.5 * (double)(grid->rows - 1), dx = j - 0.5 * (double)(grid->cols - 1);
  *y = grid->centre_y + (grid->cosine * dy - grid->sine * dx);
  *x = grid->centre_x + (grid->sine * dy + grid->cosine * dx);
}

void ncc_scene_render(const ncc_scene *scene, const ncc_scene_grid *grid, float *pixels) {
  float y[POINTS], x[POINTS], grey[POINTS];
  for (int64_t row = 0; row < grid->rows; row += BLOCK)
    for (int64_t col = 0; col < grid->cols; col += BLOCK) {
      for (int i = 0; i < POINTS; ++i) { /* a block may hang over the grid's edge: those points are not copied */
        double py, px;
        ncc_scene_locate(grid, (double)(row + i / BLOCK), (double)(col + i % BLOCK), &py, &px);
        y[i] = (float)py;
        x[i] = (float)px;
      }
      sample_block(scene, y, x, grey);
      const int64_t rows = grid->rows - row < BLOCK ? grid->rows - row : BLOCK;
      const int64_t cols = grid->cols - col < BLOCK ? grid->cols - col : BLOCK;
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < cols; ++j) pixels[(row + i) * grid->cols + col + j] = grey[i * BLOCK + j];
    }
}
