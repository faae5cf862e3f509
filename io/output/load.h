/** Reading outputs and parts: for info, compare, table and resuming. Never writes. */
#ifndef NCC_OUTPUT_LOAD_H
#define NCC_OUTPUT_LOAD_H

#include "base/error.h"

/** A finished or partial output, for info, compare and table. */
typedef struct ncc_output_data {
  int64_t n_pairs;
  int64_t (*pairs)[2], (*coords)[2], (*offsets)[2];
  double *peaks;
  float *overlap;
  uint8_t *status, *at_border;
  double (*subpixel)[2];  /**< NULL without --quality, as the next three */
  double (*curvature)[2]; /**< NULL also in outputs of earlier programs */
  int64_t (*second_coords)[2];
  double *second_peaks;
  int n_peaks;              /**< listed for each pair; 0 without --peaks */
  int64_t (*top_coords)[2]; /**< [n_pairs * n_peaks], best first; -1 where there are fewer */
  double *top_peaks;        /**< likewise; NaN */
  double *angles;           /**< of the templates, degrees; NULL without --rotate */
  bool complete;            /**< no row is pending and the final attributes are filled */
  int n_attributes;
  struct {
    char *name, *value; /**< numbers as text */
  } * attributes;       /**< [n_attributes] of the root group, by name */
  char *input_path;
} ncc_output_data;

/** Whether a file is an output (or part) of any version. @return NCC_OK; NCC_ERR_INPUT where it is no HDF5 file. */
ncc_status ncc_output_recognise(const char *path, bool *is_output);

/** Whether an output was begun and not completed: a part, whatever its name. @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_output_is_partial(const char *path, bool *partial);

/** Loads a whole output or part into memory.
 *  @return NCC_OK; NCC_ERR_INPUT with file, object, what was found and what was expected; NCC_ERR_NOMEM. */
ncc_status ncc_output_load(const char *path, ncc_output_data *out);

/** An attribute's value as text, or "". */
const char *ncc_output_data_attribute(const ncc_output_data *data, const char *name);

/** SHA-256 over the bytes of /coords, /peaks and /status, one after the other, in hex: the same for the same results.
 *  @param[out] text  [65]. @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_output_data_digest(const ncc_output_data *data, char text[65]);

/** Frees what it owns and zeroes it. */
void ncc_output_data_clear(ncc_output_data *data);

/** Opens in a part or an output all that resuming it would open: for a process of its own, which HDF5 may bring down
 * where the file is damaged. @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_output_examine(const char *path);

#endif
