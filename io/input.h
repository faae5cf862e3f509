/** The HDF5 input file: what it holds (catalog) and its pixels.
 *
 *  Only io/ knows HDF5. Nothing here is collective: any rank may open a file by itself (POSIX driver, read-only).
 */
#ifndef NCC_INPUT_H
#define NCC_INPUT_H

#include "catalog.h"

typedef struct ncc_input ncc_input;

typedef enum ncc_object_kind { NCC_IMAGE = 0, NCC_TEMPLATE = 1 } ncc_object_kind;

/** Opens a file and inspects it: every object, type, shape and the pairs are checked; no pixel is read.
 *  @return NCC_OK; NCC_ERR_INPUT with "file: object: what was found, what was expected"; NCC_ERR_NOMEM. */
ncc_status ncc_input_open(const char *path, ncc_input **out);

void ncc_input_close(ncc_input **input);

/** What the file holds; borrowed, valid until close. */
const ncc_catalog *ncc_input_catalog(const ncc_input *input);

/** Reads the pixels of one object into `pixels` [rows, cols], C order, stored type, native byte order. Boxes are cut.
 *  @return NCC_OK; NCC_ERR_UNREADABLE with file, object and reason. */
ncc_status ncc_input_read(ncc_input *input, ncc_object_kind kind, int64_t index, void *pixels);

/** What identifies the content, for the output's attributes and for --resume. */
typedef struct ncc_input_identity {
  int64_t size_bytes;
  int64_t modified_s;   /**< Unix time */
  char fingerprint[65]; /**< hex digest over structure, pairs and a sample of the pixels; cheap on huge files */
} ncc_input_identity;

ncc_status ncc_input_identify(ncc_input *input, ncc_input_identity *out);

/** /expected of the file, where it exists. @param[out] coords [n_pairs][2] and peaks [n_pairs], malloc'd, caller frees;
 *  NULL where absent. */
ncc_status ncc_input_expected(ncc_input *input, int64_t (**coords)[2], double **peaks);

/** /image_names or /template_names: malloc'd array of malloc'd strings in order of index; NULL where absent. */
ncc_status ncc_input_names(ncc_input *input, ncc_object_kind kind, char ***names);

#endif
