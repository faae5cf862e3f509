/** What the Python tests of input and output files drive: the interfaces of io/ on a command line.
 *
 *    io_tool dump INPUT             what the catalog says, and every object's pixels in hex
 *    io_tool resolve INPUT [skip]   checks all pairs as a run would
 *    io_tool write INPUT OUTPUT new|overwrite|resume [options] [quality=1] [rows=N] [pause_us=N] [hold=1]
 *        gives every pending row (at most N of them, in a scattered order) an answer made from its number, then closes;
 *        pause_us waits after each row, hold waits for ever instead of closing
 *
 *  Errors go to stderr as the program prints them, with the program's exit code.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "io/output/output.h"
#include "match/result.h"

static ncc_status dump_objects(ncc_input *input, ncc_object_kind kind, const ncc_objects *objects) {
  ncc_status status = NCC_OK;
  void *pixels = NULL;
  for (int64_t i = 0; i < objects->count; i++) {
    ncc_object o = ncc_objects_get(objects, i);
    size_t size = (size_t)ncc_object_bytes(&o);
    pixels = realloc(pixels, size);
    NCC_CHECK(pixels, NCC_ERR_NOMEM, "no memory");
    printf("%s %" PRId64 " %" PRId64 " %" PRId64 " %s ", kind == NCC_IMAGE ? "image" : "template", o.id, o.rows, o.cols,
           ncc_dtype_name(o.dtype));
    if (ncc_input_read(input, kind, i, pixels) != NCC_OK) {
      printf("unreadable %s\n", ncc_error_message());
      continue;
    }
    for (size_t k = 0; k < size; k++) printf("%02x", ((unsigned char *)pixels)[k]);
    printf("\n");
  }
cleanup:
  free(pixels);
  return status;
}

static ncc_status dump_names(ncc_input *input, ncc_object_kind kind, int64_t count) {
  char **names = NULL;
  ncc_status status = ncc_input_names(input, kind, &names);
  for (int64_t i = 0; names && i < count; i++) {
    printf("name %d %s\n", kind, names[i]);
    free(names[i]);
  }
  free(names);
  return status;
}

static ncc_status dump(const char *path) {
  ncc_status status = NCC_OK;
  ncc_input *input = NULL;
  ncc_input_identity identity;
  int64_t(*coords)[2] = NULL;
  double *peaks = NULL;
  NCC_TRY(ncc_input_open(path, NULL, &input));
  const ncc_catalog *catalog = ncc_input_catalog(input);
  NCC_TRY(dump_objects(input, NCC_IMAGE, &catalog->images));
  NCC_TRY(dump_objects(input, NCC_TEMPLATE, &catalog->templates));
  for (int64_t i = 0; i < catalog->n_pairs; i++)
    printf("pair %" PRId64 " %" PRId64 "\n", catalog->pairs[i][0], catalog->pairs[i][1]);
  for (int64_t i = 0; catalog->windows && i < catalog->n_pairs; i++) {
    const ncc_rect *w = &catalog->windows[i];
    printf("window %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", w->y0, w->x0, w->y1, w->x1);
  }
  NCC_TRY(dump_names(input, NCC_IMAGE, catalog->images.count));
  NCC_TRY(dump_names(input, NCC_TEMPLATE, catalog->templates.count));
  NCC_TRY(ncc_input_expected(input, &coords, &peaks));
  for (int64_t i = 0; coords && i < catalog->n_pairs; i++)
    printf("coords %" PRId64 " %" PRId64 "\n", coords[i][0], coords[i][1]);
  for (int64_t i = 0; peaks && i < catalog->n_pairs; i++) printf("peak %.17g\n", peaks[i]);
  NCC_TRY(ncc_input_identify(input, &identity));
  printf("fingerprint %s\n", identity.fingerprint);
cleanup:
  free(coords);
  free(peaks);
  ncc_input_close(&input);
  return status;
}

static ncc_status resolve(const char *path, bool skip) {
  ncc_status status = NCC_OK;
  ncc_input *input = NULL;
  ncc_work work = {0};
  const ncc_search search = {0};
  NCC_TRY(ncc_input_open(path, NULL, &input));
  NCC_TRY(ncc_work_create(ncc_input_catalog(input), &search, skip, &work));
  for (int64_t i = 0; i < work.catalog->n_pairs; i++) printf("index %d %d\n", work.rows[i].image, work.rows[i].tmpl);
  printf("bad %" PRId64 "\n", work.n_bad);
cleanup:
  ncc_work_clear(&work);
  ncc_input_close(&input);
  return status;
}

/** An answer that depends on the row alone: every status, and a peak inside the smallest geometry. */
static ncc_result make_result(int64_t row, bool quality) {
  ncc_result r = ncc_result_none((ncc_pair_status)(row % 7 == 0 ? NCC_PAIR_OK : row % 7));
  if (ncc_result_has_peak(r.status)) {
    r.y = row % 5;
    r.x = row % 11;
    r.peak = 1.0 / (double)(row + 1);
    r.overlap = 0.75 / (double)(row + 1);
    r.at_border = row % 2 == 0;
    if (quality) {
      r.subpixel_y = (double)r.y + 0.25;
      r.subpixel_x = (double)r.x - 0.25;
      r.curvature_y = -0.5;
      r.curvature_x = -0.5 / (double)(row + 1);
      r.second_y = row % 3;
      r.second_x = row % 4;
      r.second_peak = 0.5 / (double)(row + 1);
    }
  }
  return r;
}

typedef struct writing {
  int64_t most; /* rows */
  int pause_us; /* after each */
  bool hold;    /* until killed */
} writing;

static void take_word(const char *word, writing *how, ncc_search *search, ncc_run_info *info) {
  if (strncmp(word, "rows=", 5) == 0) {
    how->most = atoll(word + 5);
  } else if (strncmp(word, "pause_us=", 9) == 0) {
    how->pause_us = atoi(word + 9);
  } else if (strcmp(word, "quality=1") == 0) {
    search->quality = true;
  } else if (strcmp(word, "peaks=2") == 0) {
    search->peaks = 2;
  } else if (strcmp(word, "hold=1") == 0) {
    how->hold = true;
  } else {
    info->result_options = word;
  }
}

static ncc_status write_results(int argc, char **argv) {
  ncc_status status = NCC_OK;
  ncc_input *input = NULL;
  ncc_output *output = NULL;
  ncc_work work = {0};
  ncc_input_identity identity;
  ncc_output_mode mode = strcmp(argv[4], "new") == 0         ? NCC_OUTPUT_NEW
                         : strcmp(argv[4], "overwrite") == 0 ? NCC_OUTPUT_OVERWRITE
                                                             : NCC_OUTPUT_RESUME;
  ncc_search search = {0};
  ncc_run_info info = {.command_line = "io_tool write",
                       .options = "--all=1",
                       .result_options = "--eps=0",
                       .commit = "0123456",
                       .engine = "none",
                       .fft_library = "none",
                       .devices = "cpu",
                       .ranks = 3,
                       .nodes = 2,
                       .threads = 1};
  const ncc_run_timings timings = {1.5, 0.25, 0.125, 1, 0.0625, 0.03125};
  writing how = {.most = INT64_MAX};
  for (int i = 5; i < argc; i++) take_word(argv[i], &how, &search, &info);
  NCC_TRY(ncc_input_open(argv[2], NULL, &input));
  const ncc_catalog *catalog = ncc_input_catalog(input);
  NCC_TRY(ncc_input_identify(input, &identity));
  NCC_TRY(ncc_work_create(catalog, &search, true, &work));
  NCC_TRY(ncc_output_check(argv[3], mode));
  NCC_TRY(ncc_output_create(argv[3], mode, &work, &identity, &search, &info, &output));
  printf("open\n");
  fflush(stdout);
  const int64_t n = catalog->n_pairs, stride = 7919;  // a prime, so that every row is met once
  int64_t written = 0;
  for (int64_t i = 0; i < n && written < how.most; i++) {
    int64_t row = n % stride == 0 ? i : i * stride % n;
    if (ncc_output_statuses(output)[row] != NCC_PAIR_PENDING) continue;
    ncc_result result = make_result(row, search.quality);
    const ncc_peak listed[2] = {{result.y, result.x, result.peak}, ncc_peak_none()};
    NCC_TRY(ncc_output_write(output, 1, &row, &result, ncc_result_has_peak(result.status) ? listed : NULL));
    written++;
    if (how.pause_us) {
      usleep((useconds_t)how.pause_us);
      if (written % 16 == 0) NCC_TRY(ncc_output_sync(output));
    }
  }
  printf("written %" PRId64 "\n", written);
  fflush(stdout);
  if (how.hold) {
    NCC_TRY(ncc_output_sync(output));
    printf("holding\n");
    fflush(stdout);
    for (;;) pause();
  }
  NCC_TRY(ncc_output_close(&output, &timings));
cleanup:
  if (output) {
    char message[1024];
    snprintf(message, sizeof message, "%s", ncc_error_message());
    ncc_output_close(&output, NULL);
    ncc_error_set(status, "%s", message);
  }
  ncc_work_clear(&work);
  ncc_input_close(&input);
  return status;
}

int main(int argc, char **argv) {
  ncc_status status = NCC_ERR_USAGE;
  if (argc == 3 && strcmp(argv[1], "dump") == 0) {
    status = dump(argv[2]);
  } else if (argc >= 3 && strcmp(argv[1], "resolve") == 0) {
    status = resolve(argv[2], argc > 3);
  } else if (argc >= 5 && strcmp(argv[1], "write") == 0) {
    status = write_results(argc, argv);
  }
  if (status != NCC_OK) fprintf(stderr, "mpixcorr: %s\n", ncc_error_message());
  return ncc_status_exit_code(status);
}
