/** The command line of `mpixcorr run`: one table of options gives parsing, --help, the man page and what is recorded.
 */
#ifndef NCC_OPTIONS_H
#define NCC_OPTIONS_H

#include <float.h>

#include "filter/masking.h"
#include "options/table.h"

typedef enum ncc_device { NCC_DEVICE_AUTO, NCC_DEVICE_CPU, NCC_DEVICE_GPU } ncc_device;
typedef enum ncc_read_mode { NCC_READ_AUTO, NCC_READ_ROOT, NCC_READ_ALL } ncc_read_mode;
typedef enum ncc_progress_mode {
  NCC_PROGRESS_AUTO,
  NCC_PROGRESS_BAR,
  NCC_PROGRESS_LOG,
  NCC_PROGRESS_NONE
} ncc_progress_mode;

/** Everything a run was asked for. Strings are borrowed from argv. Identical on all ranks: all parse the same argv. */
typedef struct ncc_run_options {
  const char *input, *output;
  const char *root; /**< where relative names of sources start; NULL: as INPUT says */
  ncc_search search;
  ncc_mask_values mask_values;
  ncc_device device;
  int gpus;    /**< at most so many of a node; 0: all */
  int streams; /**< batches in flight on a GPU; 0: chosen */
  int threads; /**< 0: the cores that the rank is bound to, shared fairly */
  bool group;  /**< default true */
  ncc_read_mode read;
  int read_threads;    /**< of a rank; 0: chosen */
  bool skip_bad_pairs; /**< --on-bad-pair skip */
  ncc_progress_mode progress;
  const char *report; /**< file or NULL */
  bool dry_run;       /**< `output` may be NULL then */
  bool overwrite, resume;
  int retry;           /**< with `resume`: rows of this ncc_pair_status are done again; 0: none */
  double time_limit_s; /**< 0: none */
  struct {
    bool given;
    int64_t n;
  } max_failed; /**< pairs that may fail before the run gives up */
  ncc_fft_effort fft_effort;
  ncc_proposals proposals;
  const char *wisdom;   /**< file, or NULL for the user's cache */
  int64_t memory_bytes; /**< 0: the cgroup's or scheduler's limit shared by the node's ranks */
  int64_t
      handout_pairs; /**< pairs of a hand-out at most; 0: the program's choice. For tests and benchmarks: no option */
  int n_words;
  char **words;       /**< [n_words] as typed, "run" first; the list is owned */
  char *command_line; /**< as typed, quoted for a shell; owned */
} ncc_run_options;

/** "X,Y" or "half" into the crop of an ncc_search, and back; for the table below. */
bool ncc_crop_parse(const char *text, void *target);
void ncc_crop_format(const void *target, char *text, size_t text_bytes);

/** "median:3,log:1.5" into the filters of an ncc_search, and back. */
#define NCC_FILTER_EXPECTED \
  "up to 8 of median:N (odd, to 255), gauss:S, log:S, dog:S1,S2, highpass:S (widths from 0.1 to 1000), by commas"
bool ncc_filter_option_parse(const char *text, void *target);
void ncc_filter_option_format(const void *target, char *text, size_t text_bytes);

/** `--min-overlap` and `--outside` of an ncc_search; undecided until ncc_search_settle() where they are not given. */
bool ncc_min_overlap_parse(const char *text, void *target);
void ncc_min_overlap_format(const void *target, char *text, size_t text_bytes);
bool ncc_outside_parse(const char *text, void *target);
void ncc_outside_format(const void *target, char *text, size_t text_bytes);

/** "-6:6:0.5" into the angles of an ncc_search, and back. */
#define NCC_ROTATE_EXPECTED \
  "degrees FROM:TO:STEP, within a turn, with up to 6 decimals, TO whole steps after FROM, up to 100000 angles"
bool ncc_rotate_parse(const char *text, void *target);
void ncc_rotate_format(const void *target, char *text, size_t text_bytes);

/** Decides what the command line has left open, once the input is known; to be called by every command that searches.
 *  Called again it changes nothing. @param[in] masked  there may be masked pixels
 *  @return NCC_OK; NCC_ERR_USAGE for zeros outside where pixels are masked. */
ncc_status ncc_search_settle(ncc_search *search, bool masked);

/** Whether nothing is asked but what is the default. */
bool ncc_search_is_default(const ncc_search *search);

/** "V[,V...]" into an ncc_mask_values, and back; "nan" masks NaN. */
bool ncc_mask_values_parse(const char *text, void *target);
void ncc_mask_values_format(const void *target, char *text, size_t text_bytes);

/** The row of --mask-value, for every command that searches. `member` is an ncc_mask_values. */
#define NCC_MASK_VALUE_OPTION_ROW(type, member)                                                                    \
  {                                                                                                                \
    .name = "mask-value", .kind = NCC_OPTION_CUSTOM, .offset = offsetof(type, member), .argument = "V[,V...]",     \
    .default_words = "none", .expected = "up to 16 numbers or nan, by commas",                                     \
    .help =                                                                                                        \
        "pixels of that value are masked, in images and templates, as by /image_masks; nan masks NaN in place of " \
        "calling the pair nonfinite",                                                                              \
    .changes_results = true, .parse = ncc_mask_values_parse, .format = ncc_mask_values_format                      \
  }

/** Rows of an option table that say what is searched, for every command that searches. `member` is an ncc_search. */
#define NCC_SEARCH_OPTION_ROWS(type, member)                                                                         \
  {.name = "crop",                                                                                                   \
   .group = "what is searched",                                                                                      \
   .kind = NCC_OPTION_CUSTOM,                                                                                        \
   .offset = offsetof(type, member),                                                                                 \
   .argument = "X,Y|half",                                                                                           \
   .initial = "0,0",                                                                                                 \
   .expected = "X,Y (whole numbers from 0 to 1000000000) or 'half'",                                                 \
   .help =                                                                                                           \
       "drop X columns left and right and Y rows top and bottom of the full correlation before the peak is "         \
       "sought; 'half' is half of each template",                                                                    \
   .changes_results = true,                                                                                          \
   .parse = ncc_crop_parse,                                                                                          \
   .format = ncc_crop_format},                                                                                       \
      {.name = "min-overlap",                                                                                        \
       .kind = NCC_OPTION_CUSTOM,                                                                                    \
       .offset = offsetof(type, member),                                                                             \
       .argument = "F",                                                                                              \
       .initial = "default",                                                                                         \
       .default_words = "0; 0.3 with --outside ignore",                                                              \
       .expected = "a number from 0 to 1",                                                                           \
       .help =                                                                                                       \
           "ignore positions where less than the fraction F of the template overlaps the image (with masks: of its " \
           "valid pixels meets valid ones); 1 is the valid mode",                                                    \
       .changes_results = true,                                                                                      \
       .parse = ncc_min_overlap_parse,                                                                               \
       .format = ncc_min_overlap_format},                                                                            \
      {.name = "outside",                                                                                            \
       .kind = NCC_OPTION_CUSTOM,                                                                                    \
       .offset = offsetof(type, member),                                                                             \
       .argument = "zero|ignore",                                                                                    \
       .initial = "default",                                                                                         \
       .default_words = "zero; ignore where pixels are masked",                                                      \
       .expected = "one of zero|ignore",                                                                             \
       .help = "what lies outside the image: zeros, or nothing: means and norms then go over the overlap alone",     \
       .changes_results = true,                                                                                      \
       .parse = ncc_outside_parse,                                                                                   \
       .format = ncc_outside_format},                                                                                \
      {.name = "normalize",                                                                                          \
       .kind = NCC_OPTION_FLAG,                                                                                      \
       .offset = offsetof(type, member.normalize),                                                                   \
       .help =                                                                                                       \
           "subtract each image's and template's mean and divide by its standard deviation first; the NCC changes "  \
           "only where a template overhangs the image, and --eps refers to the normalised values",                   \
       .changes_results = true},                                                                                     \
      {.name = "filter",                                                                                             \
       .kind = NCC_OPTION_CUSTOM,                                                                                    \
       .offset = offsetof(type, member),                                                                             \
       .argument = "F[,F...]",                                                                                       \
       .default_words = "none",                                                                                      \
       .expected = NCC_FILTER_EXPECTED,                                                                              \
       .help =                                                                                                       \
           "applied to images and templates before all else, in that order: median:N (odd), gauss:S, log:S as "      \
           "scipy.ndimage; dog:S1,S2 is gauss S1 minus gauss S2, highpass:S the input minus gauss S",                \
       .changes_results = true,                                                                                      \
       .parse = ncc_filter_option_parse,                                                                             \
       .format = ncc_filter_option_format},                                                                          \
      {.name = "eps",                                                                                                \
       .kind = NCC_OPTION_DOUBLE,                                                                                    \
       .offset = offsetof(type, member.eps),                                                                         \
       .argument = "E",                                                                                              \
       .min = 0,                                                                                                     \
       .max = DBL_MAX,                                                                                               \
       .default_words = "only windows whose pixels are all equal",                                                   \
       .expected = "a number of at least 0",                                                                         \
       .help =                                                                                                       \
           "the response is 0 where sqrt(ssd(window) * ssd(template)) <= E, in pixel units; made for unit-energy "   \
           "float images (1e-6 there), without effect on 8-bit tiles",                                               \
       .changes_results = true},                                                                                     \
      {.name = "rotate",                                                                                             \
       .kind = NCC_OPTION_CUSTOM,                                                                                    \
       .offset = offsetof(type, member),                                                                             \
       .argument = "FROM:TO:STEP",                                                                                   \
       .default_words = "none",                                                                                      \
       .expected = NCC_ROTATE_EXPECTED,                                                                              \
       .help =                                                                                                       \
           "turn each template by these angles (degrees, multiples of 1e-6, TO included; counter-clockwise as "      \
           "displayed with y down) and keep the best",                                                               \
       .changes_results = true,                                                                                      \
       .parse = ncc_rotate_parse,                                                                                    \
       .format = ncc_rotate_format},                                                                                 \
      {.name = "peaks",                                                                                              \
       .kind = NCC_OPTION_INT,                                                                                       \
       .offset = offsetof(type, member.peaks),                                                                       \
       .argument = "N",                                                                                              \
       .min = 1,                                                                                                     \
       .max = NCC_PEAKS_MOST,                                                                                        \
       .default_words = "none are listed",                                                                           \
       .help = "also write the N best peaks, each farther than --separation from all better ones; shoulders count",  \
       .changes_results = true},                                                                                     \
      {.name = "separation",                                                                                         \
       .kind = NCC_OPTION_INT,                                                                                       \
       .offset = offsetof(type, member.separation),                                                                  \
       .argument = "PX",                                                                                             \
       .min = 1,                                                                                                     \
       .max = 1000000000,                                                                                            \
       .default_words = "10",                                                                                        \
       .help = "further peaks, and the second one of --quality, are farther than PX pixels in y or x",               \
       .changes_results = true},

/** The row of --root, for every command that reads pixels. */
#define NCC_ROOT_OPTION_ROW(type, member)                                                           \
  {                                                                                                 \
    .name = "root", .kind = NCC_OPTION_STRING, .offset = offsetof(type, member), .argument = "DIR", \
    .default_words = "as INPUT says, else its folder",                                              \
    .help = "where relative names of sources start, for inputs whose images are names of files"     \
  }

/** The table behind `mpixcorr run`. */
extern const ncc_command ncc_run_command;

/** Parses the command line of `run`, recording it as typed.
 *  Collective: no; every rank gets the same.
 *  @param[in]  argv     argv[0] is "run"; reordered.
 *  @param[out] options  cleared by ncc_run_options_clear(), also after a failure.
 *  @param[out] help     --help was asked for; nothing else was checked.
 *  @return NCC_OK; NCC_ERR_USAGE; NCC_ERR_NOMEM. */
ncc_status ncc_run_options_parse(int argc, char **argv, ncc_run_options *options, bool *help);

/** Frees what the options own and zeroes them. */
void ncc_run_options_clear(ncc_run_options *options);

/** Every option in effect, "--name=value ...", for the output's attributes; malloc'd, caller frees. */
ncc_status ncc_run_options_describe(const ncc_run_options *options, char **out);

/** Those that may change a result, in canonical form: a run is resumed only by the same; malloc'd, caller frees. */
ncc_status ncc_run_options_describe_results(const ncc_run_options *options, char **out);

/** The command line as typed, for a shell, without some options and with more; see ncc_command_line_words(). */
char *ncc_run_options_command_line(const ncc_run_options *options, const char *const *without, const char *with);

#endif
