/** Small tables of numbers from other programs: a variable of a MAT file, a NumPy file, a CSV file. Private to io/.
 *
 *  They are loaded whole: pairs, boxes and expected values, never pixels. Numbers are float64, which holds every id and
 *  coordinate up to 2^53.
 */
#ifndef NCC_TABLE_FILE_H
#define NCC_TABLE_FILE_H

#include "base/error.h"

/** A matrix of numbers. */
typedef struct ncc_matrix {
  int64_t rows, cols;
  double *values; /**< [rows, cols], C order; owned; NULL: absent */
} ncc_matrix;

/** Frees what the matrix owns and zeroes it. */
void ncc_matrix_clear(ncc_matrix *matrix);

/** The matrix's values as integers, malloc'd, caller frees.
 *  @param[in] path, name  for messages: file and variable.
 *  @return NCC_OK; NCC_ERR_INPUT naming the row where a value is no integer; NCC_ERR_NOMEM. */
ncc_status ncc_matrix_integers(const ncc_matrix *matrix, const char *path, const char *name, int64_t **out);

/** Reads a variable of a MAT file: v4 to v7 through matio, v7.3 (which is HDF5) through HDF5. Column-major as MATLAB
 *  stores it, row-major as it comes out.
 *  @param[out] out  values NULL where the file has no such variable.
 *  @return NCC_OK; NCC_ERR_INPUT where the file cannot be read or the variable is no real, full matrix. */
ncc_status ncc_mat_read(const char *path, const char *name, ncc_matrix *out);

/** Reads a NumPy file of one or two dimensions (one: a single column) of integers or floats, in either order.
 *  @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_npy_read(const char *path, ncc_matrix *out);

/** Number of dimensions of a NumPy file. @return NCC_OK; NCC_ERR_INPUT. */
ncc_status ncc_npy_rank(const char *path, int *rank);

/** A CSV file: comma-separated, a header of column names, quotes as in RFC 4180, any line ends. */
typedef struct ncc_csv {
  char *path;
  int64_t n_columns, n_rows;
  char **columns; /**< [n_columns], point into `text` */
  char **cells;   /**< [n_rows][n_columns], point into `text`; empty cells are empty strings */
  int64_t *lines; /**< [n_rows] line of the file on which the row begins, from 1 */
  char *text;
} ncc_csv;

/** Loads a file. Blanks around cells are dropped, empty lines are passed over.
 *  @return NCC_OK; NCC_ERR_INPUT naming file, line, what was found and what was expected; NCC_ERR_NOMEM. */
ncc_status ncc_csv_load(const char *path, ncc_csv *out);

void ncc_csv_clear(ncc_csv *csv);

/** Index of a column, or -1. */
int64_t ncc_csv_find(const ncc_csv *csv, const char *column);

/** A cell. */
static inline const char *ncc_csv_cell(const ncc_csv *csv, int64_t row, int64_t column) {
  return csv->cells[row * csv->n_columns + column];
}

/** Whether a cell is empty, or says in one of the usual words that its value is not known ("NaN", "NA"). */
bool ncc_csv_unknown(const ncc_csv *csv, int64_t row, int64_t column);

/** A cell as a number; integers may be written as floats, "10.0". @return NCC_OK; NCC_ERR_INPUT naming file, line and
 * column. */
ncc_status ncc_csv_integer(const ncc_csv *csv, int64_t row, int64_t column, int64_t *out);
ncc_status ncc_csv_number(const ncc_csv *csv, int64_t row, int64_t column, double *out);

#endif
