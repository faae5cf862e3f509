/** The HDF5 output file, safe against any crash.
 *
 *  Only rank 0 writes. `OUTPUT.part` is built complete under a temporary name (contiguous, early-allocated datasets,
 *  final attributes as fixed-size placeholders), synced, renamed to OUTPUT.part and closed as HDF5: from then on no
 *  metadata changes. Rows go by pwrite at the datasets' offsets; after fdatasync their status turns from `pending`.
 * When nothing is pending the placeholders are filled in place, the file is synced, renamed to OUTPUT and the directory
 *  synced. A lock on a sidecar file refuses a second run.
 */
#ifndef NCC_OUTPUT_H
#define NCC_OUTPUT_H

#include "input.h"

typedef struct ncc_output ncc_output;

typedef enum ncc_output_mode { NCC_OUTPUT_NEW, NCC_OUTPUT_OVERWRITE, NCC_OUTPUT_RESUME } ncc_output_mode;

/** What the output's attributes tell of a run, known at its start. Strings are borrowed. */
typedef struct ncc_run_info {
  const char *command_line;
  const char *options;        /**< every option in effect, "--name=value ..." */
  const char *result_options; /**< those that may change a result; compared on resume */
  const char *commit;         /**< of the program */
  const char *engine, *fft_library, *devices;
  int ranks, nodes, threads;
} ncc_run_info;

/** What is known only at the end. */
typedef struct ncc_run_timings {
  double elapsed_s, reading_s, planning_s, computing_s, waiting_s, writing_s;
} ncc_run_timings;

/** Refuses early, before any work, what create would refuse: output or part exists, is in use, or its directory cannot
 *  be written. @return NCC_OK; NCC_ERR_OUTPUT naming the path and the reason. */
ncc_status ncc_output_check(const char *path, ncc_output_mode mode);

/** Creates OUTPUT.part, or opens it to resume.
 *  @param[in] quality  also has /subpixel, /second_coords, /second_peaks.
 *  @return NCC_OK; NCC_ERR_OUTPUT; NCC_ERR_INPUT where a resume does not fit, with the reason. */
ncc_status ncc_output_create(const char *path, ncc_output_mode mode, const ncc_catalog *catalog,
                             const ncc_input_identity *identity, const ncc_search *search, const ncc_run_info *info,
                             ncc_output **out);

/** Status of every row as on disk: [n_pairs], borrowed. After resume, non-pending rows need no work. */
const uint8_t *ncc_output_statuses(const ncc_output *output);

/** Takes n results; buffered. @param[in] rows  row of /pairs of each. /offsets and /overlap are derived here. */
ncc_status ncc_output_write(ncc_output *output, int64_t n, const int64_t *rows, const ncc_result *results);

/** Makes everything taken so far durable, then marks it as done. Also called by write every few seconds. */
ncc_status ncc_output_sync(ncc_output *output);

/** Completes the file if nothing is pending and renames it to its name; else leaves OUTPUT.part, synced. Frees.
 *  @param[in] timings  NULL to leave the part as it is. */
ncc_status ncc_output_close(ncc_output **output, const ncc_run_timings *timings);

/** A finished or partial output, for info, compare and table. */
typedef struct ncc_output_data {
  int64_t n_pairs;
  int64_t (*pairs)[2], (*coords)[2], (*offsets)[2];
  double *peaks;
  float *overlap;
  uint8_t *status;
  double (*subpixel)[2]; /**< NULL without --quality, as the next two */
  int64_t (*second_coords)[2];
  double *second_peaks;
  bool complete; /**< no row is pending and the final attributes are filled */
  char *input_path;
} ncc_output_data;

ncc_status ncc_output_load(const char *path, ncc_output_data *out);
void ncc_output_data_clear(ncc_output_data *data);

#endif
