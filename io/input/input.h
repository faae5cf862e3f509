/** The HDF5 input file: what it holds (catalog) and its pixels.
 *
 *  Only io/ knows HDF5. Nothing here is collective: any rank may open a file by itself (POSIX driver, read-only).
 */
#ifndef NCC_INPUT_H
#define NCC_INPUT_H

#include "filter/masking.h"
#include "io/volume/volume.h"
#include "plan/catalog.h"

typedef struct ncc_input ncc_input;

/** Masks are objects where their places and names are concerned: the mask of kind k is of kind NCC_MASK_OF(k). Else an
 *  object has its mask behind its pixels. */
typedef enum ncc_object_kind {
  NCC_IMAGE = 0,
  NCC_TEMPLATE = 1,
  NCC_IMAGE_MASK = 2,
  NCC_TEMPLATE_MASK = 3,
  NCC_INPUT_SETS
} ncc_object_kind;

#define NCC_MASK_OF(kind) ((ncc_object_kind)((int)(kind) + 2))

/** How much an input's tables hold. */
typedef struct ncc_input_size {
  int64_t images, templates, pairs;
  bool windows;
  int64_t rank_bytes; /**< that every rank keeps of the objects */
  int64_t open_bytes; /**< that ncc_input_open() takes, these included */
} ncc_input_size;

/** Finds out by shapes alone, whatever they are; reads no table. @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_input_measure(const char *path, ncc_input_size *out);

/** Opens a file and inspects it: every object, type, shape and the pairs are checked; no pixel is read. Sources of
 *  virtual datasets and linked objects that cannot be opened are warnings, unless all of them cannot. Where images are
 *  names and the file does not tell shapes, each source is looked up.
 *  @param[in] root  where relative names of sources start; NULL: where the file says.
 *  @return NCC_OK; NCC_ERR_INPUT with "file: object: what was found, what was expected"; NCC_ERR_NOMEM. */
ncc_status ncc_input_open(const char *path, const char *root, ncc_input **out);

/** The same without looking at any source: of images that are names, shapes are not known. For commands that need no
 *  pixels. */
ncc_status ncc_input_open_tables(const char *path, ncc_input **out);

void ncc_input_close(ncc_input **input);

/** What the file holds; borrowed, valid until close. */
const ncc_catalog *ncc_input_catalog(const ncc_input *input);

enum { NCC_INPUT_WARNINGS = 4 };

/** What whoever reads results should know of the file: sources and linked objects that cannot be read, datasets that
 *  this program does not know. @param[out] texts  borrowed, valid until close. @return how many. */
int ncc_input_warnings(const ncc_input *input, const char *const **texts);

/** The name of the source that an object's pixels come from (of a box: its image's); borrowed. NULL where they are in
 *  the file. */
const char *ncc_input_source(const ncc_input *input, ncc_object_kind kind, int64_t index);

/** Whether pixels of a kind come from sources, so that ranks that read need their names. */
bool ncc_input_has_sources(const ncc_input *input, ncc_object_kind kind);

/** Where relative names of sources of a kind start; borrowed. NULL where pixels are no sources. */
const char *ncc_input_root(const ncc_input *input, ncc_object_kind kind);

/** Reads a pixel from the middle of an image or template that is no box: can it be read, and is it what it was said to
 *  be? @return as ncc_input_read(). */
ncc_status ncc_input_try(ncc_input *input, ncc_object_kind kind, int64_t index);

/** Gives the name of the source of an image or template that is no box, or NULL. */
typedef const char *(*ncc_input_name_of)(void *context, ncc_object_kind kind, int64_t index);

/** On a rank that attached: where names are to be had from now on. Not while pixels are read. */
void ncc_input_lend_names(ncc_input *input, ncc_input_name_of name_of, void *context);

/** Index of the mask of an image or template, as an object of kind NCC_MASK_OF(kind); a box has that of its image.
 *  -1: it has none. @param[in,out] kind  in: of the object; out: of the mask. */
int64_t ncc_input_mask_index(const ncc_input *input, ncc_object_kind *kind, int64_t index);

/** An image or a mask, or a template with what is around it where it will be turned. */
ncc_object ncc_input_object(const ncc_input *input, ncc_object_kind kind, int64_t index);

/** Thread-safe once all is planned. Reads the pixels of one object into `pixels` [rows, cols], C order, in the
 * catalog's type, native byte order; where the catalog says `masked`, the mask follows. Boxes are cut, with what is
 * around them where they will be turned. What lies in the file in one piece is read from there; HDF5 reads the rest.
 *  @return NCC_OK; NCC_ERR_UNREADABLE with file, object and reason. */
ncc_status ncc_input_read(ncc_input *input, ncc_object_kind kind, int64_t index, void *pixels);

/** The same of a rectangle, without filters; the mask of the rectangle follows its pixels. */
ncc_status ncc_input_read_part(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect,
                               void *pixels);

/** The pixels alone of a rectangle as they are stored, without gaps between rows; of sources that are chunks only those
 *  that it meets are read. */
ncc_status ncc_input_read_rect(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect,
                               void *pixels);

/** Tells which chunks of a source the same reading would load; of what is no source, of what cannot be opened and of
 *  what lies in one piece, none. @return what `seen` returned. */
ncc_status ncc_input_reach(ncc_input *input, ncc_object_kind kind, int64_t index, const ncc_rect *rect,
                           ncc_source_chunk_seen seen, void *context);

/** How pixels will be used. Those of these values are masked. With filters they are read as float32 [rows, cols], and
 * the catalog says so; boxes are cut from their filtered image. The catalog also says whether large images are matched
 * in parts, and how far templates are turned. To be called before anything is planned by the catalog.
 *  @return NCC_OK; NCC_ERR_NOMEM. */
ncc_status ncc_input_filter(ncc_input *input, const ncc_search *search, const ncc_mask_values *values);

/** Threads that filter, 1 unless this is called before the first read. */
void ncc_input_threads(ncc_input *input, int threads);

/** Tells the system that the pixels of an object will be read soon. */
void ncc_input_hint(ncc_input *input, ncc_object_kind kind, int64_t index);

/** Bounds what may be kept of decoded chunks, of images and as much of templates; before reading. */
void ncc_input_limit(ncc_input *input, int64_t chunk_bytes);

/** Whether images and templates are sources that find each other's chunks. */
bool ncc_input_shares_chunks(const ncc_input *input);

/** Bytes that each thread takes that reads and decodes, beside the pixels; by the sources that were looked at. */
int64_t ncc_input_decode_bytes(const ncc_input *input);

/** Bytes that reading took from files; compressed pixels count as what they are once inflated. */
int64_t ncc_input_bytes_read(const ncc_input *input);

/** All that another rank needs to read pixels, beside the catalog, and a glance at the file to know it by.
 *  @param[out] table  malloc'd; for programs of the same build.
 *  @return NCC_OK; NCC_ERR_INPUT; NCC_ERR_NOMEM. */
ncc_status ncc_input_pack(ncc_input *input, void **table, int64_t *n_bytes);

/** Opens the file by that table, on any host: its metadata are not walked, and HDF5 is not used at all where no object
 *  needs it. It is checked that it is the same file: by size and a few blocks; other files and filters by samples.
 *  @param[in] catalog  of the rank that packed, without pairs; borrowed.
 *  @return NCC_OK; NCC_ERR_INPUT with path and reason; NCC_ERR_NOMEM. Reading, hinting, limits and closing work then.
 */
ncc_status ncc_input_attach(const char *path, const char *root, const ncc_catalog *catalog, const void *table,
                            int64_t n_bytes, ncc_input **out);

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

/** Degrees by which templates are to be turned, [n_pairs], malloc'd; NULL where the file does not say. @return
 * likewise. */
ncc_status ncc_input_expected_angles(ncc_input *input, double **angles);

/** /image_names or /template_names, else the names of sources: malloc'd array of malloc'd strings in order of index;
 * NULL where there are none. */
ncc_status ncc_input_names(ncc_input *input, ncc_object_kind kind, char ***names);

/** /image_groups, as ncc_input_names(). */
ncc_status ncc_input_groups(ncc_input *input, char ***groups);

enum { NCC_INPUT_MAX_BIN = 1024 };

/** Pixels of the full resolution that a pixel of this file averages, in y and x each: the attribute `bin`, else 1.
 *  @return NCC_OK; NCC_ERR_INPUT where it is no integer from 1 to NCC_INPUT_MAX_BIN. */
ncc_status ncc_input_bin(ncc_input *input, int64_t *bin);

#endif
