/** Names are bytes: files, nodes and objects may be called anything. Here they are worded for people, for UTF-8 files
 * and for a shell. Where a byte cannot be told as it is, it is told as \xNN.
 */
#ifndef NCC_TEXT_H
#define NCC_TEXT_H

#include <stdio.h>

/** One line for a terminal or a picture: UTF-8 without control characters, cut after 4,000 bytes.
 *  @return thread-local, valid until the eighth next call. */
const char *ncc_text_show(const char *name);

/** As ncc_text_show(), into `out`, cut to whole characters where it does not fit. */
void ncc_text_show_into(const char *name, char *out, size_t size);

/** UTF-8 for files: bytes that are none become \xNN, all else stays. malloc'd; NULL without memory. */
char *ncc_text_utf8(const char *name);

/** The way back from ncc_text_utf8(), for a path that is not found as it stands. malloc'd; NULL without memory. */
char *ncc_text_bytes(const char *text);

/** Bytes of the longest part of UTF-8 text of whole characters that fits into `most` bytes. */
size_t ncc_text_cut(const char *text, size_t most);

/** Columns that UTF-8 text takes on a terminal, one a character. */
int ncc_text_columns(const char *text);

/** Writes a word so that a shell reads it back as it is: plain, 'quoted', or $'quoted' where it must be. */
void ncc_text_quote(FILE *stream, const char *word);

/** "12 bytes", "1.50 GiB". The thread's own storage, for a few calls of one printf. */
const char *ncc_size_words(double bytes);

#endif
