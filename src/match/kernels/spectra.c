/** Between packed rows' transforms and strips of half spectra, and the search of rows; see kernels.h. Compiled once per
 *  instruction set. */
#include "match/kernels/spectra.h"

#include "match/kernels/vec.h"

// A complex number of single precision moves as one unit of 8 bytes.

INLINE complexes reversed(complexes v) {
  return (complexes)REVERSE((doubles)v);
}

INLINE complexes swapped(complexes v) {
  return PICK(v, 1, 0);
}

// Z = A + iB with A, B spectra of real rows: 2 A[k] = Z[k] + conj Z[n-k], 2 B[k] = -i (Z[k] - conj Z[n-k]).
// u: Z[k] and those after it; v: Z[n-k], and those before it.
static void unpack_run(const ncc_c32 *restrict u, const ncc_c32 *restrict v, int64_t stride, int64_t count,
                       ncc_c32 *restrict out, int64_t step, bool past) {
  int64_t k = 0;
  for (; k + WIDTH <= count; k += WIDTH) {
    doubles rows[8];
    UNROLL for (int r = 0; r < 4; r++) {
      const complexes z = get_complex(u + r * stride + k);
      const complexes w = flip(reversed(get_complex(v + r * stride - k - (WIDTH - 1))), IM_SIGN);
      rows[2 * r] = (doubles)(z + w);
      rows[2 * r + 1] = (doubles)flip(swapped(z - w), IM_SIGN);
    }
    UNROLL for (int h = 0; h < 8; h += WIDTH) {
      transpose(rows + h);
      UNROLL for (int i = 0; i < WIDTH; i++) put_complex_past(out + (k + i) * step + h, (complexes)rows[h + i], past);
    }
  }
  for (; k < count; k++)
    for (int r = 0; r < 4; r++) {
      const float *z = u[r * stride + k], *w = v[r * stride - k];
      float *a = out[k * step + 2 * r], *b = out[k * step + 2 * r + 1];
      a[0] = z[0] + w[0];
      a[1] = z[1] - w[1];
      b[0] = z[1] + w[1];
      b[1] = w[0] - z[0];
    }
}

// Z[k] = A[k] + i B[k], Z[n-k] = conj(A[k] - i B[k]).
static void pack_run(const ncc_c32 *restrict in, int64_t step, int64_t count, ncc_c32 *u, ncc_c32 *v, int64_t stride) {
  int64_t k = 0;
  for (; k + WIDTH <= count; k += WIDTH) {
    doubles rows[8];
    UNROLL for (int i = 0; i < WIDTH; i++) {
      look_ahead(in + (k + i) * step);
      UNROLL for (int h = 0; h < 8; h += WIDTH) rows[h + i] = (doubles)get_complex(in + (k + i) * step + h);
    }
    UNROLL for (int h = 0; h < 8; h += WIDTH) transpose(rows + h);
    UNROLL for (int r = 0; r < 4; r++) {
      const complexes a = (complexes)rows[2 * r], ib = flip(swapped((complexes)rows[2 * r + 1]), RE_SIGN);
      put_complex(v + r * stride - k - (WIDTH - 1), reversed(flip(a - ib, IM_SIGN)));
      put_complex(u + r * stride + k, a + ib);
    }
  }
  for (; k < count; k++)
    for (int r = 0; r < 4; r++) {
      const float *a = in[k * step + 2 * r], *b = in[k * step + 2 * r + 1];
      float *z = u[r * stride + k], *w = v[r * stride - k];
      float re = a[0] - b[1], im = a[1] + b[0];
      w[0] = a[0] + b[1];
      w[1] = b[0] - a[1];
      z[0] = re;
      z[1] = im;
    }
}

/** Frequencies k1 + parts k2 of a row in parts [k1][k2], and their partners n - k: those of part 0 lie in part 0, those
 *  of part k1 in part parts - k1, backwards. Each pair belongs to one run. */
typedef struct run {
  int64_t u, v, count;
} run;

static run run_of(int k1, int parts, int64_t length) {
  const int64_t part = length + NCC_PART_GAP;
  if (k1 == 0) return (run){0, length, length / 2 + 1};
  return (run){k1 * part, (parts - k1) * part + length - 1, 2 * k1 == parts ? length / 2 : length};
}

static void unpack_spectra(ncc_c32 *in, int64_t in_stride, int parts, int64_t length, ncc_c32 *out, int64_t step,
                           bool past) {
  for (int r = 0; r < 4; r++) memcpy(in[r * in_stride + length], in[r * in_stride], sizeof(ncc_c32));
  for (int k1 = 0; 2 * k1 <= parts; k1++) {
    const run at = run_of(k1, parts, length);
    unpack_run(in + at.u, in + at.v, in_stride, at.count, out, step, past);
    out += step * at.count;
  }
  past_fence(past);  // other threads read it next
}

static void pack_spectra(const ncc_c32 *in, int64_t step, int parts, int64_t length, ncc_c32 *out, int64_t out_stride) {
  for (int k1 = 0; 2 * k1 <= parts; k1++) {
    const run at = run_of(k1, parts, length);
    pack_run(in, step, at.count, out + at.u, out + at.v, out_stride);
    in += step * at.count;
  }
}

static void block_max(const ncc_c32 *restrict packed, int64_t stride, int rows, int64_t n, float *restrict out) {
  for (int64_t b = 0; b < n / 16; b++) {
    const ncc_c32 *p = packed + 16 * b;
    complexes most = get_complex(p);
    for (int r = 0; r < rows; r++)
      UNROLL for (int i = 0; i < 16; i += WIDTH) most = greater_each(get_complex(p + r * stride + i), most);
    float m = most[0];
    UNROLL for (int k = 1; k < 2 * WIDTH; k++) m = most[k] > m ? most[k] : m;
    out[b] = m;
  }
}

const ncc_spectrum_kernels NCC_CAT(ncc_spectrum_kernels_, NCC_ISA) = {
    .unpack_spectra = unpack_spectra, .pack_spectra = pack_spectra, .block_max = block_max};
