#include "options/run.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "filter/filter.h"
#include "options/command_line.h"

/* ---- values that no kind of table.h describes --------------------------------------------------------- */

/** Whole digits only; at most 10^9, so that no sum of crops and shapes can overflow. */
static bool parse_crop_number(const char **text, int64_t *out) {
  int64_t value = 0;
  if (!isdigit((unsigned char)**text)) return false;
  for (; isdigit((unsigned char)**text); ++*text) {
    value = value * 10 + (**text - '0');
    if (value > 1000000000) return false;
  }
  *out = value;
  return true;
}

bool ncc_crop_parse(const char *text, void *target) {
  ncc_search *search = target;
  if (strcmp(text, "half") == 0) {
    search->crop_half = true;
    search->crop_x = search->crop_y = 0;
    return true;
  }
  int64_t x, y;
  if (!parse_crop_number(&text, &x) || *text++ != ',' || !parse_crop_number(&text, &y) || *text) return false;
  search->crop_half = false;
  search->crop_x = x;
  search->crop_y = y;
  return true;
}

void ncc_crop_format(const void *target, char *text, size_t text_bytes) {
  const ncc_search *search = target;
  if (search->crop_half)
    snprintf(text, text_bytes, "half");
  else
    snprintf(text, text_bytes, "%" PRId64 ",%" PRId64, search->crop_x, search->crop_y);
}

/* A value of ncc_search that nobody has given: what it is depends on other options, and on the input. */
#define UNDECIDED (-1)
#define OUTSIDE_UNDECIDED ((ncc_outside)UNDECIDED)

static const double overlap_of[] = {[NCC_OUTSIDE_ZERO] = 0, [NCC_OUTSIDE_IGNORE] = 0.3};

bool ncc_min_overlap_parse(const char *text, void *target) {
  ncc_search *search = target;
  char *end;
  search->min_overlap = UNDECIDED;
  if (strcmp(text, "default") == 0) return true;
  search->min_overlap = strtod(text, &end);
  return end != text && *end == '\0' && search->min_overlap >= 0 && search->min_overlap <= 1;
}

void ncc_min_overlap_format(const void *target, char *text, size_t text_bytes) {
  ncc_search search = *(const ncc_search *)target;
  ncc_search_settle(&search, false);
  ncc_double_format(search.min_overlap, text, text_bytes);
}

bool ncc_outside_parse(const char *text, void *target) {
  ncc_search *search = target;
  const bool ignore = strcmp(text, "ignore") == 0;
  const bool undecided = strcmp(text, "default") == 0;
  search->outside = ignore ? NCC_OUTSIDE_IGNORE : undecided ? OUTSIDE_UNDECIDED : NCC_OUTSIDE_ZERO;
  return ignore || undecided || strcmp(text, "zero") == 0;
}

void ncc_outside_format(const void *target, char *text, size_t text_bytes) {
  const ncc_search *search = target;
  // Zeros are what earlier releases knew alone: their parts are still resumed.
  snprintf(text, text_bytes, "%s", search->outside == NCC_OUTSIDE_IGNORE ? "ignore" : "");
}

ncc_status ncc_search_settle(ncc_search *search, bool masked) {
  if (search->outside == OUTSIDE_UNDECIDED) search->outside = masked ? NCC_OUTSIDE_IGNORE : NCC_OUTSIDE_ZERO;
  if (masked && search->outside == NCC_OUTSIDE_ZERO)
    return ncc_error_set(NCC_ERR_USAGE,
                         "--outside zero found where pixels are masked, expected ignore: masked pixels are no zeros");
  if (search->min_overlap == UNDECIDED) search->min_overlap = overlap_of[search->outside];
  return NCC_OK;
}

bool ncc_search_is_default(const ncc_search *s) {
  return !s->crop_half && !s->crop_x && !s->crop_y && !s->normalize && s->eps == 0 && s->min_overlap <= 0 &&
         s->outside == OUTSIDE_UNDECIDED && s->n_filters == 0 && s->rotate_step == 0 && !s->peaks && !s->separation;
}

bool ncc_mask_values_parse(const char *text, void *target) {
  ncc_mask_values *values = target;
  values->n = 0;
  for (char *end;; text = end + 1) {
    if (values->n == NCC_MASK_VALUES_MOST || isspace((unsigned char)*text)) return false;
    values->values[values->n++] = strtod(text, &end);
    if (end == text) return false;
    if (*end == '\0') return true;
    if (*end != ',') return false;
  }
}

void ncc_mask_values_format(const void *target, char *text, size_t text_bytes) {
  const ncc_mask_values *values = target;
  text[0] = '\0';
  for (int i = 0; i < values->n; i++) {
    const size_t used = strlen(text);
    if (i > 0) snprintf(text + used, text_bytes - used, ",");
    if (isnan(values->values[i]))
      snprintf(text + strlen(text), text_bytes - strlen(text), "nan");
    else
      ncc_double_format(values->values[i], text + strlen(text), text_bytes - strlen(text));
  }
}

bool ncc_filter_option_parse(const char *text, void *target) {
  ncc_search *search = target;
  return ncc_filter_parse(text, search->filters, &search->n_filters) == NCC_OK;
}

void ncc_filter_option_format(const void *target, char *text, size_t text_bytes) {
  const ncc_search *search = target;
  ncc_filter_format(search->filters, search->n_filters, text, text_bytes);
}

/** Degrees with up to six decimals, as 1e-6 degree, within a turn. */
static bool parse_degrees(const char **text, int64_t *out) {
  enum { DECIMALS = 6, TURN = 360000000 };
  const bool negative = **text == '-';
  int64_t value = 0;
  int digits = 0, decimals = -1;
  if (negative || **text == '+') ++*text;
  for (; isdigit((unsigned char)**text) || (**text == '.' && decimals < 0); ++*text) {
    if (**text == '.') {
      decimals = 0;
      continue;
    }
    value = value * 10 + (**text - '0');
    digits++;
    decimals += decimals >= 0;
    if (value > TURN || decimals > DECIMALS) return false;
  }
  for (int i = decimals < 0 ? 0 : decimals; i < DECIMALS; i++) value *= 10;
  *out = negative ? -value : value;
  return digits > 0 && value <= TURN;
}

bool ncc_rotate_parse(const char *text, void *target) {
  ncc_search *search = target;
  int64_t from, to, step;
  if (!parse_degrees(&text, &from) || *text++ != ':' || !parse_degrees(&text, &to) || *text++ != ':' ||
      !parse_degrees(&text, &step) || *text || from > to || step <= 0 || (to - from) % step != 0 ||
      (to - from) / step >= NCC_ANGLES_MOST)
    return false;
  search->rotate_from = from;
  search->rotate_to = to;
  search->rotate_step = step;
  return true;
}

/** "-0.5" of -500000. */
static void print_degrees(int64_t micro, char text[24]) {
  const int64_t size = micro < 0 ? -micro : micro;
  int n = snprintf(text, 24, "%s%" PRId64 ".%06" PRId64, micro < 0 ? "-" : "", size / 1000000, size % 1000000);
  while (text[n - 1] == '0') text[--n] = '\0';
  if (text[n - 1] == '.') text[n - 1] = '\0';
}

void ncc_rotate_format(const void *target, char *text, size_t text_bytes) {
  const ncc_search *search = target;
  char from[24], to[24], step[24];
  text[0] = '\0';
  if (search->rotate_step == 0) return;
  print_degrees(search->rotate_from, from);
  print_degrees(search->rotate_to, to);
  print_degrees(search->rotate_step, step);
  snprintf(text, text_bytes, "%s:%s:%s", from, to, step);
}

static bool parse_on_bad_pair(const char *text, void *target) {
  bool *skip = target;
  *skip = strcmp(text, "skip") == 0;
  return *skip || strcmp(text, "fail") == 0;
}

static void format_on_bad_pair(const void *target, char *text, size_t text_bytes) {
  snprintf(text, text_bytes, "%s", *(const bool *)target ? "skip" : "fail");
}

/** Statuses that may be others another time. */
static bool parse_retry(const char *text, void *target) {
  static const int statuses[] = {NCC_PAIR_UNREADABLE, NCC_PAIR_NONFINITE, NCC_PAIR_UNCERTAIN, NCC_PAIR_INVALID};
  int *retry = target;
  for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
    if (strcmp(text, ncc_pair_status_name((ncc_pair_status)statuses[i])) != 0) continue;
    *retry = statuses[i];
    return true;
  }
  return false;
}

static void format_retry(const void *target, char *text, size_t text_bytes) {
  const int retry = *(const int *)target;
  if (retry) snprintf(text, text_bytes, "%s", ncc_pair_status_name((ncc_pair_status)retry));
}

static bool parse_max_failed(const char *text, void *target) {
  ncc_run_options *options = (ncc_run_options *)((char *)target - offsetof(ncc_run_options, max_failed));
  char *end;
  errno = 0;
  if (!isdigit((unsigned char)text[0])) return false;
  options->max_failed.n = strtoll(text, &end, 10);
  options->max_failed.given = true;
  return errno == 0 && *end == '\0';
}

static void format_max_failed(const void *target, char *text, size_t text_bytes) {
  const ncc_run_options *options =
      (const ncc_run_options *)((const char *)target - offsetof(ncc_run_options, max_failed));
  text[0] = '\0';
  if (options->max_failed.given) snprintf(text, text_bytes, "%" PRId64, options->max_failed.n);
}

static bool parse_memory(const char *text, void *target) {
  static const struct {
    const char *unit;
    int shift;
  } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  char *end;
  if (!isdigit((unsigned char)text[0])) return false;
  double number = strtod(text, &end);
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (strcmp(end, units[i].unit) == 0) {
      double bytes = number * (double)((int64_t)1 << units[i].shift);
      if (!(bytes >= 1 && bytes < 0x1p62)) return false;
      *(int64_t *)target = (int64_t)bytes;
      return true;
    }
  return false;
}

static void format_memory(const void *target, char *text, size_t text_bytes) {
  int64_t bytes = *(const int64_t *)target;
  text[0] = '\0';
  if (bytes > 0) snprintf(text, text_bytes, "%" PRId64, bytes);
}

/* ---- the table ----------------------------------------------------------------------------------------------- */

#define AT(member) offsetof(ncc_run_options, member)

static const ncc_operand run_operands[] = {
    {"INPUT", AT(input), "HDF5 file with /images, /templates and /pairs"},
    {"OUTPUT", AT(output), "HDF5 file to write; appears under this name only when it is complete"},
    {NULL, 0, NULL},
};

static const ncc_option run_options[] = {
    NCC_SEARCH_OPTION_ROWS(ncc_run_options, search) NCC_MASK_VALUE_OPTION_ROW(ncc_run_options, mask_values),
    {.name = "quality",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(search.quality),
     .help = "also write sub-pixel positions, curvatures and second "
             "peaks: the best farther than --separation from the first",
     .changes_results = true},
    {.name = "device",
     .group = "how it is done (none of these changes a result)",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(device),
     .argument = "auto|cpu|gpu",
     .initial = "auto",
     .help = "engine; 'gpu' without a usable GPU is an error, 'auto' takes GPUs where there are any"},
    {.name = "gpus",
     .kind = NCC_OPTION_INT,
     .offset = AT(gpus),
     .argument = "N",
     .min = 1,
     .max = 65536,
     .default_words = "all",
     .help = "at most N GPUs of each node; CUDA_VISIBLE_DEVICES is honoured, UUIDs included"},
    {.name = "streams",
     .kind = NCC_OPTION_INT,
     .offset = AT(streams),
     .argument = "N",
     .min = 1,
     .max = 16,
     .default_words = "chosen",
     .help = "batches in flight on one GPU"},
    {.name = "threads",
     .kind = NCC_OPTION_INT,
     .offset = AT(threads),
     .argument = "N",
     .min = 1,
     .max = 65536,
     .default_words = "the cores that the rank is bound to, shared fairly",
     .help = "CPU threads of a rank"},
    {.name = "group",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(group),
     .initial = "on",
     .default_words = "on",
     .help = "sort pairs by image, so that an image is read and transformed once"},
    {.name = "no-group", .kind = NCC_OPTION_NO, .offset = AT(group), .help = "keep the order of the input"},
    {.name = "read",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(read),
     .argument = "auto|root|all",
     .initial = "auto",
     .help = "who reads pixels: rank 0, which ships them with the work, or every rank"},
    {.name = "read-threads",
     .kind = NCC_OPTION_INT,
     .offset = AT(read_threads),
     .argument = "N",
     .min = 1,
     .max = 64,
     .default_words = "1; where images are names of files 2 to 8",
     .help = "threads of a rank that read and decode"},
    NCC_ROOT_OPTION_ROW(ncc_run_options, root),
    {.name = "fft-effort",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(fft_effort),
     .argument = "measure|estimate|patient",
     .initial = "measure",
     .help = "how thoroughly FFTs are planned; rank 0 plans once for all, and plans are kept between runs"},
    {.name = "proposals",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(proposals),
     .argument = "auto|full",
     .initial = "auto",
     .help = "whether proposals may come from a part of the spectrum; the bytes are the same"},
    {.name = "wisdom",
     .kind = NCC_OPTION_STRING,
     .offset = AT(wisdom),
     .argument = "FILE",
     .default_words = "in the user's cache directory",
     .help = "where FFT plans are kept"},
    {.name = "memory",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(memory_bytes),
     .argument = "SIZE",
     .default_words = "the cgroup's or scheduler's limit, shared by the node's ranks",
     .expected = "a number of bytes, also with KiB, MiB, GiB or TiB",
     .help = "bound on a rank's memory, such as 8GiB; what cannot fit is an error before any work",
     .parse = parse_memory,
     .format = format_memory},
    {.name = "on-bad-pair",
     .group = "input and output",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(skip_bad_pairs),
     .argument = "fail|skip",
     .initial = "fail",
     .expected = "one of fail|skip",
     .help = "a pair whose ids or shapes are invalid: fail before any work, or mark it invalid and go on",
     .parse = parse_on_bad_pair,
     .format = format_on_bad_pair},
    {.name = "overwrite",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(overwrite),
     .help = "replace an existing output or part; without this or --resume either is an error"},
    {.name = "resume",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(resume),
     .help = "go on from a partial output; start afresh where there is none, do nothing where it is complete"},
    {.name = "retry",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(retry),
     .argument = "STATUS",
     .default_words = "none",
     .expected = "one of unreadable, nonfinite, uncertain and invalid",
     .help = "with --resume, also of a complete output: do the rows of that status again, such as unreadable ones once "
             "the files are there",
     .parse = parse_retry,
     .format = format_retry},
    {.name = "time-limit",
     .kind = NCC_OPTION_DOUBLE,
     .offset = AT(time_limit_s),
     .argument = "S",
     .min = 0.001,
     .max = 1e9,
     .default_words = "none, or what the batch system tells",
     .help = "stop after S seconds, resumable"},
    {.name = "max-failed",
     .kind = NCC_OPTION_CUSTOM,
     .offset = AT(max_failed),
     .argument = "N",
     .default_words = "no limit",
     .expected = "a whole number of at least 0",
     .help = "give up, resumable, once more than N pairs of this run are nonfinite, unreadable or uncertain",
     .parse = parse_max_failed,
     .format = format_max_failed},
    {.name = "progress",
     .kind = NCC_OPTION_CHOICE,
     .offset = AT(progress),
     .argument = "auto|bar|log|none",
     .initial = "auto",
     .help = "'auto' is a bar on a terminal, a line now and then in a log"},
    {.name = "dry-run",
     .kind = NCC_OPTION_FLAG,
     .offset = AT(dry_run),
     .help = "print what a run would do and need, for these ranks and threads, and stop; OUTPUT may be left out, and "
             "nothing is written but the report"},
    {.name = "report",
     .kind = NCC_OPTION_STRING,
     .offset = AT(report),
     .argument = "FILE.json",
     .default_words = "none",
     .help = "write times, rates and counts of the run to a JSON file"},
    {.name = NULL},
};

const ncc_command ncc_run_command = {
    .name = "run",
    .summary = "Correlate every pair of INPUT and write the peaks to OUTPUT, under mpirun or srun, or alone.",
    .details =
        "Exit codes: 0 done; 1 internal error; 2 usage; 3 input invalid; 4 output exists, is in use, or cannot be "
        "written; 5 no such device; 6 done, but some pairs are nonfinite, unreadable, uncertain or invalid; 75 stopped "
        "early by a signal or a limit, go on with --resume.",
    .examples =
        "mpirun -n 4 mpixcorr run in.h5 peaks.h5 --crop half\tfour ranks on this machine\n"
        "mpixcorr run in.h5 --dry-run\twhat it would take, and a launch line\n"
        "mpirun -n 4 mpixcorr run in.h5 peaks.h5 --crop half --resume\tgo on with what was stopped",
    .operands = run_operands,
    .options = run_options,
    .optional = 1,
};

/* ---- the run's options --------------------------------------------------------------------------------------- */

ncc_status ncc_run_options_parse(int argc, char **argv, ncc_run_options *options, bool *help) {
  ncc_status status = NCC_OK;
  *help = false;
  memset(options, 0, sizeof *options);
  options->words = malloc((size_t)argc * sizeof *options->words);
  NCC_CHECK(options->words, NCC_ERR_NOMEM, "run: no memory for the command line");
  memcpy(options->words, argv, (size_t)argc * sizeof *argv); /* before getopt_long reorders it */
  options->n_words = argc;
  options->command_line = ncc_run_options_command_line(options, NULL, NULL);
  NCC_CHECK(options->command_line, NCC_ERR_NOMEM, "run: no memory for the command line");
  NCC_TRY(ncc_command_parse(&ncc_run_command, argc, argv, options, help));
  NCC_CHECK(*help || !options->resume || !options->overwrite, NCC_ERR_USAGE,
            "run: --resume and --overwrite found, expected one of them");
  NCC_CHECK(*help || !options->retry || options->resume, NCC_ERR_USAGE,
            "run: --retry found without --resume, expected both");
  NCC_CHECK(*help || options->output || options->dry_run, NCC_ERR_USAGE,
            "run: OUTPUT is missing: expected INPUT OUTPUT, found 1 argument");
cleanup:
  return status;
}

void ncc_run_options_clear(ncc_run_options *options) {
  free(options->words);
  free(options->command_line);
  memset(options, 0, sizeof *options);
}

ncc_status ncc_run_options_describe(const ncc_run_options *options, char **out) {
  return ncc_command_describe(&ncc_run_command, options, false, out);
}

ncc_status ncc_run_options_describe_results(const ncc_run_options *options, char **out) {
  return ncc_command_describe(&ncc_run_command, options, true, out);
}

char *ncc_run_options_command_line(const ncc_run_options *options, const char *const *without, const char *with) {
  return ncc_command_line_words(&ncc_run_command, options->n_words, options->words, without, with);
}
