/** Chains of codecs: how the bytes of a chunk become its elements. Thread-safe.
 *
 *  What the bytes say is not believed: no decoder writes beyond what the chunk holds, and a chunk of another size is an
 *  error. Libraries are opened when a chain needs them (io/base/lazy.h).
 */
#ifndef NCC_CODEC_H
#define NCC_CODEC_H

#include "base/error.h"

typedef enum ncc_codec_kind {
  NCC_CODEC_DEFLATE = 0, /**< zlib or gzip, by its first bytes */
  NCC_CODEC_ZSTD,
  NCC_CODEC_BLOSC,      /**< Blosc 1 */
  NCC_CODEC_LZ4,        /**< a block after its size, little-endian: numcodecs */
  NCC_CODEC_LZ4_BLOCKS, /**< HDF5's filter 32004 */
  NCC_CODEC_LZ4_STREAM, /**< lz4-java's: N5 */
  NCC_CODEC_LZF,
  NCC_CODEC_SHUFFLE,    /**< bytes of elements of `size` */
  NCC_CODEC_BITSHUFFLE, /**< HDF5's filter 32008 without compression, ... */
  NCC_CODEC_BITSHUFFLE_LZ4,
  NCC_CODEC_BITSHUFFLE_ZSTD,
  NCC_CODEC_CRC32C, /**< 4 bytes at the end, which must be right */
  NCC_CODEC_KINDS
} ncc_codec_kind;

enum { NCC_CODEC_MOST = 8 };

typedef struct ncc_codec {
  ncc_codec_kind kind;
  int size;  /**< of an element, for those that shuffle */
  int block; /**< BITSHUFFLE: elements of a block; 0: its default */
} ncc_codec;

/** Codecs in the order of encoding: decoding begins with the last. */
typedef struct ncc_codecs {
  int n;
  ncc_codec items[NCC_CODEC_MOST];
} ncc_codecs;

/** Adds one to the chain, and opens the library that it needs.
 *  @return NCC_OK; NCC_ERR_UNREADABLE where there is none, or the chain is too long. */
ncc_status ncc_codecs_add(ncc_codecs *codecs, ncc_codec codec);

/** What decoding uses again. */
typedef struct ncc_codec_scratch {
  void *inflater; /**< libdeflate's */
  bool no_inflater;
  unsigned char *data[3]; /**< two between steps, one within a step */
  int64_t capacity[3];
} ncc_codec_scratch;

void ncc_codec_scratch_free(ncc_codec_scratch *scratch);

/** Decodes a chunk.
 *  @param[in]  in   [in_bytes] as stored.
 *  @param[out] out  [out_bytes], which the chunk must fill.
 *  @return NCC_OK; NCC_ERR_UNREADABLE saying what was found; NCC_ERR_NOMEM. */
ncc_status ncc_codecs_decode(const ncc_codecs *codecs, const void *in, int64_t in_bytes, ncc_codec_scratch *scratch,
                             void *out, int64_t out_bytes);

#endif
