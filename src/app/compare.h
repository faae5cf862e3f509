/** What the parts of `mpixcorr compare` share: the two sides, and how rows differ. Private to the command. */
#ifndef NCC_COMPARE_H
#define NCC_COMPARE_H

#include "io/output/load.h"

/** Differing pairs that are shown. */
enum { COMPARE_WORST = 10 };

typedef struct compare_options {
  const char *a, *b, *input, *root, *report;
  double peak_tolerance, coord_tolerance, angle_tolerance;
  bool ties;
} compare_options;

/** One of the two files. */
typedef struct compare_side {
  const char *path;
  bool expected;        /**< known answers of an input file: pairs, coords and peaks alone; coords or peaks may be NULL,
                             -1 and NaN are not known */
  ncc_output_data data; /**< owned */
} compare_side;

/** How one row differs. */
typedef struct compare_difference {
  int64_t row;
  bool status;         /**< statuses differ, or one side has no answer */
  double coords;       /**< pixels, in the direction where it is more; NaN: not compared */
  double peak;         /**< NaN: not compared */
  double angle;        /**< degrees; NaN: not compared */
  bool turned;         /**< angles differ by more than the tolerance */
  bool elsewhere;      /**< coordinates differ by more than the tolerance */
  bool tie;            /**< but the NCC is the same at both places */
  double ncc_a, ncc_b; /**< float64 NCC at the places of A and B; NaN: not evaluated */
  bool differs;
} compare_difference;

typedef struct comparison {
  compare_difference *rows; /**< owned; the first n_differing differ, worst first */
  int64_t n_rows, n_differing;
  int64_t n_coords, same_coords, n_peaks, same_peaks, n_angles,
      same_angles; /**< compared, and equal within tolerances */
  int64_t n_status, n_failed, n_ties;
  double most_coords, most_peak, most_angle;
  char pixels[512];    /**< file whose pixels told about ties; "" where none was needed or found */
  char no_pixels[512]; /**< why ties were not looked for; "" otherwise */
} comparison;

/** Evaluates the rows of `out` whose places differ, at both places, in float64.
 *  Pixels that are not at hand are no error: see `no_pixels`. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_compare_ties(const compare_side *a, const compare_side *b, const compare_options *options,
                            comparison *out);

/** Writes the JSON report. @return NCC_OK; NCC_ERR_OUTPUT; NCC_ERR_NOMEM. */
ncc_status ncc_compare_report(const compare_side *a, const compare_side *b, const compare_options *options,
                              const comparison *found);

#endif
