#include "synth/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "synth/scene.h"

typedef struct preset_row {
  const char *name;
  int64_t image_rows, image_cols, template_rows, template_cols, images, templates;
  ncc_dtype dtype;
  double scale;
} preset_row;

static const preset_row PRESETS[] = {
#define PRESET_ROW(id, ...) [id] = {__VA_ARGS__},
    NCC_SYNTH_TABLE(PRESET_ROW)
#undef PRESET_ROW
};

enum { DISTINCT_PX = 16, PLACING_ATTEMPTS = 64, CLIMB_PX = 3 };

/** Of the image's variance, what the patch of a template has at least. */
static const double LEAST_CONTRAST = 0.4;

/** What the random numbers of an image are for: each use has a sequence of its own. */
enum { FOR_SCENE, FOR_IMAGE_NOISE, FOR_PLACES, FOR_TEMPLATES };

typedef struct place {
  int64_t y, x; /* top-left pixel of the cut */
} place;

struct ncc_synth {
  ncc_synth_shape shape;
  ncc_synth_preset preset;
  uint64_t seed;
  double scale;
  float noise;
  bool subpixel;
  double turn_deg;
  int64_t current; /* image */
  ncc_scene *scene;
  place *places;       /* [shape.templates] */
  float *grey;         /* [image_rows, image_cols], also used for templates */
  void *image, *templ; /* pixels as stored */
  double *centred;     /* [template_rows, template_cols] the template minus its mean */
  double *row;         /* [template_cols] */
};

const char *ncc_synth_preset_name(ncc_synth_preset preset) {
  return PRESETS[preset].name;
}

static ncc_random sequence(const ncc_synth *synth, int purpose, int64_t index) {
  const ncc_random image = ncc_random_seeded(synth->seed, (uint64_t)synth->current, (uint64_t)purpose);
  return ncc_random_seeded(image.state, (uint64_t)index, 0);
}

/* ---- pixels as stored ----------------------------------------------------------------------------------------- */

/** Nearest binary16 of a number well inside its range; ties to even. */
static uint16_t half_from_double(double value) {
  const uint16_t sign = value < 0 ? 0x8000 : 0;
  double magnitude = fabs(value);
  if (magnitude < 0x1p-14) return sign | (uint16_t)nearbyint(magnitude * 0x1p24); /* subnormal, or the least normal */
  int exponent = 15;
  for (; magnitude >= 2; magnitude *= 0.5) ++exponent;
  for (; magnitude < 1; magnitude *= 2) --exponent;
  return sign | (uint16_t)((exponent << 10) + (int)nearbyint((magnitude - 1) * 1024)); /* a carry raises the exponent */
}

static double half_to_double(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const double magnitude = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  return half & 0x8000 ? -magnitude : magnitude;
}

static double whole(double value, double low, double high) {
  const double rounded = floor(value + 0.5);
  return rounded < low ? low : rounded > high ? high : rounded;
}

/** Stores a grey level (0 .. 255) as a pixel: integers use their whole range, floats have about mean 0 and deviation 1,
 *  as EM pipelines make them before they correlate. */
static void store(double grey, ncc_dtype dtype, void *pixels, int64_t i) {
  const double floating = (grey - 140) / 32;
  switch (dtype) {
    case NCC_U8:
      ((uint8_t *)pixels)[i] = (uint8_t)whole(grey, 0, UINT8_MAX);
      break;
    case NCC_I8:
      ((int8_t *)pixels)[i] = (int8_t)whole(grey - 128, INT8_MIN, INT8_MAX);
      break;
    case NCC_U16:
      ((uint16_t *)pixels)[i] = (uint16_t)whole(grey * 0x1p8, 0, UINT16_MAX);
      break;
    case NCC_I16:
      ((int16_t *)pixels)[i] = (int16_t)whole((grey - 128) * 0x1p8, INT16_MIN, INT16_MAX);
      break;
    case NCC_U32:
      ((uint32_t *)pixels)[i] = (uint32_t)whole(grey * 0x1p24, 0, UINT32_MAX);
      break;
    case NCC_I32:
      ((int32_t *)pixels)[i] = (int32_t)whole((grey - 128) * 0x1p24, INT32_MIN, INT32_MAX);
      break;
    case NCC_F16:
      ((uint16_t *)pixels)[i] = half_from_double(floating);
      break;
    case NCC_F32:
      ((float *)pixels)[i] = (float)floating;
      break;
    case NCC_F64:
      ((double *)pixels)[i] = floating;
      break;
    case NCC_DTYPE_COUNT:
      break;
  }
}

/** Reads n pixels from pixel `first` on. */
static void load(const void *pixels, ncc_dtype dtype, int64_t first, int64_t n, double *values) {
  switch (dtype) {
#define LOAD_CASE(id, type, convert)                                                        \
  case id:                                                                                  \
    for (int64_t j = 0; j < n; ++j) values[j] = convert(((const type *)pixels)[first + j]); \
    break;
    LOAD_CASE(NCC_U8, uint8_t, (double))
    LOAD_CASE(NCC_I8, int8_t, (double))
    LOAD_CASE(NCC_U16, uint16_t, (double))
    LOAD_CASE(NCC_I16, int16_t, (double))
    LOAD_CASE(NCC_U32, uint32_t, (double))
    LOAD_CASE(NCC_I32, int32_t, (double))
    LOAD_CASE(NCC_F16, uint16_t, half_to_double)
    LOAD_CASE(NCC_F32, float, (double))
    LOAD_CASE(NCC_F64, double, (double))
#undef LOAD_CASE
    case NCC_DTYPE_COUNT:
      break;
  }
}

/** About a normal deviate: the sum of four uniform ones, scaled to deviation 1. */
static float deviate(ncc_random *random) {
  const uint64_t bits = ncc_random_bits(random);
  const int32_t sum = (int32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
  return (float)(sum - 2 * 0xffff) * (1.7320508f / 65536);
}

/** Shot noise: its variance is proportional to the grey level. */
static float expose(const ncc_synth *synth, float grey, ncc_random *random) {
  return grey + synth->noise * sqrtf(fmaxf(grey, 0) * (1 / 128.0f)) * deviate(random);
}

/* ---- the answer, by direct sums ------------------------------------------------------------------------------- */

static double sum(const double *values, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += values[i];
  return total;
}

/** The current template minus its mean. @return its sum of squares. */
static double centre_template(ncc_synth *synth) {
  const int64_t rows = synth->shape.template_rows, cols = synth->shape.template_cols;
  load(synth->templ, synth->shape.dtype, 0, rows * cols, synth->centred);
  double total = 0, squares = 0;
  for (int64_t i = 0; i < rows; ++i) total += sum(synth->centred + i * cols, cols);
  const double mean = total / (double)(rows * cols);
  for (int64_t i = 0; i < rows; ++i) {
    double row_squares = 0;
    for (int64_t k = i * cols; k < (i + 1) * cols; ++k) {
      synth->centred[k] -= mean;
      row_squares += synth->centred[k] * synth->centred[k];
    }
    squares += row_squares;
  }
  return squares;
}

/** NCC of the centred template with the window whose top-left pixel is (y, x), inside the image: two passes. */
static double evaluate(const ncc_synth *synth, double template_squares, int64_t y, int64_t x) {
  const ncc_synth_shape *s = &synth->shape;
  const int64_t rows = s->template_rows, cols = s->template_cols;
  double *window = synth->row, total = 0, squares = 0, products = 0;
  for (int64_t i = 0; i < rows; ++i) {
    load(synth->image, s->dtype, (y + i) * s->image_cols + x, cols, window);
    total += sum(window, cols);
  }
  const double mean = total / (double)(rows * cols);
  for (int64_t i = 0; i < rows; ++i) {
    const double *centred = synth->centred + i * cols;
    double row_squares = 0, row_products = 0;
    load(synth->image, s->dtype, (y + i) * s->image_cols + x, cols, window);
    for (int64_t j = 0; j < cols; ++j) {
      const double w = window[j] - mean;
      row_squares += w * w;
      row_products += w * centred[j];
    }
    squares += row_squares;
    products += row_products;
  }
  return products / sqrt(squares * template_squares);
}

/** From *at to the nearest local maximum. @return the NCC there; NaN if that is more than CLIMB_PX away. */
static double climb(const ncc_synth *synth, double template_squares, place *at) {
  const ncc_synth_shape *s = &synth->shape;
  const place start = *at;
  double best = evaluate(synth, template_squares, at->y, at->x);
  for (;;) {
    const place centre = *at;
    for (int64_t y = centre.y - 1; y <= centre.y + 1; ++y)
      for (int64_t x = centre.x - 1; x <= centre.x + 1; ++x) {
        if (y < 0 || x < 0 || y > s->image_rows - s->template_rows || x > s->image_cols - s->template_cols) continue;
        if (y == centre.y && x == centre.x) continue;
        const double value = evaluate(synth, template_squares, y, x);
        if (value <= best) continue;
        best = value;
        *at = (place){y, x};
      }
    if (at->y == centre.y && at->x == centre.x) return best;
    if (llabs(at->y - start.y) > CLIMB_PX || llabs(at->x - start.x) > CLIMB_PX) return NAN;
  }
}

/* ---- the series ----------------------------------------------------------------------------------------------- */

ncc_status ncc_synth_create(const ncc_synth_options *options, ncc_synth **out) {
  ncc_status status = NCC_OK;
  ncc_synth *synth = NULL;
  *out = NULL;
  NCC_CHECK((unsigned)options->preset < NCC_SYNTH_PRESET_COUNT, NCC_ERR_USAGE, "synthetic data: no preset %d",
            (int)options->preset);
  const preset_row *chosen = &PRESETS[options->preset];
  NCC_CHECK(options->images >= 0 && options->images <= INT32_MAX && options->templates >= 0 &&
                options->templates <= INT32_MAX,
            NCC_ERR_USAGE, "synthetic data: found %lld images and %lld templates, expected 1 .. %d of each",
            (long long)options->images, (long long)options->templates, INT32_MAX);
  NCC_CHECK(options->noise >= 0 && options->noise <= NCC_SYNTH_MAX_NOISE, NCC_ERR_USAGE,
            "synthetic data: found noise %g, expected 0 .. %d", options->noise, NCC_SYNTH_MAX_NOISE);
  NCC_CHECK(!options->subpixel_shift || options->preset != NCC_SYNTH_SWEEP, NCC_ERR_USAGE,
            "synthetic data: found sub-pixel shifts for preset sweep, expected them for another preset");

  NCC_CHECK(options->turn_deg >= 0 && options->turn_deg <= NCC_SYNTH_MAX_TURN &&
                (options->turn_deg == 0 || options->preset != NCC_SYNTH_SWEEP),
            NCC_ERR_USAGE, "synthetic data: found a turn of %g degrees, expected 0 .. %d, and 0 for preset sweep",
            options->turn_deg, NCC_SYNTH_MAX_TURN);

  synth = calloc(1, sizeof *synth);
  NCC_CHECK(synth, NCC_ERR_NOMEM, "no memory for synthetic data");
  synth->preset = options->preset;
  synth->seed = options->seed;
  synth->scale = chosen->scale;
  synth->noise = (float)options->noise;
  synth->subpixel = options->subpixel_shift;
  synth->turn_deg = options->turn_deg;
  ncc_synth_shape *s = &synth->shape;
  *s = (ncc_synth_shape){.images = options->images ? options->images : chosen->images,
                         .image_rows = chosen->image_rows,
                         .image_cols = chosen->image_cols,
                         .templates = options->templates ? options->templates : chosen->templates,
                         .template_rows = chosen->template_rows,
                         .template_cols = chosen->template_cols,
                         .dtype = options->dtype < NCC_DTYPE_COUNT ? options->dtype : chosen->dtype};
  const size_t image_px = (size_t)(s->image_rows * s->image_cols);
  const size_t template_px = (size_t)(s->template_rows * s->template_cols);
  synth->places = calloc((size_t)s->templates, sizeof *synth->places);
  synth->grey = malloc(image_px * sizeof *synth->grey);
  synth->image = malloc(image_px * ncc_dtype_size(s->dtype));
  synth->templ = malloc(template_px * ncc_dtype_size(s->dtype));
  synth->centred = malloc(template_px * sizeof *synth->centred);
  synth->row = malloc((size_t)s->template_cols * sizeof *synth->row);
  NCC_CHECK(synth->places && synth->grey && synth->image && synth->templ && synth->centred && synth->row, NCC_ERR_NOMEM,
            "no memory for synthetic images of %lld x %lld pixels", (long long)s->image_rows, (long long)s->image_cols);
  *out = synth;
  synth = NULL;
cleanup:
  ncc_synth_destroy(&synth);
  return status;
}

void ncc_synth_destroy(ncc_synth **synth) {
  if (!*synth) return;
  ncc_scene_destroy(&(*synth)->scene);
  free((*synth)->places);
  free((*synth)->grey);
  free((*synth)->image);
  free((*synth)->templ);
  free((*synth)->centred);
  free((*synth)->row);
  free(*synth);
  *synth = NULL;
}

const ncc_synth_shape *ncc_synth_get_shape(const ncc_synth *synth) {
  return &synth->shape;
}

static bool is_distinct(const ncc_synth *synth, int64_t index) {
  const place *here = &synth->places[index];
  for (int64_t i = 0; i < index; ++i)
    if (llabs(synth->places[i].y - here->y) < DISTINCT_PX && llabs(synth->places[i].x - here->x) < DISTINCT_PX)
      return false;
  return true;
}

/** Variance of a part of the image's scene. */
static double variance(const ncc_synth *synth, int64_t y, int64_t x, int64_t rows, int64_t cols) {
  double total = 0, squares = 0;
  for (int64_t i = y; i < y + rows; ++i)
    for (int64_t j = x; j < x + cols; ++j) {
      const double grey = synth->grey[i * synth->shape.image_cols + j];
      total += grey;
      squares += grey * grey;
    }
  const double mean = total / (double)(rows * cols);
  return squares / (double)(rows * cols) - mean * mean;
}

/** Chooses where the templates are cut: apart from each other as long as there is room, and never where there is so
 *  little to see that noise could move the peak. */
static void choose_places(ncc_synth *synth) {
  const ncc_synth_shape *s = &synth->shape;
  const int64_t edge = synth->subpixel ? 1 : 0; /* a cut between pixels must not leave the image */
  const int64_t angles = synth->preset == NCC_SYNTH_SWEEP ? NCC_SYNTH_ANGLES : 1;
  const double least = LEAST_CONTRAST * variance(synth, 0, 0, s->image_rows, s->image_cols);
  ncc_random random = sequence(synth, FOR_PLACES, 0);
  bool room = true;
  for (int64_t i = 0; i < s->templates; ++i) {
    place *here = &synth->places[i];
    if (i % angles != 0) {
      *here = synth->places[i - 1];
      continue;
    }
    bool good = false;
    for (int attempt = 0; !good && attempt < PLACING_ATTEMPTS; ++attempt) {
      here->y = edge + ncc_random_below(&random, s->image_rows - s->template_rows + 1 - 2 * edge);
      here->x = edge + ncc_random_below(&random, s->image_cols - s->template_cols + 1 - 2 * edge);
      good = (!room || is_distinct(synth, i)) &&
             variance(synth, here->y, here->x, s->template_rows, s->template_cols) >= least;
    }
    if (!good && room) {
      room = false; /* the image is full: from here on templates may overlap */
      --i;
    }
  }
}

ncc_status ncc_synth_image(ncc_synth *synth, int64_t index, ncc_array *pixels) {
  ncc_status status = NCC_OK;
  const ncc_synth_shape *s = &synth->shape;
  ncc_scene_destroy(&synth->scene);
  synth->current = index;
  ncc_random random = sequence(synth, FOR_SCENE, 0);
  NCC_TRY(ncc_scene_create(ncc_random_bits(&random), s->image_rows, s->image_cols, synth->scale, &synth->scene));
  const ncc_scene_grid grid = {.rows = s->image_rows,
                               .cols = s->image_cols,
                               .centre_y = 0.5 * (double)(s->image_rows - 1),
                               .centre_x = 0.5 * (double)(s->image_cols - 1),
                               .cosine = 1};
  ncc_scene_render(synth->scene, &grid, synth->grey);
  choose_places(synth);
  random = sequence(synth, FOR_IMAGE_NOISE, 0);
  for (int64_t i = 0; i < s->image_rows * s->image_cols; ++i)
    store(expose(synth, synth->grey[i], &random), s->dtype, synth->image, i);
  *pixels = (ncc_array){synth->image, s->dtype, s->image_rows, s->image_cols, s->image_cols};
cleanup:
  return status;
}

/** Cosine and sine of a small angle from the four operations alone: tan(angle / 2) by its series, then the circle's
 *  rational parametrisation. The two belong together exactly, whatever the series leaves out. */
static void rotate(double degrees, ncc_scene_grid *grid) {
  const double half = degrees * (3.14159265358979323846 / 360), t = half + half * half * half / 3;
  grid->cosine = (1 - t * t) / (1 + t * t);
  grid->sine = 2 * t / (1 + t * t);
}

/** The same of angles up to 45 degrees, to 1e-6 degree: tan(angle / 4), doubled once. */
static void rotate_far(double degrees, ncc_scene_grid *grid) {
  const double x = degrees * (3.14159265358979323846 / 720), q = x * x;
  const double quarter = x * (1 + q * (1.0 / 3 + q * (2.0 / 15 + q * (17.0 / 315 + q * (62.0 / 2835)))));
  const double t = 2 * quarter / (1 - quarter * quarter);
  grid->cosine = (1 - t * t) / (1 + t * t);
  grid->sine = 2 * t / (1 + t * t);
}

/** Does pixel (i, j) of a rotated template lie between pixels of the patch that was rotated, so that it has a value? */
static bool is_covered(const ncc_scene_grid *grid, int64_t i, int64_t j) {
  double y, x;
  ncc_scene_locate(grid, (double)i, (double)j, &y, &x);
  return fabs(y - grid->centre_y) <= 0.5 * (double)(grid->rows - 1) &&
         fabs(x - grid->centre_x) <= 0.5 * (double)(grid->cols - 1);
}

void ncc_synth_template(ncc_synth *synth, int64_t index, ncc_array *pixels, ncc_synth_answer *answer) {
  const ncc_synth_shape *s = &synth->shape;
  const int64_t rows = s->template_rows, cols = s->template_cols;
  ncc_random random = sequence(synth, FOR_TEMPLATES, index);
  const float gain = 0.8f + 0.4f * ncc_random_unit(&random), offset = 24 * ncc_random_unit(&random) - 12;
  double shift_y = ncc_random_unit(&random) - 0.5, shift_x = ncc_random_unit(&random) - 0.5;
  if (!synth->subpixel) shift_y = shift_x = 0;

  place at = synth->places[index];
  ncc_scene_grid grid = {.rows = rows,
                         .cols = cols,
                         .centre_y = (double)at.y + shift_y + 0.5 * (double)(rows - 1),
                         .centre_x = (double)at.x + shift_x + 0.5 * (double)(cols - 1),
                         .cosine = 1};
  const int64_t turn = synth->preset == NCC_SYNTH_SWEEP ? index % NCC_SYNTH_ANGLES - NCC_SYNTH_ANGLES / 2 : 0;
  if (turn) rotate((double)turn * NCC_SYNTH_STEP_DEG, &grid);
  answer->angle = synth->turn_deg * (double)(index % NCC_SYNTH_TURNS - NCC_SYNTH_TURNS / 2) / (NCC_SYNTH_TURNS / 2);
  if (synth->turn_deg > 0) rotate_far(answer->angle, &grid);
  ncc_scene_render(synth->scene, &grid, synth->grey);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) {
      const float grey = 128 + offset + gain * (expose(synth, synth->grey[i * cols + j], &random) - 128);
      store(grey, s->dtype, synth->templ, i * cols + j);
      if (turn && !is_covered(&grid, i, j))
        memset((char *)synth->templ + (size_t)(i * cols + j) * ncc_dtype_size(s->dtype), 0, ncc_dtype_size(s->dtype));
    }
  *pixels = (ncc_array){synth->templ, s->dtype, rows, cols, cols};

  const bool turned = synth->turn_deg > 0;
  const double squares = centre_template(synth);
  answer->subpixel_y = (double)at.y + shift_y + (double)(rows - 1);
  answer->subpixel_x = (double)at.x + shift_x + (double)(cols - 1);
  answer->peak = turned                    ? NAN
                 : turn || synth->subpixel ? climb(synth, squares, &at)
                                           : evaluate(synth, squares, at.y, at.x);
  const bool known = turned || !isnan(answer->peak);
  answer->y = known ? at.y + rows - 1 : -1;
  answer->x = known ? at.x + cols - 1 : -1;
}
