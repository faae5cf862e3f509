/** The output file as HDF5: its datasets and attributes, and where their bytes lie. Private to io/.
 *
 *  HDF5 touches the file only while it is built under a temporary name, and to read. The old object header format has
 *  no checksums, and contiguous datasets never move: so rows, statuses and the record of the run are overwritten in
 * place by pwrite, and a crash at any moment leaves a valid HDF5 file.
 */
#ifndef NCC_OUTPUT_FILE_H
#define NCC_OUTPUT_FILE_H

#include "io/base/h5.h"
#include "io/input/input.h"
#include "io/output/run_info.h"

enum { NCC_OUTPUT_FORMAT_VERSION = 2 };

/** The root attribute `format` of every output. */
extern const char ncc_output_format_name[];

/** Which outputs have a dataset. */
typedef enum ncc_table_when {
  NCC_TABLE_ALWAYS,
  NCC_TABLE_QUALITY,
  NCC_TABLE_PEAKS_LISTED,
  NCC_TABLE_TURNED
} ncc_table_when;

/** Every dataset: enumerator, name, values a row (0: one-dimensional), C type, when. Listed peaks have as many rows of
 *  that for each pair as are asked for. */
#define NCC_TABLE_LIST(X)                                                          \
  X(NCC_TABLE_PAIRS, "/pairs", 2, int64_t, NCC_TABLE_ALWAYS)                       \
  X(NCC_TABLE_COORDS, "/coords", 2, int64_t, NCC_TABLE_ALWAYS)                     \
  X(NCC_TABLE_OFFSETS, "/offsets", 2, int64_t, NCC_TABLE_ALWAYS)                   \
  X(NCC_TABLE_PEAKS, "/peaks", 0, double, NCC_TABLE_ALWAYS)                        \
  X(NCC_TABLE_OVERLAP, "/overlap", 0, float, NCC_TABLE_ALWAYS)                     \
  X(NCC_TABLE_STATUS, "/status", 0, uint8_t, NCC_TABLE_ALWAYS)                     \
  X(NCC_TABLE_AT_BORDER, "/at_border", 0, uint8_t, NCC_TABLE_ALWAYS)               \
  X(NCC_TABLE_SUBPIXEL, "/subpixel", 2, double, NCC_TABLE_QUALITY)                 \
  X(NCC_TABLE_SUBPIXEL_OFFSETS, "/subpixel_offsets", 2, double, NCC_TABLE_QUALITY) \
  X(NCC_TABLE_CURVATURE, "/curvature", 2, double, NCC_TABLE_QUALITY)               \
  X(NCC_TABLE_SECOND_COORDS, "/second_coords", 2, int64_t, NCC_TABLE_QUALITY)      \
  X(NCC_TABLE_SECOND_PEAKS, "/second_peaks", 0, double, NCC_TABLE_QUALITY)         \
  X(NCC_TABLE_TOP_COORDS, "/top_coords", 2, int64_t, NCC_TABLE_PEAKS_LISTED)       \
  X(NCC_TABLE_TOP_PEAKS, "/top_peaks", 0, double, NCC_TABLE_PEAKS_LISTED)          \
  X(NCC_TABLE_ANGLES, "/angles", 0, double, NCC_TABLE_TURNED)
typedef enum ncc_table_id {
#define NCC_TABLE_ENUM(id, name, cols, type, quality) id,
  NCC_TABLE_LIST(NCC_TABLE_ENUM)
#undef NCC_TABLE_ENUM
      NCC_TABLE_COUNT
} ncc_table_id;

typedef struct ncc_table {
  const char *name;
  int cols;
  size_t row_bytes;
  ncc_table_when when;
} ncc_table;

extern const ncc_table ncc_tables[NCC_TABLE_COUNT];

/** Whether the rows of a dataset are lists of peaks. */
static inline bool ncc_table_lists(int id) {
  return ncc_tables[id].when == NCC_TABLE_PEAKS_LISTED;
}

/** The dataset /run, one record: what is not known before the end. HDF5 tells where it lies, so that it is filled in
 *  place; its members are told among the root attributes. */
typedef struct ncc_output_record {
  char end_time[32]; /**< UTC; empty until then */
  ncc_run_timings timings;
  int64_t resumes, complete;
} ncc_output_record;

extern const char ncc_output_record_name[];

/** The HDF5 type of the record, in the file and in memory; to be closed. */
hid_t ncc_output_record_type(void);

/** Where the bytes lie in the file. */
typedef struct ncc_output_layout {
  int64_t n_pairs;
  int peaks;                       /**< listed for each pair */
  int64_t tables[NCC_TABLE_COUNT]; /**< of the first row; -1: no such dataset, or no rows */
  int64_t record;                  /**< of /run */
} ncc_output_layout;

/** What a part is built from, and what a resumed one must agree with. All borrowed. */
typedef struct ncc_output_spec {
  const ncc_catalog *catalog;
  const ncc_input_identity *identity;
  const ncc_run_info *info;
  const ncc_search *search;
} ncc_output_spec;

/** Builds a complete file in which every row is pending, syncs it and says where its bytes lie.
 *  @return NCC_OK; NCC_ERR_OUTPUT, the file is then removed. */
ncc_status ncc_output_file_build(const char *path, const ncc_output_spec *spec, ncc_output_layout *layout);

/** Checks that a part or an output belongs to the run that `spec` describes, and says where its bytes lie. Prints a
 *  warning on stderr where only the input's name or modification time differ.
 *  @return NCC_OK; NCC_ERR_INPUT with the reason. */
ncc_status ncc_output_file_match(const char *path, const ncc_output_spec *spec, ncc_output_layout *layout);

/** Opens an output or part and checks that it is one, of a version that this program can read. */
ncc_status ncc_output_file_open(const char *path, hid_t *out);

/** Reads a text attribute of the root group. @param[out] value  malloc'd; NULL where there is no such attribute. */
ncc_status ncc_output_file_text(hid_t file, const char *path, const char *name, char **value);

/** Reads an integer attribute of the root group; `missing` where there is none. */
ncc_status ncc_output_file_integer(hid_t file, const char *path, const char *name, int64_t missing, int64_t *value);

/** Finds /run. @param[out] offset  of its bytes. @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_output_file_find_record(hid_t file, const char *path, int64_t *offset);

/** Writes all bytes at an offset, whatever the system call cuts short. @return false with errno. */
bool ncc_output_file_pwrite(int fd, const void *data, size_t size, int64_t offset);

#endif
