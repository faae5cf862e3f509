/** The conformance suite's common part: one set of programs that every engine must pass.
 *
 *  Each program `test_conformance_*.c` takes an engine's name and uses only the public interface. Pixels are made here
 *  (their exact values are kept as float64 beside the stored type), values are checked against direct sums of the
 *  suite's own, and whole answers against the reference engine.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <math.h>
#include <stdlib.h>

#include "mpixcorr.h"

/** What two float64 evaluations of one NCC may differ by (more with --normalize where the copy's rounding shows). */
#define CONF_TOLERANCE 1e-12

/* ---- running ------------------------------------------------------------------------------------------------ */

typedef struct conf_test {
  const char *name;
  void (*run)(void);
} conf_test;

/** The engine under test, and whether it is the reference itself. */
extern const ncc_engine_ops *conf_engine;
extern bool conf_is_reference;

/** Takes the engine's name from argv[1], and runs those tests whose name contains argv[2] where given.
 *  @return the program's exit code: 0, 1, or 77 where the engine does not exist here. */
int conf_main(int argc, char **argv, const conf_test *tests, size_t count);

/** Counts and prints a failure of the current test, with the label. */
void conf_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Words that reproduce the current case, printed with failures. */
void conf_label(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CONF_TEST(name) \
  { #name, name }

#define CONF_EXPECT(condition, ...)                               \
  do {                                                            \
    if (!(condition)) conf_fail(__FILE__, __LINE__, __VA_ARGS__); \
  } while (0)

/* ---- pixels ------------------------------------------------------------------------------------------------- */

/** A 2-D array of one stored type, with the exact stored values beside it. */
typedef struct conf_image {
  int64_t rows, cols;
  double *truth;   /**< [rows, cols]; write here, then conf_store() */
  void *storage;   /**< owned */
  ncc_array array; /**< a view of the storage */
} conf_image;

/** Zeros. Out of memory ends the program, here and below. */
conf_image conf_image_create(int64_t rows, int64_t cols, ncc_dtype dtype);
void conf_image_free(conf_image *image);

/** Rounds (and clamps) `truth` to the stored type, and stores it; truth becomes what is stored. */
void conf_store(conf_image *image);

/** The same values in another type. */
conf_image conf_image_convert(const conf_image *image, ncc_dtype dtype);

/** Copies the box at (y, x) of `image`, type included. */
conf_image conf_image_cut(const conf_image *image, int64_t y, int64_t x, int64_t rows, int64_t cols);

/** truth = offset + gain * truth, then stores. */
void conf_image_scale(conf_image *image, double gain, double offset);

/** Normal noise: mean, sigma. Stored. */
conf_image conf_image_noise(int64_t rows, int64_t cols, ncc_dtype dtype, double mean, double sigma);

/** Reproducible random numbers of the whole program. */
void conf_seed(uint64_t seed);
uint64_t conf_random(void);
double conf_uniform(double low, double high);
int64_t conf_integer(int64_t low, int64_t high); /**< both inclusive */
double conf_normal(void);

/* ---- matching ----------------------------------------------------------------------------------------------- */

/** Matches one pair with a matcher of its own. @param[in] search, window  NULL: none. */
ncc_result conf_match(const ncc_engine_ops *engine, int threads, const ncc_search *search, const conf_image *image,
                      const conf_image *tmpl, const ncc_rect *window);

/** Matches n templates on one image with one matcher. */
void conf_match_many(const ncc_engine_ops *engine, int threads, const ncc_search *search, const ncc_array *image,
                     int64_t n, const ncc_array *templates, const ncc_rect *windows, ncc_result *results);

/** The NCC at one position by direct sums of the suite's own, in long double, from the exact values.
 *  @param[out] energy  sqrt(ssd(W) * ssd(T)), 0 where one is flat; NULL: not wanted. */
double conf_value_at(const ncc_search *search, const conf_image *image, const conf_image *tmpl, int64_t y, int64_t x,
                     double *energy);

/** Compares a result with what the reference engine answers; fails the current test where
 *  the status differs; the coordinates differ and their values by more than 2e-12; the peak is not the NCC at its
 *  coordinates within 1e-12, or not in [-1, 1]; or, with `quality`, second peak or sub-pixel position are wrong. */
void conf_compare(const ncc_search *search, const conf_image *image, const conf_image *tmpl, const ncc_rect *window,
                  const ncc_result *result);

/** conf_match() with the engine under test, then conf_compare(). */
ncc_result conf_check(const ncc_search *search, const conf_image *image, const conf_image *tmpl,
                      const ncc_rect *window);

/** All fields the same bits. */
bool conf_identical(const ncc_result *a, const ncc_result *b);

#endif
