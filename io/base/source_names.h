/** Where HDF5 looks for the files that virtual datasets and external storage name. Private to io/. */
#ifndef NCC_SOURCE_NAMES_H
#define NCC_SOURCE_NAMES_H

#include "io/base/h5.h"

enum { NCC_NAME_BYTES = 4096, NCC_REASON_BYTES = 1024 };

/** An attempt to open a source file. */
typedef struct ncc_source_attempt {
  hid_t file; /**< or -1 */
  char path[NCC_NAME_BYTES];
  char reason[NCC_REASON_BYTES]; /**< why not: of the first name that says more than that there is no such file */
  bool telling;                  /**< the reason says more */
} ncc_source_attempt;

/** Opens a source in HDF5's order: as it is named, if that is absolute; in each folder of HDF5_VDS_PREFIX; beside the
 *  file that names it; in the working directory; beside what that file is a link to.
 *  @param[out] a  `file` is -1 where there is none, and `reason` says why. */
void ncc_source_open(ncc_source_attempt *a, const char *holder, const char *name);

/** A name with the number of a block for %b and % for %%, as virtual datasets without end have them. */
void ncc_source_expand(const char *pattern, int64_t block, char out[NCC_NAME_BYTES]);

/** Whether a name has a %b. */
bool ncc_source_numbered(const char *pattern);

/** Where an external file of a dataset in `holder` is: in the working directory, or as HDF5_EXTFILE_PREFIX says. */
void ncc_external_path(const char *holder, const char *name, char out[NCC_NAME_BYTES]);

#endif
