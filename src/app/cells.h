/** What tables are made of: labels for people, records as lines of CSV or objects of JSON. */
#ifndef NCC_CELLS_H
#define NCC_CELLS_H

#include <stdbool.h>
#include <stdint.h>

enum { NCC_LABEL_BYTES = 256, NCC_LABEL_COLUMNS = 40 };

/** "3 left.tif", or "3"; where that takes more than `most` columns, its middle is left out: names differ at their ends.
 */
void ncc_label(int64_t id, const char *name, int most, char text[NCC_LABEL_BYTES]);

/** What each of two labels may take, so that a row fits standard output's terminal beside so many other columns. */
int ncc_label_columns(int others);

/** Prints text and fills up with blanks. */
void ncc_print_column(const char *text, int width);

/** A record that is being printed: its fields come in the order of the columns. */
typedef struct ncc_record {
  bool json;
  const char *const *columns; /**< names, NULL-terminated */
  int next;
} ncc_record;

/** The line of column names; nothing for JSON. */
void ncc_record_head(const ncc_record *record);
void ncc_record_begin(ncc_record *record);
void ncc_record_end(ncc_record *record); /**< without a line break in JSON */

void ncc_record_text(ncc_record *record, const char *text);
void ncc_record_integer(ncc_record *record, int64_t value);
void ncc_record_flag(ncc_record *record, bool value);                 /**< 0 or 1; false or true */
void ncc_record_number(ncc_record *record, double value, int digits); /**< NaN: nothing, or null */
void ncc_record_nothing(ncc_record *record);

/** A text of JSON, quotes and all. */
void ncc_json_print(const char *text);

#endif
