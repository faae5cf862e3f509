#include "io/codec/plain.h"

#include <string.h>

int64_t ncc_lzf_decode(const unsigned char *in, int64_t in_bytes, unsigned char *out, int64_t out_bytes) {
  const unsigned char *end = in + in_bytes;
  int64_t at = 0;
  while (in < end) {
    const int control = *in++;
    if (control < 32) { /* a run of bytes as they are */
      const int64_t n = control + 1;
      if (end - in < n || out_bytes - at < n) return -1;
      memcpy(out + at, in, (size_t)n);
      in += n;
      at += n;
      continue;
    }
    int64_t n = control >> 5;
    if (end - in < (n == 7 ? 2 : 1)) return -1;
    if (n == 7) n += *in++;
    n += 2;
    const int64_t back = ((int64_t)(control & 31) << 8 | *in++) + 1;
    if (back > at || out_bytes - at < n) return -1;
    for (int64_t i = 0; i < n; i++, at++) out[at] = out[at - back]; /* it may overlap itself */
  }
  return at;
}

void ncc_unshuffle(const unsigned char *in, int64_t n, int size, unsigned char *out) {
  const int64_t elements = n / size;
  for (int64_t i = 0; i < elements; i++)
    for (int b = 0; b < size; b++) out[i * size + b] = in[b * elements + i];
  memcpy(out + elements * size, in + elements * size, (size_t)(n - elements * size));
}

/** Transposes 8 x 8 bits, a row a byte. */
static uint64_t transpose(uint64_t x) {
  uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAU;
  x ^= t ^ (t << 7);
  t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCU;
  x ^= t ^ (t << 14);
  t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0U;
  return x ^ t ^ (t << 28);
}

void ncc_bit_unshuffle(const unsigned char *in, int64_t n, int size, unsigned char *out) {
  const int64_t row = n / 8; /* bytes that hold one bit of every element */
  for (int b = 0; b < size; b++)
    for (int64_t i = 0; i < row; i++) {
      uint64_t bits = 0;
      for (int k = 0; k < 8; k++) bits |= (uint64_t)in[((int64_t)b * 8 + k) * row + i] << 8 * k;
      bits = transpose(bits);
      for (int k = 0; k < 8; k++) out[(i * 8 + k) * size + b] = (unsigned char)(bits >> 8 * k);
    }
}

uint32_t ncc_crc32c(const unsigned char *bytes, int64_t n) {
  uint32_t sum = 0xFFFFFFFFU;
  for (int64_t i = 0; i < n; i++) {
    sum ^= bytes[i];
    for (int k = 0; k < 8; k++) sum = sum >> 1 ^ (0x82F63B78U & (0U - (sum & 1)));
  }
  return ~sum;
}
