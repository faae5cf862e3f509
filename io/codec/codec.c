#include "io/codec/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "io/codec/plain.h"

#ifdef NCC_HAVE_ZLIB
#include "lazy_zlib.h"
#endif
#ifdef NCC_HAVE_LIBDEFLATE
#include "lazy_libdeflate.h"
#endif
#ifdef NCC_HAVE_ZSTD
#include "lazy_zstd.h"
#endif
#ifdef NCC_HAVE_LZ4
#include "lazy_lz4.h"
#endif
#ifdef NCC_HAVE_BLOSC
#include "lazy_blosc.h"
#endif

enum { SLACK = 1 << 20 }; /* by which a step between may be longer than the chunk */

#define UNREADABLE(...) ncc_error_set(NCC_ERR_UNREADABLE, __VA_ARGS__)

static const char *const names[NCC_CODEC_KINDS] = {
    "deflate",    "zstd",           "Blosc",           "LZ4",   "LZ4", "LZ4", "LZF", "shuffle",
    "bitshuffle", "bitshuffle LZ4", "bitshuffle zstd", "crc32c"};

/* ---- libraries --------------------------------------------------------------------------------------------------- */

/** What is said of a codec whose library was absent when the program was built. */
static ncc_status lacks(ncc_codec_kind kind, const char *library) {
  return UNREADABLE("compressed by %s, but this program was built without %s", names[kind], library);
}

#ifndef NCC_HAVE_ZLIB
#define ncc_zlib_load() lacks(kind, "zlib")
#endif
#ifndef NCC_HAVE_ZSTD
#define ncc_zstd_load() lacks(kind, "libzstd")
#endif
#ifndef NCC_HAVE_LZ4
#define ncc_lz4_load() lacks(kind, "liblz4")
#endif
#ifndef NCC_HAVE_BLOSC
#define ncc_blosc_load() lacks(kind, "libblosc")
#endif

static ncc_status load(ncc_codec_kind kind) {
  switch (kind) {
    case NCC_CODEC_DEFLATE:
      return ncc_zlib_load();
    case NCC_CODEC_ZSTD:
    case NCC_CODEC_BITSHUFFLE_ZSTD:
      return ncc_zstd_load();
    case NCC_CODEC_LZ4:
    case NCC_CODEC_LZ4_BLOCKS:
    case NCC_CODEC_LZ4_STREAM:
    case NCC_CODEC_BITSHUFFLE_LZ4:
      return ncc_lz4_load();
    case NCC_CODEC_BLOSC:
      return ncc_blosc_load();
    case NCC_CODEC_KINDS:
      return lacks(NCC_CODEC_DEFLATE, "a codec");
    default:
      return NCC_OK;
  }
}

ncc_status ncc_codecs_add(ncc_codecs *codecs, ncc_codec codec) {
  if (codecs->n == NCC_CODEC_MOST)
    return UNREADABLE("more than %d codecs found, expected at most so many", NCC_CODEC_MOST);
  codecs->items[codecs->n++] = codec;
  return load(codec.kind) == NCC_OK ? NCC_OK : NCC_ERR_UNREADABLE;
}

/* ---- single codecs: bytes written to out, or -1 --------------------------------------------------------------------
 */

#ifdef NCC_HAVE_ZLIB
static int64_t inflate_all(const unsigned char *in, int64_t n, unsigned char *out, int64_t most) {
  z_stream stream = {0};
  int code = Z_OK;
  if (inflateInit2_(&stream, 15 + 32, ZLIB_VERSION, (int)sizeof stream) != Z_OK) return -1;
  int64_t left = n, room = most;
  stream.next_in = (Bytef *)(uintptr_t)in;
  stream.next_out = out;
  while (code == Z_OK) {
    const uInt give = (uInt)ncc_min(left, 1 << 30), take = (uInt)ncc_min(room, 1 << 30);
    stream.avail_in = give;
    stream.avail_out = take;
    code = inflate(&stream, Z_NO_FLUSH);
    left -= give - stream.avail_in;
    room -= take - stream.avail_out;
    if (code == Z_STREAM_END && left > 0 && room > 0 && in[0] == 0x1F) code = inflateReset(&stream); /* a member more */
    if (code == Z_OK && stream.avail_in == give && stream.avail_out == take) break;
  }
  inflateEnd(&stream);
  return code == Z_STREAM_END ? most - room : -1;
}

/** By libdeflate, which takes two thirds of zlib's time, but only one stream that ends with the chunk: all else, damage
 *  too, is zlib's to decide. */
static int64_t inflate_fast(ncc_codec_scratch *scratch, const unsigned char *in, int64_t n, unsigned char *out,
                            int64_t most) {
#ifdef NCC_HAVE_LIBDEFLATE
  size_t used = 0, got = 0;
  if (!scratch->inflater && !scratch->no_inflater && ncc_libdeflate_load() == NCC_OK)
    scratch->inflater = libdeflate_alloc_decompressor();
  scratch->no_inflater = !scratch->inflater;
  if (scratch->inflater) {
    const enum libdeflate_result result =
        n > 0 && in[0] == 0x1F
            ? libdeflate_gzip_decompress_ex(scratch->inflater, in, (size_t)n, out, (size_t)most, &used, &got)
            : libdeflate_zlib_decompress_ex(scratch->inflater, in, (size_t)n, out, (size_t)most, &used, &got);
    if (result == LIBDEFLATE_SUCCESS && (int64_t)used == n) return (int64_t)got;
  }
#else
  (void)scratch;
#endif
  return inflate_all(in, n, out, most);
}
#endif

#ifdef NCC_HAVE_ZSTD
static int64_t zstd_all(const unsigned char *in, int64_t n, unsigned char *out, int64_t most) {
  const size_t got = ZSTD_decompress(out, (size_t)most, in, (size_t)n);
  return ZSTD_isError(got) ? -1 : (int64_t)got;
}
#endif

#ifdef NCC_HAVE_LZ4
static int64_t lz4_block(const unsigned char *in, int64_t n, unsigned char *out, int64_t most) {
  if (n > INT32_MAX) return -1;
  return LZ4_decompress_safe((const char *)in, (char *)out, (int)n, (int)ncc_min(most, INT32_MAX));
}

static int64_t lz4_sized(const unsigned char *in, int64_t n, unsigned char *out, int64_t most) {
  if (n < 4 || (int64_t)ncc_le32(in) > most) return -1;
  const int64_t got = lz4_block(in + 4, n - 4, out, most);
  return got == (int64_t)ncc_le32(in) ? got : -1;
}

/** Size of all, size of a block, then each block after its size; one that did not shrink is stored as it is. */
static int64_t lz4_blocks(const unsigned char *in, int64_t n, unsigned char *out, int64_t most) {
  int64_t at = 12, done = 0;
  if (n < 12 || ncc_be64(in) > (uint64_t)most) return -1;
  const int64_t all = (int64_t)ncc_be64(in), block = (int64_t)ncc_min((int64_t)ncc_be32(in + 8), all);
  while (done < all) {
    const int64_t size = ncc_min(block, all - done);
    if (size <= 0 || n - at < 4 || n - at - 4 < (int64_t)ncc_be32(in + at)) return -1;
    const int64_t packed = ncc_be32(in + at);
    at += 4;
    if (packed == size)
      memcpy(out + done, in + at, (size_t)size);
    else if (lz4_block(in + at, packed, out + done, size) != size)
      return -1;
    at += packed;
    done += size;
  }
  return done;
}

/** Blocks of "LZ4Block", method, packed size, size, checksum; the last has no bytes. */
static int64_t lz4_stream(const unsigned char *in, int64_t n, unsigned char *out, int64_t most) {
  int64_t done = 0;
  for (int64_t at = 0; at < n;) {
    if (n - at < 21 || memcmp(in + at, "LZ4Block", 8) != 0) return -1;
    const int method = in[at + 8] & 0xF0;
    const int64_t packed = ncc_le32(in + at + 9), size = ncc_le32(in + at + 13);
    at += 21;
    if (size == 0 && packed == 0) return done;
    if (packed > n - at || size > most - done) return -1;
    if (method == 0x10 && packed == size)
      memcpy(out + done, in + at, (size_t)size);
    else if (method != 0x20 || lz4_block(in + at, packed, out + done, size) != size)
      return -1;
    at += packed;
    done += size;
  }
  return done;
}
#endif

#ifdef NCC_HAVE_BLOSC
static int64_t blosc_all(const unsigned char *in, int64_t n, unsigned char *out, int64_t most) {
  size_t size = 0;
  if (blosc_cbuffer_validate(in, (size_t)n, &size) < 0 || size > (size_t)most) return -1;
  return size == 0 ? 0 : blosc_decompress_ctx(in, out, (size_t)most, 1);
}
#endif

/** One block of bitshuffle's, which may be packed. */
static bool bitshuffle_block(const ncc_codec *codec, const unsigned char *in, int64_t packed, int64_t elements,
                             unsigned char *scratch, unsigned char *out) {
  const int64_t bytes = elements * codec->size;
  int64_t got = -1;
  (void)packed;
#ifdef NCC_HAVE_LZ4
  if (codec->kind == NCC_CODEC_BITSHUFFLE_LZ4) got = lz4_block(in, packed, scratch, bytes);
#endif
#ifdef NCC_HAVE_ZSTD
  if (codec->kind == NCC_CODEC_BITSHUFFLE_ZSTD) got = zstd_all(in, packed, scratch, bytes);
#endif
  if (codec->kind == NCC_CODEC_BITSHUFFLE) {
    ncc_bit_unshuffle(in, elements, codec->size, out);
    return true;
  }
  if (got != bytes) return false;
  ncc_bit_unshuffle(scratch, elements, codec->size, out);
  return true;
}

/** Blocks of elements, the last one shorter but of a multiple of 8; up to 7 that are over stay as they are. */
static int64_t bitshuffle_all(const ncc_codec *codec, const unsigned char *in, int64_t n, unsigned char *scratch,
                              unsigned char *out, int64_t most) {
  const bool packed = codec->kind != NCC_CODEC_BITSHUFFLE;
  int64_t at = packed ? 12 : 0, done = 0, all = n;
  int64_t block = codec->block > 0 ? codec->block : ncc_max(8192 / codec->size / 8 * 8, 128);
  if (packed) {
    if (n < 12 || ncc_be64(in) > (uint64_t)most) return -1;
    all = (int64_t)ncc_be64(in);
    block = ncc_be32(in + 8) / (uint32_t)codec->size;
  }
  if (all > most || all % codec->size != 0 || block <= 0 || block % 8 != 0) return -1;
  while (all - done >= 8 * codec->size) {
    const int64_t elements = ncc_min(block, (all - done) / codec->size / 8 * 8);
    int64_t size = elements * codec->size;
    if (packed) {
      if (n - at < 4) return -1;
      size = ncc_be32(in + at);
      at += 4;
    }
    if (size > n - at || !bitshuffle_block(codec, in + at, size, elements, scratch, out + done)) return -1;
    at += size;
    done += elements * codec->size;
  }
  if (n - at < all - done) return -1;
  memcpy(out + done, in + at, (size_t)(all - done));
  return all;
}

/* ---- the chain --------------------------------------------------------------------------------------------------- */

static unsigned char *reserve(ncc_codec_scratch *scratch, int which, int64_t bytes) {
  if (scratch->capacity[which] < bytes) {
    free(scratch->data[which]);
    scratch->data[which] = malloc((size_t)bytes);
    scratch->capacity[which] = scratch->data[which] ? bytes : 0;
  }
  return scratch->data[which];
}

void ncc_codec_scratch_free(ncc_codec_scratch *scratch) {
  for (int i = 0; i < 3; i++) free(scratch->data[i]);
#ifdef NCC_HAVE_LIBDEFLATE
  if (scratch->inflater) libdeflate_free_decompressor(scratch->inflater);
#endif
  *scratch = (ncc_codec_scratch){0};
}

static int64_t decode_one(const ncc_codec *codec, ncc_codec_scratch *scratch, const unsigned char *in, int64_t n,
                          unsigned char *out, int64_t most) {
  unsigned char *block;
  switch (codec->kind) {
#ifdef NCC_HAVE_ZLIB
    case NCC_CODEC_DEFLATE:
      return inflate_fast(scratch, in, n, out, most);
#endif
#ifdef NCC_HAVE_ZSTD
    case NCC_CODEC_ZSTD:
      return zstd_all(in, n, out, most);
#endif
#ifdef NCC_HAVE_BLOSC
    case NCC_CODEC_BLOSC:
      return blosc_all(in, n, out, most);
#endif
#ifdef NCC_HAVE_LZ4
    case NCC_CODEC_LZ4:
      return lz4_sized(in, n, out, most);
    case NCC_CODEC_LZ4_BLOCKS:
      return lz4_blocks(in, n, out, most);
    case NCC_CODEC_LZ4_STREAM:
      return lz4_stream(in, n, out, most);
#endif
    case NCC_CODEC_LZF:
      return ncc_lzf_decode(in, n, out, most);
    case NCC_CODEC_SHUFFLE:
      if (n > most) return -1;
      ncc_unshuffle(in, n, codec->size, out);
      return n;
    case NCC_CODEC_BITSHUFFLE:
    case NCC_CODEC_BITSHUFFLE_LZ4:
    case NCC_CODEC_BITSHUFFLE_ZSTD:
      block = reserve(scratch, 2, most + 1);
      return block ? bitshuffle_all(codec, in, n, block, out, most) : -1;
    case NCC_CODEC_CRC32C:
      if (n < 4 || n - 4 > most || ncc_crc32c(in, n - 4) != ncc_le32(in + n - 4)) return -1;
      memcpy(out, in, (size_t)n - 4);
      return n - 4;
    default:
      return -1;
  }
}

ncc_status ncc_codecs_decode(const ncc_codecs *codecs, const void *in, int64_t in_bytes, ncc_codec_scratch *scratch,
                             void *out, int64_t out_bytes) {
  ncc_status status = NCC_OK;
  const unsigned char *from = in;
  int64_t n = in_bytes;
  for (int i = codecs->n - 1; i >= 0; i--) {
    const ncc_codec *codec = &codecs->items[i];
    const int64_t most = i == 0 ? out_bytes : out_bytes + SLACK;
    unsigned char *to = i == 0 ? out : reserve(scratch, i % 2, most);
    NCC_CHECK(to, NCC_ERR_NOMEM, "no memory for a chunk of %lld bytes", (long long)most);
    n = decode_one(codec, scratch, from, n, to, most);
    NCC_CHECK(n >= 0, NCC_ERR_UNREADABLE, "a chunk of %lld bytes is no %s of at most %lld", (long long)in_bytes,
              names[codec->kind], (long long)out_bytes);
    from = to;
  }
  NCC_CHECK(n == out_bytes, NCC_ERR_UNREADABLE, "a chunk of %lld bytes found, expected %lld", (long long)n,
            (long long)out_bytes);
  if (codecs->n == 0) memcpy(out, in, (size_t)n);
cleanup:
  return status;
}
