/** Synthetic input with known answers: EM-like images, and templates whose places in them are known.
 *
 *  Images and templates are independent exposures of one scene (synth_scene.h): each has camera noise of its own, and
 *  templates differ in gain and offset besides. One image is held at a time, so a series of any length needs the memory
 *  of one. Knows no file: the `generate` command passes the arrays on to a writer.
 *
 *  The same options give the same bytes on every machine (see synth_scene.h); adding images or templates does not
 *  change those that come before.
 */
#ifndef NCC_SYNTH_H
#define NCC_SYNTH_H

#include "base/error.h"

/** Every preset: enumerator, name, shapes and what is made where nothing else is asked for.
 *  Columns: image rows, cols; template rows, cols; images; templates of an image; pixel type; size of the features. */
#define NCC_SYNTH_TABLE(X)                                                             \
  X(NCC_SYNTH_STITCH2D, "stitch2d", 681, 782, 340, 391, 12, 5, NCC_U8, 1.0)            \
  X(NCC_SYNTH_ALIGN3D, "align3d", 3600, 3600, 442, 442, 7, 1, NCC_F32, 1.0)            \
  X(NCC_SYNTH_SWEEP, "sweep", 3600, 3600, 442, 442, 1, NCC_SYNTH_ANGLES, NCC_F32, 1.0) \
  X(NCC_SYNTH_TINY, "tiny", 96, 112, 31, 37, 4, 5, NCC_U8, 0.4)

typedef enum ncc_synth_preset {
#define NCC_SYNTH_ENUM(name, ...) name,
  NCC_SYNTH_TABLE(NCC_SYNTH_ENUM)
#undef NCC_SYNTH_ENUM
      NCC_SYNTH_PRESET_COUNT
} ncc_synth_preset;

/** Templates that are turned: angles of an image's templates, and the largest. */
#define NCC_SYNTH_TURNS 11
#define NCC_SYNTH_MAX_TURN 45

/** Templates of a sweep come in rows of this many angles, NCC_SYNTH_STEP_DEG apart and symmetric around 0; each row of
 *  angles has a place of its own. */
#define NCC_SYNTH_ANGLES 21
#define NCC_SYNTH_STEP_DEG 0.1

/** Camera noise: its standard deviation at grey level 128 of 0 .. 255; it grows with the root of the grey level. Up to
 *  the maximum the answers below hold. */
#define NCC_SYNTH_NOISE 10
#define NCC_SYNTH_MAX_NOISE 15

typedef struct ncc_synth_options {
  ncc_synth_preset preset;
  int64_t images;    /**< 0: as the preset has it */
  int64_t templates; /**< of each image; 0: as the preset has it */
  ncc_dtype dtype;   /**< NCC_DTYPE_COUNT: as the preset has it */
  uint64_t seed;
  double noise;        /**< 0 .. NCC_SYNTH_MAX_NOISE */
  bool subpixel_shift; /**< cut templates at positions between pixels; not for sweeps */
  double turn_deg;     /**< turn the templates of an image by -turn_deg to turn_deg in NCC_SYNTH_TURNS steps, one after
                            the other; at most NCC_SYNTH_MAX_TURN; 0: not, and in sweeps */
} ncc_synth_options;

/** What the options come to. */
typedef struct ncc_synth_shape {
  int64_t images, image_rows, image_cols;
  int64_t templates; /**< of each image */
  int64_t template_rows, template_cols;
  ncc_dtype dtype;
} ncc_synth_shape;

/** The answer for one template.
 *
 *  (y, x) is the place where the template was cut, in coordinates of the full correlation: the arg max of the NCC.
 *  Templates that were cut between pixels or rotated have theirs at the nearest whole position or beside it: there it
 * is the local maximum found by climbing from the cut position in steps of one pixel. Should the climb lead further
 * than a few pixels away, the answer is unknown: y and x are -1, the peak is NaN. */
typedef struct ncc_synth_answer {
  int64_t y, x;
  double peak;  /**< the NCC there, by direct float64 sums over the pixels as stored */
  double angle; /**< degrees by which the template is to be turned to fit, as ncc_result.angle; there is
                     no peak then: it is that of the turned template */
  double subpixel_y, subpixel_x; /**< where the template was cut, as a real number, in the frame of y and x */
} ncc_synth_answer;

typedef struct ncc_synth ncc_synth;

/** Name of a preset; static storage. */
const char *ncc_synth_preset_name(ncc_synth_preset preset);

/** Starts a series.
 *  @param[out] out  owned by the caller, freed by ncc_synth_destroy(); NULL on failure.
 *  @return NCC_OK; NCC_ERR_USAGE for values out of range; NCC_ERR_NOMEM. */
ncc_status ncc_synth_create(const ncc_synth_options *options, ncc_synth **out);

void ncc_synth_destroy(ncc_synth **synth);

/** Shapes and counts of the series; borrowed. */
const ncc_synth_shape *ncc_synth_get_shape(const ncc_synth *synth);

/** Makes an image, which becomes the current one.
 *  @param[in]  index   0 .. images - 1, in any order.
 *  @param[out] pixels  borrowed, valid until the next call of this function.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_synth_image(ncc_synth *synth, int64_t index, ncc_array *pixels);

/** Makes a template of the current image.
 *  @param[in]  index   0 .. templates - 1, in any order.
 *  @param[out] pixels  borrowed, valid until the next call of this function.
 *  @param[out] answer  where it belongs. */
void ncc_synth_template(ncc_synth *synth, int64_t index, ncc_array *pixels, ncc_synth_answer *answer);

#endif
