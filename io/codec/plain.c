#include "io/codec/plain.h"

#include <pthread.h>
#include <stdbool.h>
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

/** The number whose bytes, lowest first, are in rows of n. */
#define FROM_ROWS(type, byte)                                                             \
  for (int64_t i = 0; i < n; i++) {                                                       \
    type x = 0;                                                                           \
    for (int b = 0; b < (int)sizeof x; b++) x |= (type)((type)in[(byte)*n + i] << 8 * b); \
    memcpy(out + i * (int64_t)sizeof x, &x, sizeof x);                                    \
  }

/** Elements of the usual sizes, in loops that compilers vectorise. */
static bool unshuffle_numbers(const unsigned char *restrict in, int64_t n, int size, unsigned char *restrict out) {
  const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  if (size == 2) {
    FROM_ROWS(uint16_t, little ? b : 1 - b)
  } else if (size == 4) {
    FROM_ROWS(uint32_t, little ? b : 3 - b)
  } else if (size == 8) {
    FROM_ROWS(uint64_t, little ? b : 7 - b)
  } else {
    return false;
  }
  return true;
}

void ncc_unshuffle(const unsigned char *in, int64_t n, int size, unsigned char *out) {
  const int64_t elements = n / size;
  if (!unshuffle_numbers(in, elements, size, out))
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

/* crc_table[k][b]: what the byte b adds when k more bytes follow it. */
static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void fill_crc_table(void) {
  for (uint32_t b = 0; b < 256; b++) {
    uint32_t sum = b;
    for (int k = 0; k < 8; k++) sum = sum >> 1 ^ (0x82F63B78U & (0U - (sum & 1)));
    crc_table[0][b] = sum;
  }
  for (int k = 1; k < 8; k++)
    for (int b = 0; b < 256; b++) crc_table[k][b] = crc_table[k - 1][b] >> 8 ^ crc_table[0][crc_table[k - 1][b] & 0xFF];
}

/* Eight bytes at a time: 12 times as fast as bit by bit. */
uint32_t ncc_crc32c(const unsigned char *bytes, int64_t n) {
  uint32_t sum = 0xFFFFFFFFU;
  pthread_once(&crc_once, fill_crc_table);
  for (; n >= 8; n -= 8, bytes += 8) {
    const uint32_t low = ncc_le32(bytes) ^ sum, high = ncc_le32(bytes + 4);
    sum = crc_table[7][low & 0xFF] ^ crc_table[6][low >> 8 & 0xFF] ^ crc_table[5][low >> 16 & 0xFF] ^
          crc_table[4][low >> 24] ^ crc_table[3][high & 0xFF] ^ crc_table[2][high >> 8 & 0xFF] ^
          crc_table[1][high >> 16 & 0xFF] ^ crc_table[0][high >> 24];
  }
  for (; n > 0; n--) sum = sum >> 8 ^ crc_table[0][(sum ^ *bytes++) & 0xFF];
  return ~sum;
}
