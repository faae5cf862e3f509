/** The output file as HDF5: its datasets and attributes, and where their bytes lie. Private to io/.
 *
 *  HDF5 touches the file only while it is built under a temporary name, and to read. The old object header format has
 *  no checksums, and contiguous datasets and fixed-size attributes never move: so rows, statuses and the final
 *  attributes are overwritten in place by pwrite, and a crash at any moment leaves a valid HDF5 file.
 */
#ifndef NCC_OUTPUT_FILE_H
#define NCC_OUTPUT_FILE_H

#include "io/base/h5.h"
#include "io/input/input.h"
#include "io/output/run_info.h"

enum { NCC_OUTPUT_FORMAT_VERSION = 1 };

/** The root attribute `format` of every output. */
extern const char ncc_output_format_name[];

/** Every dataset: enumerator, name, values a row (0: one-dimensional), C type, only with --quality. */
#define NCC_TABLE_LIST(X)                                        \
  X(NCC_TABLE_PAIRS, "/pairs", 2, int64_t, false)                \
  X(NCC_TABLE_COORDS, "/coords", 2, int64_t, false)              \
  X(NCC_TABLE_OFFSETS, "/offsets", 2, int64_t, false)            \
  X(NCC_TABLE_PEAKS, "/peaks", 0, double, false)                 \
  X(NCC_TABLE_OVERLAP, "/overlap", 0, float, false)              \
  X(NCC_TABLE_STATUS, "/status", 0, uint8_t, false)              \
  X(NCC_TABLE_SUBPIXEL, "/subpixel", 2, double, true)            \
  X(NCC_TABLE_SECOND_COORDS, "/second_coords", 2, int64_t, true) \
  X(NCC_TABLE_SECOND_PEAKS, "/second_peaks", 0, double, true)

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
  bool quality;
} ncc_table;

extern const ncc_table ncc_tables[NCC_TABLE_COUNT];

/** Every attribute that is filled in place: enumerator, name, bytes. Numbers are float64 or int64. */
#define NCC_SLOT_LIST(X)                  \
  X(NCC_SLOT_END_TIME, "end_time", 32)    \
  X(NCC_SLOT_ELAPSED, "elapsed_s", 8)     \
  X(NCC_SLOT_READING, "reading_s", 8)     \
  X(NCC_SLOT_PLANNING, "planning_s", 8)   \
  X(NCC_SLOT_COMPUTING, "computing_s", 8) \
  X(NCC_SLOT_WAITING, "waiting_s", 8)     \
  X(NCC_SLOT_WRITING, "writing_s", 8)     \
  X(NCC_SLOT_RESUMES, "resumes", 8)       \
  X(NCC_SLOT_COMPLETE, "complete", 8)

typedef enum ncc_slot_id {
#define NCC_SLOT_ENUM(id, name, bytes) id,
  NCC_SLOT_LIST(NCC_SLOT_ENUM)
#undef NCC_SLOT_ENUM
      NCC_SLOT_COUNT
} ncc_slot_id;

/** Where the bytes lie in the file. */
typedef struct ncc_output_layout {
  int64_t n_pairs;
  bool quality;
  int64_t tables[NCC_TABLE_COUNT]; /**< of the first row; -1: no such dataset, or no rows */
  int64_t slots[NCC_SLOT_COUNT];   /**< of the attribute's value */
} ncc_output_layout;

/** What a part is built from, and what a resumed one must agree with. All borrowed. */
typedef struct ncc_output_spec {
  const ncc_catalog *catalog;
  const ncc_input_identity *identity;
  const ncc_run_info *info;
  bool quality;
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

/** Reads where the values lie that are filled in at the end. @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_output_file_slots(hid_t file, const char *path, int64_t slots[NCC_SLOT_COUNT]);

/** Writes all bytes at an offset, whatever the system call cuts short. @return false with errno. */
bool ncc_output_file_pwrite(int fd, const void *data, size_t size, int64_t offset);

#endif
