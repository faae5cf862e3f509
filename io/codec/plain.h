/** Decoders that need no library. Private to io/codec. */
#ifndef NCC_CODEC_PLAIN_H
#define NCC_CODEC_PLAIN_H

#include <stdbool.h>
#include <stdint.h>

/** LZF, as HDF5's filter 32000 writes it. @return bytes written, -1 where they do not fit or the input is no LZF. */
int64_t ncc_lzf_decode(const unsigned char *in, int64_t in_bytes, unsigned char *out, int64_t out_bytes);

/** Puts n bytes back that were sorted by their place in elements of `size`; what is over stays at the end. */
void ncc_unshuffle(const unsigned char *in, int64_t n, int size, unsigned char *out);

/** Puts the bits of n elements of `size` bytes back, n a multiple of 8. */
void ncc_bit_unshuffle(const unsigned char *in, int64_t n, int size, unsigned char *out);

/** CRC-32C (Castagnoli). */
uint32_t ncc_crc32c(const unsigned char *bytes, int64_t n);

static inline uint32_t ncc_le32(const unsigned char *p) {
  return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint32_t ncc_be32(const unsigned char *p) {
  return p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

static inline uint64_t ncc_le64(const unsigned char *p) {
  return ncc_le32(p) | (uint64_t)ncc_le32(p + 4) << 32;
}

static inline uint64_t ncc_be64(const unsigned char *p) {
  return ncc_be32(p + 4) | (uint64_t)ncc_be32(p) << 32;
}

#endif
