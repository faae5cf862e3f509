/** JSON files of Zarr and N5, and what is asked of them. Private to io/volume. */
#ifndef NCC_VOLUME_JSON_H
#define NCC_VOLUME_JSON_H

#include <jansson.h>

#include "io/volume/format.h"

/** Reads `folder/name`. @param[out] out  to be given back by json_decref(); NULL where there is no such file.
 *  @return NCC_OK; NCC_ERR_UNREADABLE for what is no JSON object. */
ncc_status ncc_json_load(const char *folder, const char *name, json_t **out);

/** A member that is a string, or NULL. */
const char *ncc_json_string(const json_t *object, const char *name);

/** A member that is a list of `n` integers of at least 0 (n = 0: of 1 to NCC_VOLUME_RANK, which *n becomes).
 *  @param[in] reversed  the last one comes first. @return whether it is. */
bool ncc_json_integers(const json_t *object, const char *name, bool reversed, int *n, int64_t *out);

/** "base/a/b/c" or with other marks: the name of a chunk's file, malloc'd; NULL without memory. */
char *ncc_chunk_path(const char *folder, const char *prefix, char mark, int rank, bool reversed, const int64_t *at);

/** Reads the file of a chunk into `work`, or finds that there is none. @return NCC_OK; NCC_ERR_UNREADABLE. */
ncc_status ncc_chunk_file(ncc_volume *volume, const char *path, ncc_volume_work *work, bool *absent);

/** Adds a codec behind those of the volume. @return NCC_OK, or NCC_ERR_UNREADABLE, the volume's path told. */
ncc_status ncc_volume_add_codec(ncc_volume *volume, ncc_codec codec);

/** The codec of a "blosc", "gzip", "zlib", "zstd" or "lz4" (numcodecs' layout).
 *  @return NCC_OK; NCC_ERR_UNREADABLE for another. */
ncc_status ncc_codecs_add_named(ncc_volume *volume, const char *name);

/** `volume->fill` from a JSON number, true or false, or a word as "NaN"; nothing is 0.
 *  @return NCC_OK; NCC_ERR_UNREADABLE. */
ncc_status ncc_json_fill(ncc_volume *volume, const json_t *value);

#endif
