/** mpixcorr: batch normalised cross-correlation (NCC) with float64-exact peaks.
 *
 *  The public interface of libmpixcorr, and the types that the whole program shares. It needs neither MPI nor HDF5;
 *  nothing starts a thread or touches a device before ncc_matcher_create().
 *
 *  NCC of image I and template T, I being zero outside itself, W the window of I under T:
 *
 *      sum(W * (T - mean T)) / sqrt(ssd(W) * ssd(T)),   ssd(A) = sum((A - mean A)^2)
 *
 *  and 0 where W or T is flat, that is, where all its pixels are equal. With NCC_OUTSIDE_IGNORE W and T are only what
 *  overlaps of window and template, and flat is judged over that. A position (y, x) is that of the *full*
 *  correlation of an M x N image with an m x n template: rows 0 .. M+m-2, columns 0 .. N+n-2; there the template's
 *  bottom-right pixel lies on image pixel (y, x). Crop and search windows restrict where a peak is sought, never the
 *  coordinates it is given in. Sizes are in pixels, arrays in C order.
 */
#ifndef MPIXCORR_H
#define MPIXCORR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* ---- status ------------------------------------------------------------------------------------------------- */

/** Every status: name, exit code of the program, meaning. One table; ncc_status, messages and exit codes follow it. */
#define NCC_STATUS_TABLE(X)                                              \
  X(NCC_OK, 0, "done")                                                   \
  X(NCC_ERR_INTERNAL, 1, "internal error")                               \
  X(NCC_ERR_NOMEM, 1, "out of memory")                                   \
  X(NCC_ERR_COMM, 1, "communication between ranks failed")               \
  X(NCC_ERR_DIFFERENT, 1, "a difference was found")                      \
  X(NCC_ERR_USAGE, 2, "usage error")                                     \
  X(NCC_ERR_INPUT, 3, "invalid input")                                   \
  X(NCC_ERR_SHAPE, 3, "shapes do not fit each other")                    \
  X(NCC_ERR_MEMORY_LIMIT, 3, "cannot be done within the memory limit")   \
  X(NCC_ERR_UNREADABLE, 3, "pixels could not be read")                   \
  X(NCC_ERR_OUTPUT, 4, "output exists, is in use, or cannot be written") \
  X(NCC_ERR_DEVICE, 5, "no such device")                                 \
  X(NCC_ERR_PAIRS, 6, "done, but some pairs have no trustworthy answer") \
  X(NCC_ERR_STOPPED, 75, "stopped early, resumable")

typedef enum ncc_status {
#define NCC_STATUS_ENUM(name, exit_code, text) name,
  NCC_STATUS_TABLE(NCC_STATUS_ENUM)
#undef NCC_STATUS_ENUM
} ncc_status;

/** The program's exit code for a status; 1 for an unknown one. */
int ncc_status_exit_code(ncc_status status);

/** The meaning of a status in a few words, "unknown status" for another number; static storage. */
const char *ncc_status_text(ncc_status status);

/** What went wrong in the calling thread's last failed call, one line without newline; never NULL. */
const char *ncc_error_message(void);

/* ---- arrays ------------------------------------------------------------------------------------------------- */

/** Every pixel type: enumerator, C type of storage, name. Float16 is IEEE binary16, stored as its bits. */
#define NCC_DTYPE_TABLE(X)    \
  X(NCC_U8, uint8_t, "u8")    \
  X(NCC_I8, int8_t, "i8")     \
  X(NCC_U16, uint16_t, "u16") \
  X(NCC_I16, int16_t, "i16")  \
  X(NCC_U32, uint32_t, "u32") \
  X(NCC_I32, int32_t, "i32")  \
  X(NCC_F16, uint16_t, "f16") \
  X(NCC_F32, float, "f32")    \
  X(NCC_F64, double, "f64")

typedef enum ncc_dtype {
#define NCC_DTYPE_ENUM(name, type, text) name,
  NCC_DTYPE_TABLE(NCC_DTYPE_ENUM)
#undef NCC_DTYPE_ENUM
      NCC_DTYPE_COUNT
} ncc_dtype;

/** Bytes of one pixel; 0 for a number that is no ncc_dtype. */
size_t ncc_dtype_size(ncc_dtype dtype);

/** "u8" ... "f64", "unknown" for another number; static storage. */
const char *ncc_dtype_name(ncc_dtype dtype);

/** A borrowed 2-D array in native byte order. Rows may be strided; pixels of a row are contiguous. */
typedef struct ncc_array {
  const void *data; /**< first pixel; borrowed, never written; NULL means that the pixels are missing */
  ncc_dtype dtype;
  int64_t rows, cols; /**< pixels, both at least 1 */
  int64_t row_stride; /**< pixels from one row to the next; at least cols, or at most -cols (flipped views). Not looked
                           at where there is one row, or no pixels */
} ncc_array;

/** Rows and columns of pixels around an array, in the same memory; none negative. */
typedef struct ncc_margins {
  int64_t above, left, below, right;
} ncc_margins;

/** A half-open rectangle [y0, y1) x [x0, x1). */
typedef struct ncc_rect {
  int64_t y0, x0, y1, x1;
} ncc_rect;

/* ---- what is asked ------------------------------------------------------------------------------------------ */

/** What is done to pixels before all else; widths S in pixels. Gaussians are scipy.ndimage's, mode "reflect". */
typedef enum ncc_filter_kind {
  NCC_FILTER_MEDIAN,  /**< of the window of a x a pixels, a odd */
  NCC_FILTER_GAUSS,   /**< Gaussian of width a */
  NCC_FILTER_LOG,     /**< Laplacian of a Gaussian of width a */
  NCC_FILTER_DOG,     /**< Gaussian of width a minus that of width b */
  NCC_FILTER_HIGHPASS /**< the pixels minus a Gaussian of width a */
} ncc_filter_kind;

typedef struct ncc_filter {
  ncc_filter_kind kind;
  double a, b;
} ncc_filter;

#define NCC_FILTERS_MOST 8

/** What lies outside an image. */
typedef enum ncc_outside {
  NCC_OUTSIDE_ZERO,  /**< zeros, which are pixels as others are */
  NCC_OUTSIDE_IGNORE /**< nothing: all sums, those of means and norms too, go over the overlap alone */
} ncc_outside;

/** What is searched and how: everything that may change a result. Zero-initialised it is the whole full correlation. */
typedef struct ncc_search {
  int64_t crop_y, crop_x; /**< rows dropped at top and bottom, columns at left and right, of the full correlation */
  bool crop_half;     /**< drop half of each template (rows / 2, cols / 2, rounded down) instead of crop_y, crop_x */
  bool normalize;     /**< subtract mean and divide by standard deviation of image and template first */
  double eps;         /**< response is 0 where sqrt(ssd(W) * ssd(T)) <= eps (pixel units); 0 = off (windows whose
                           pixels are all equal are 0 in any case) */
  double min_overlap; /**< in [0, 1]: ignore positions where less of the template's area overlaps the image */
  bool quality;       /**< also find the sub-pixel position and the second peak */
  int peaks;          /**< list so many of the best peaks, at most NCC_PEAKS_MOST; 0: no list */
  int separation;     /**< each of them, and the second one of `quality`, is the best of the positions farther than so
                           many pixels in y or x from all better ones; 0: NCC_SEPARATION_PX */
  int n_filters;      /**< that are applied to images and templates first, in this order; 0: none */
  ncc_filter filters[NCC_FILTERS_MOST];
  int64_t rotate_from, rotate_to, rotate_step; /**< turn each template by these angles, `to` included, and keep the
                           best; in 1e-6 degree, counter-clockwise as displayed with y down. Step 0: templates are as
                           they are. See ncc_result.angle */
  ncc_outside outside; /**< with `ignore` small overlaps match by chance: min_overlap should be some 0.3 */
} ncc_search;

/** Reads a chain of filters as the command line has it: "median:3,log:1.5", "dog:1,2".
 *  @param[out] filters, n  what ncc_search has
 *  @return NCC_OK; NCC_ERR_USAGE with what was found and what was expected. */
ncc_status ncc_filter_parse(const char *text, ncc_filter filters[NCC_FILTERS_MOST], int *n);

/** Outcome of one pair; values are those of the output file. */
typedef enum ncc_pair_status {
  NCC_PAIR_PENDING = 0, /**< not computed yet */
  NCC_PAIR_OK = 1,
  NCC_PAIR_FLAT = 2, /**< template flat, or every searched window flat or below eps: peak 0 at the first position */
  NCC_PAIR_NONFINITE = 3,  /**< NaN or Inf in the pixels */
  NCC_PAIR_UNREADABLE = 4, /**< pixels missing or unreadable */
  NCC_PAIR_UNCERTAIN = 5,  /**< proof gave up: the best candidate that was evaluated */
  NCC_PAIR_INVALID = 6,    /**< no such pair: ids or shapes do not fit */
  NCC_PAIR_MASKED = 7,     /**< no position has enough pixels that are valid in both */
  NCC_PAIR_STATUS_COUNT
} ncc_pair_status;

/** "pending", "ok", ..., "unknown" for another number; static storage. */
const char *ncc_pair_status_name(ncc_pair_status status);

/** The answer for one pair. For nonfinite, unreadable and invalid pairs y and x are -1 and the peak is NaN. */
typedef struct ncc_result {
  int64_t y, x;                    /**< first position, in row-major order, within 1e-12 of the maximum */
  double peak;                     /**< the float64 NCC there, in [-1, 1] */
  double subpixel_y, subpixel_x;   /**< with `quality`: parabola-refined position; NaN unless ok */
  double curvature_y, curvature_x; /**< with `quality`: second differences of the NCC at the peak; NaN in a direction
                                        where a neighbour is not searched, and unless ok */
  int64_t second_y, second_x;      /**< with `quality`: the second of ncc_search.separation; -1 where none */
  double second_peak;              /**< its value; NaN where none */
  double angle;                    /**< where templates are turned: by how many degrees the best one was, NaN without a
                                        peak. Of angles whose peaks lie within 1e-12 of the greatest the smallest
                                        absolute one wins, then the negative one. All else is that of the template
                                        turned so: it keeps its shape, and turns about ((rows - 1) / 2, (cols - 1) / 2) by
                                        linear interpolation, to float32. A pixel whose source has a neighbour missing or
                                        masked is masked where masks are given, else the template's mean. Ok if any
                                        angle is, else flat if any is, else masked; nonfinite if any is */
  double overlap;                  /**< the fraction of the template's valid pixels that lie on valid ones of the image;
                                        NaN where there is no position */
  uint8_t status;                  /**< an ncc_pair_status */
  uint8_t at_border;               /**< 1 where crop or window left out one of the eight neighbours of (y, x), else 0;
                                        lack of overlap and the end of the full correlation do not count */
} ncc_result;

/** A peak of the NCC: a position of the full correlation, and the value there. y and x are -1 and the value is NaN
 * where there is none. */
typedef struct ncc_peak {
  int64_t y, x;
  double value;
} ncc_peak;

#define NCC_PEAKS_MOST 1000
#define NCC_ANGLES_MOST 100000
/** What separates peaks where nothing else is asked for. Unit: pixels. */
#define NCC_SEPARATION_PX 10

/* ---- the matcher -------------------------------------------------------------------------------------------- */

/** An engine proposes candidates; obtained from ncc_engine_cpu(), ncc_engine_reference() or the GPU library. */
typedef struct ncc_engine_ops ncc_engine_ops;

/** FFT engine on CPU cores; the default. */
const ncc_engine_ops *ncc_engine_cpu(void);

/** Direct float64 sums, O(M N m n) a pair: the slow and obvious oracle that other engines are tested against. */
const ncc_engine_ops *ncc_engine_reference(void);

/** Name of an engine: "cpu", "reference", "gpu"; "none" for NULL; static storage. */
const char *ncc_engine_name(const ncc_engine_ops *engine);

typedef enum ncc_fft_effort { NCC_FFT_MEASURE = 0, NCC_FFT_ESTIMATE = 1, NCC_FFT_PATIENT = 2 } ncc_fft_effort;

/** Whether proposals may come from a part of the spectrum. */
typedef enum ncc_proposals { NCC_PROPOSALS_AUTO = 0, NCC_PROPOSALS_FULL = 1 } ncc_proposals;

/** How matching is done: nothing here may change a result. Zero-initialised it is the CPU engine on one thread. */
typedef struct ncc_config {
  const ncc_engine_ops *engine; /**< NULL: ncc_engine_cpu() */
  int threads;                  /**< threads that compute, the calling one included; 0: 1 */
  int64_t memory_bytes;         /**< bound on what the matcher allocates; 0: none */
  ncc_fft_effort fft_effort;
  const volatile int *stop; /**< polled at least every 0.5 s; once non-zero, matching returns NCC_ERR_STOPPED;
                                 NULL: never */
  int device;               /**< index of the GPU among the visible ones (GPU engine) */
  int streams;              /**< batches in flight on a GPU; 0: chosen */
  int sharers;              /**< matchers, of all processes, on that GPU; 0: 1 */
  ncc_proposals proposals;
} ncc_config;

/** Counts and seconds since creation; all additive, so that ranks can sum them. */
typedef struct ncc_counters {
  int64_t pairs;        /**< matched, whatever the outcome */
  int64_t images;       /**< image states prepared (transforms and statistics) */
  int64_t candidates;   /**< positions proposed to the judge */
  int64_t candidate_px; /**< pixels that the judge evaluated */
  int64_t second_tier;  /**< pairs that went to the second tier */
  int64_t half_grid;    /**< pairs proposed for from a half grid */
  int64_t cpu_fallback; /**< pairs of a GPU engine that the CPU engine did */
  double image_s;       /**< preparing images: checks, transforms, statistics */
  double template_s;    /**< preparing templates and transforming their rows */
  double columns_s;     /**< column transforms and products */
  double peak_s;        /**< inverse row transforms and candidates; statistics, where they are wanted only then */
  double certify_s;     /**< judging, first tier */
  double second_tier_s; /**< all of the second tier */
  double planning_s;    /**< FFT planning */
  double fft_floor_s;   /**< estimated time of the 1-D transforms alone, in cache, on one thread */
} ncc_counters;

/** Matches templates on images. One matcher is used by one thread at a time (a second one that calls meanwhile gets
 *  NCC_ERR_USAGE); different matchers are independent, and may be used by as many threads. */
typedef struct ncc_matcher ncc_matcher;

/** Creates a matcher for the given question.
 *  Collective: no.
 *  @param[in]  search  what is asked; copied.
 *  @param[in]  config  how; copied (engine and stop are borrowed). NULL: defaults.
 *  @param[out] out     owned by the caller, freed by ncc_matcher_destroy(); NULL on failure.
 *  @return NCC_OK; NCC_ERR_USAGE for `search` or `out` being NULL, or a value out of range: a negative crop, eps or
 *          number of anything, NaN, an overlap beyond 1, an unknown fft_effort; NCC_ERR_NOMEM; NCC_ERR_DEVICE. */
ncc_status ncc_matcher_create(const ncc_search *search, const ncc_config *config, ncc_matcher **out);

/** Frees *matcher, joins its threads and sets it to NULL; accepts NULL, and a pointer to NULL. */
void ncc_matcher_destroy(ncc_matcher **matcher);

/** Matches n templates of any shapes on one image.
 *  Collective: no.  Deterministic: the results depend on pixels and ncc_search alone.
 *  @param[in]  image_key  if >= 0, a number that stands for these pixels: when the next call names the same key, what
 *                         was prepared from the image is used again. -1: nothing is kept.
 *  @param[in]  image      borrowed; data NULL makes all results `unreadable`.
 *  @param[in]  templates  [n], borrowed; data NULL makes that result `unreadable`.
 *  @param[in]  windows    [n] search windows in full-correlation coordinates, or NULL for none.
 *  @param[out] results    [n], in the order of the templates; pairs whose shapes do not fit get `invalid`.
 *  @return NCC_OK; NCC_ERR_STOPPED (results that were not reached are `pending`); NCC_ERR_NOMEM; NCC_ERR_MEMORY_LIMIT;
 *          NCC_ERR_INTERNAL. Data is never an error: it makes a status per pair.
 *          NCC_ERR_USAGE, with nothing done and `results` as they were: a pointer is NULL, n is negative, another
 *          thread is matching, a key has stood for an array of another shape or dtype, or an array has an unknown
 *          dtype, no rows or columns, more than 2^30 of either or 2^48 pixels, or a row stride less than its columns.
 *          With n = 0 nothing else is looked at. */
ncc_status ncc_matcher_match(ncc_matcher *matcher, int64_t image_key, const ncc_array *image, int64_t n,
                             const ncc_array *templates, const ncc_rect *windows, ncc_result *results);

/** The same where pixels are masked: all sums go over the pixels that are valid in image and template both, flat is
 *  judged over them, and min_overlap is the fraction of the template's valid pixels that must meet valid ones (at least
 *  one). Masked pixels are not looked at, NaN or whatever they are. For search->outside == NCC_OUTSIDE_IGNORE alone.
 *  Pairs with masked pixels are done on the CPU, whichever the engine, and take some 200 bytes a point of the transform
 *  that ncc_matcher_memory() does not count; memory_bytes bounds them as well. Where masks leave all pixels, it is as
 *  without them.
 *  @param[in]  image_mask      of the image's shape and any pixel type, not zero: valid; borrowed. NULL, or data NULL:
 *                              all are valid. A key stands for pixels and mask together.
 *  @param[in]  template_masks  [n], likewise; NULL: all are valid.
 *  @return as ncc_matcher_match(); NCC_ERR_USAGE also where a mask is no array or has another shape. */
ncc_status ncc_matcher_match_masked(ncc_matcher *matcher, int64_t image_key, const ncc_array *image,
                                    const ncc_array *image_mask, int64_t n, const ncc_array *templates,
                                    const ncc_array *template_masks, const ncc_rect *windows, ncc_result *results);

/** The best peaks of each pair of the last match, best first; the first is that of its result. `uncertain` pairs have
 *  those that were proven before the proof gave up.
 *  @return [n][search.peaks] of the n templates of that match, borrowed, valid until the next; NULL where search.peaks
 *          is 0, where nothing was matched yet, or for NULL. */
const ncc_peak *ncc_matcher_peaks(const ncc_matcher *matcher);

struct ncc_turned;

/** What ncc_matcher_match_masked() is asked: templates to be sought on one image, its parameters as fields. */
typedef struct ncc_group {
  int64_t image_key;
  const ncc_array *image, *image_mask;
  int64_t n;
  const ncc_array *templates, *template_masks;
  const ncc_margins *around; /**< [n] of templates that are cut from an image: pixels around them that turning may
                                  read, of their masks as well; filters see them. NULL: none */
  const ncc_rect *windows;
  ncc_result *results;
  ncc_peak *peaks; /**< [n][search.peaks], as ncc_matcher_peaks() has them; NULL: not wanted */
  const struct ncc_turned
      *turned; /**< the library's own, by which ranks and threads share the angles of a pair; NULL */
} ncc_group;

/** Matches n groups, as one ncc_matcher_match() after the other would. Where the matcher has several threads and pairs
 *  are small, each thread takes groups, or parts of them, by itself: hand over many at a time.
 *  @param[in,out] groups  [n], borrowed; the results and peaks that they point to are written
 *  @return as ncc_matcher_match(); that a key stands for two images of one call may show when some are done. */
ncc_status ncc_matcher_match_groups(ncc_matcher *matcher, int64_t n, const ncc_group *groups);

/** Search windows of predictions, for ncc_matcher_match(): offsets of the template's top-left pixel in the image that
 *  differ from (y, x) by at most the radii, as far as the full correlation and the crop reach.
 *  @param[in]  search     what the matcher was created for.
 *  @param[in]  near       [n] (y, x, radius_y, radius_x), pixels, any numbers; a negative radius: no prediction.
 *  @param[in]  templates  [n]; their pixels are not looked at, nor are the image's.
 *  @param[out] windows    [n]; empty where nothing is left to search, which makes such a pair `invalid`.
 *  @return NCC_OK; NCC_ERR_USAGE as ncc_matcher_create() and ncc_matcher_match(). */
ncc_status ncc_windows_near(const ncc_search *search, const ncc_array *image, int64_t n, const ncc_array *templates,
                            const int64_t (*near)[4], ncc_rect *windows);

/** Whether zeros outside the image may outweigh true peaks: templates may overhang an image that is far from zero mean,
 *  and nothing is normalised. Looks at 64 x 64 pixels of it at most.
 *  @param[in]  search, window  as for ncc_matcher_match(); window may be NULL.
 *  @param[in]  image_id        for the text.
 *  @param[out] text            [bytes] one line that says why, cut to fit; empty where they may not.
 *  @return false also for arguments that ncc_matcher_match() would refuse; ncc_error_message() then says why. */
bool ncc_overhang_misleads(const ncc_search *search, const ncc_rect *window, const ncc_array *image,
                           int64_t template_rows, int64_t template_cols, int64_t image_id, char *text, size_t bytes);

/** What displacements measured between two images are worth together: see ncc_displacements_judge(). */
typedef enum ncc_verdict {
  NCC_VERDICT_NONE = 0,
  NCC_VERDICT_DOUBTFUL = 1, /**< 2 agree, or there is only one */
  NCC_VERDICT_GOOD = 2      /**< 3 or more, and more than half of all, agree */
} ncc_verdict;

/** "none", "doubtful", "good"; static storage. */
const char *ncc_verdict_name(ncc_verdict verdict);

/** Which displacements between two images agree, and what follows. Displacements agree where every two of them differ
 *  by at most `px` + `fraction` times the distance between their templates; of all such sets, one of the largest is
 *  found. Among more than 64 those that contradict most others are left out one after the other, until none does.
 *  @param[in]  n       templates of the pair of images, at most 20,000.
 *  @param[in]  at      [n] (y, x) centres of templates.
 *  @param[in]  moved   [n] (y, x) displacements.
 *  @param[in]  counts  [n] 0: has no say, but is one of all.
 *  @param[out] agrees  [n] 1: one of the set.
 *  @param[out] middle  (y, x) median of the set, NaN where it is empty; `spread` the greatest distance from it.
 *  @return NCC_OK; NCC_ERR_USAGE for more templates; NCC_ERR_NOMEM. */
ncc_status ncc_displacements_judge(int64_t n, const double (*at)[2], const double (*moved)[2], const uint8_t *counts,
                                   double px, double fraction, uint8_t *agrees, ncc_verdict *verdict, double middle[2],
                                   double *spread);

/** What the matcher has done so far; borrowed. NULL for NULL. */
const ncc_counters *ncc_matcher_counters(const ncc_matcher *matcher);

/** Why the CPU engine did pairs that were meant for a GPU, in one line: it failed and was given up, or pairs did not
 *  fit on it. NULL: none of that, or `matcher` is NULL. The results are the same. Borrowed; may change at the next
 *  match. */
const char *ncc_matcher_device_trouble(const ncc_matcher *matcher);

/** Bytes that the matcher allocates at most for a pair of this shape, pixels of the caller not included. Several
 *  threads allocate more for small pairs, which each of them does by itself, where memory_bytes has room for that.
 *  @return NCC_OK; NCC_ERR_USAGE as ncc_matcher_create(), and as ncc_matcher_match() for shapes;
 *          NCC_ERR_SHAPE if the template is larger than the image or nothing is left to search. */
ncc_status ncc_matcher_memory(const ncc_search *search, const ncc_config *config, int64_t image_rows,
                              int64_t image_cols, int64_t template_rows, int64_t template_cols, int64_t *bytes);

/** Takes over what FFT planning learnt in earlier runs, so that matching starts at once.
 *  @param[in] path  a file, or NULL for the one in the user's cache directory ($XDG_CACHE_HOME or ~/.cache)
 *  @return NCC_OK, also where there is no file yet; NCC_ERR_UNREADABLE with the reason where the file is damaged or of
 *          another library or CPU: planning then starts afresh, so this need not be fatal. */
ncc_status ncc_wisdom_load(const char *path);

/** Writes what FFT planning has learnt. @return NCC_OK; NCC_ERR_OUTPUT with the reason. */
ncc_status ncc_wisdom_save(const char *path);

/** Version of the program, for example "0.1.0"; static storage. */
const char *ncc_version(void);

/** How this library lays out its structs, so that a binding of another language can refuse one of another release.
 *  @param[in] name  "ncc_result" asks for the struct's size, "ncc_result.peak" for the offset of a field.
 *  @return bytes; -1 where there is no such struct or field, or `name` is NULL. */
int64_t ncc_layout(const char *name);

/** Changes only when results may change: a run is resumed only by the same revision. */
int ncc_numerics_revision(void);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
