/** The HDF5 output file, safe against any crash.
 *
 *  Only rank 0 writes. `OUTPUT.part` is built complete under a temporary name (contiguous, early-allocated datasets),
 *  synced, renamed to OUTPUT.part and closed as HDF5: from then on no metadata changes. Rows go by pwrite at the
 *  datasets' offsets; after fdatasync their status turns from `pending`. When nothing is pending the record of the run
 * is filled in place, the file is synced, renamed to OUTPUT and the directory synced. A lock on a sidecar file refuses
 * a second run.
 */
#ifndef NCC_OUTPUT_H
#define NCC_OUTPUT_H

#include "io/input/input.h"
#include "io/output/run_info.h"
#include "plan/work.h"

typedef struct ncc_output ncc_output;

typedef enum ncc_output_mode { NCC_OUTPUT_NEW, NCC_OUTPUT_OVERWRITE, NCC_OUTPUT_RESUME } ncc_output_mode;

/** Declares OUTPUT and the files beside it as targets (base/target.h), until the output is closed.
 *  @param[out] out  malloc'd: where it lies, symbolic links followed; may be NULL.
 *  @return NCC_OK; NCC_ERR_OUTPUT. */
ncc_status ncc_output_declare(const char *path, char **out);

/** Refuses early, before any work, what create would refuse: output or part exists, is in use, or its directory cannot
 *  be written. @return NCC_OK; NCC_ERR_OUTPUT naming the path and the reason. */
ncc_status ncc_output_check(const char *path, ncc_output_mode mode);

/** Creates OUTPUT.part, or opens it to resume. Rows without work become `invalid` at once.
 *  @param[in] work     borrowed until the output is closed.
 *  @param[in] search   says which datasets there are.
 *  @return NCC_OK; NCC_ERR_OUTPUT; NCC_ERR_INPUT where a resume does not fit, with the reason. */
ncc_status ncc_output_create(const char *path, ncc_output_mode mode, const ncc_work *work,
                             const ncc_input_identity *identity, const ncc_search *search, const ncc_run_info *info,
                             ncc_output **out);

/** Statuses as a run in mode RESUME would find them, without opening anything for writing.
 *  @param[out] statuses  [n_pairs], malloc'd, caller frees; all pending where there is neither output nor part.
 *  @return NCC_OK; NCC_ERR_INPUT where a resume would not fit, with the reason; NCC_ERR_OUTPUT; NCC_ERR_NOMEM. */
ncc_status ncc_output_peek(const char *path, const ncc_work *work, const ncc_input_identity *identity,
                           const ncc_search *search, const ncc_run_info *info, uint8_t **statuses);

/** Status of every row, on disk or taken since: [n_pairs], borrowed. After resume, non-pending rows need no work. */
const uint8_t *ncc_output_statuses(const ncc_output *output);

/** Of the rows that are not pending, those whose peak lies at the border of what was searched. */
int64_t ncc_output_at_border(const ncc_output *output);

/** Takes n results and returns at once: a thread of the output's own writes them.
 *  /offsets and /overlap are derived here.  @param[in] rows  row of /pairs of each.
 *  @param[in] peaks  [n][search.peaks] their lists; NULL: none, or empty lists
 *  @return NCC_OK; NCC_ERR_OUTPUT if writing failed, now or before; nothing more is written then. */
ncc_status ncc_output_write(ncc_output *output, int64_t n, const int64_t *rows, const ncc_result *results,
                            const ncc_peak *peaks);

/** Rows that are taken and not yet durable: who makes results waits where the disk is far behind. */
int64_t ncc_output_unwritten(const ncc_output *output);

/** Waits until everything taken so far is durable and marked as done. Happens by itself every few seconds. */
ncc_status ncc_output_sync(ncc_output *output);

/** How often results were made durable so far, and for how many seconds a thread of its own was at it. */
void ncc_output_spent(const ncc_output *output, int64_t *times, double *elapsed_s);

/** Completes the file if nothing is pending and renames it to its name; else leaves OUTPUT.part, synced. Frees.
 *  @param[in] timings  NULL to leave the part as it is. */
ncc_status ncc_output_close(ncc_output **output, const ncc_run_timings *timings);

#endif
