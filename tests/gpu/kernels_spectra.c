/** gpu/kernels.cu: packing, products of spectra, prefix sums. */
#include <string.h>

#include "kernels.h"

enum { MOST = 4 };

/** Templates of one shape, as a batch has them. */
typedef struct batch {
  conf_image images[MOST];
  ncc_gpu_task tasks[MOST];
  int count;
  void *d_tasks, *d_pixels;
} batch;

static batch make_batch(int count, int64_t rows, int64_t cols, ncc_dtype dtype) {
  batch b = {.count = count};
  const int64_t pixel_bytes = rows * cols * (int64_t)ncc_dtype_size(dtype), each = (pixel_bytes + 511) / 256 * 256;
  char *pixels = kernels_room(count * each);
  memset(pixels, 0x55, (size_t)(count * each));
  for (int t = 0; t < count; t++) {
    b.images[t] = conf_image_noise(rows, cols, dtype, 60, 20);
    b.tasks[t] =
        (ncc_gpu_task){.offset = t * each, .dtype = dtype, .scale = 0.5, .c = 20 + t, .rest = 1.5, .unit = 0.125};
    memcpy(pixels + t * each, b.images[t].storage, (size_t)pixel_bytes);
  }
  b.d_tasks = kernels_put(b.tasks, count * (int64_t)sizeof *b.tasks);
  b.d_pixels = kernels_put(pixels, count * each);
  free(pixels);
  return b;
}

static void free_batch(batch *b) {
  for (int t = 0; t < b->count; t++) conf_image_free(&b->images[t]);
}

/** T' as the comment of ncc_gpu_task has it, but in float64. */
static double transformed(const batch *b, int t, int64_t row, int64_t col) {
  const conf_image *image = &b->images[t];
  const ncc_gpu_task *task = &b->tasks[t];
  return ((image->truth[row * image->cols + col] * task->scale - task->c) - task->rest) * task->unit;
}

static void pack(ncc_dtype dtype, int count, int64_t rows, int64_t cols, int64_t half, int reversed) {
  conf_label("%s, %d of %lldx%lld, rows of %lld, %s", ncc_dtype_name(dtype), count, (long long)rows, (long long)cols,
             (long long)half, reversed ? "reversed" : "as it is");
  cudaStream_t stream = kernels_begin();
  batch b = make_batch(count, rows, cols, dtype);
  const int64_t stride = 2 * half, n = rows * count * stride;
  float *d_out = kernels_put(NULL, n * (int64_t)sizeof(float)), *out = kernels_room(n * (int64_t)sizeof(float));
  KERNELS_TRY(ncc_gpu_pack(stream, b.d_tasks, b.d_pixels, count, rows, cols, reversed, stride, d_out));
  kernels_get(out, d_out, n * (int64_t)sizeof(float));
  int64_t wrong = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t row = i / stride / count, x = i % stride;
    const int t = (int)(i / stride % count);
    const double want = x >= cols  ? 0
                        : reversed ? transformed(&b, t, rows - 1 - row, cols - 1 - x)
                                   : transformed(&b, t, row, x);
    wrong += !(fabs(out[i] - want) <= 1e-6 * (1 + fabs(want)));
  }
  CONF_EXPECT(wrong == 0, "%lld of %lld packed wrongly", (long long)wrong, (long long)n);
  free(out);
  free_batch(&b);
  kernels_end();
}

void kernels_pack(void) {
  for (int dtype = 0; dtype < NCC_DTYPE_COUNT; dtype++)
    for (int reversed = 0; reversed < 2; reversed++) pack((ncc_dtype)dtype, 3, 5, 14, 16, reversed);
  pack(NCC_U8, 1, 3, 600, 304, 1);  // more than a block across
  pack(NCC_F32, 2, 4, 16, 8, 0);    // no padding
  pack(NCC_U8, 1, KERNELS_MANY_ROWS, 3, 8, 1);
}

/** Transforms of every radix-th of `rows` points, in place, as cuFFT does those of columns. @param[in] c  [rows]
 * complex */
static void transform_interleaved(double *c, int64_t rows, int radix, int direction) {
  const int64_t length = rows / radix;
  double *in = kernels_room(16 * rows);
  memcpy(in, c, (size_t)(16 * rows));
  for (int64_t row = 0; row < rows; row++) {
    double re = 0, im = 0;
    for (int64_t i = 0; i < length; i++) {
      const double angle = direction * 2 * 3.14159265358979323846 * (double)(row / radix * i % length) / (double)length;
      const double *p = in + 2 * (i * radix + row % radix);
      re += p[0] * cos(angle) - p[1] * sin(angle);
      im += p[0] * sin(angle) + p[1] * cos(angle);
    }
    c[2 * row] = re;
    c[2 * row + 1] = im;
  }
  free(in);
}

/** Products of one column, from points to points: what comes out is `rows` times the circular convolution. */
static void expect_convolution(const double *image, const double *tmpl, const float *product, int64_t step,
                               int64_t rows, int radix) {
  double *c = kernels_room(16 * rows);
  for (int64_t row = 0; row < rows; row++)
    for (int part = 0; part < 2; part++) c[2 * row + part] = product[row * step + part];
  transform_interleaved(c, rows, radix, 1);
  double worst = 0;
  for (int64_t n = 0; n < rows; n++) {
    double re = 0, im = 0;
    for (int64_t i = 0; i < rows; i++) {
      const double *a = image + 2 * i, *b = tmpl + 2 * ((n - i + rows) % rows);
      re += a[0] * b[0] - a[1] * b[1];
      im += a[0] * b[1] + a[1] * b[0];
    }
    worst = fmax(worst, hypot(c[2 * n] / (double)rows - re, c[2 * n + 1] / (double)rows - im));
  }
  CONF_EXPECT(worst < 1e-4, "a convolution is wrong by %g", worst);
  free(c);
}

/** Random points of `columns` columns side by side, and what their interleaved transforms are. [rows][columns] complex
 */
static double *random_points(int64_t rows, int64_t columns, int radix, float *transformed, int64_t step) {
  double *points = kernels_room(16 * rows * columns), *column = kernels_room(16 * rows);
  for (int64_t k = 0; k < columns; k++) {
    for (int64_t i = 0; i < 2 * rows; i++) column[i] = points[2 * rows * k + i] = conf_uniform(-1, 1);
    transform_interleaved(column, rows, radix, -1);
    for (int64_t i = 0; i < 2 * rows; i++) transformed[i / 2 * step + 2 * k + i % 2] = (float)column[i];
  }
  free(column);
  return points;
}

/** Of three templates one was transformed earlier, and another is to be kept. */
static void multiply(int radix, int64_t rows, int64_t half) {
  enum { COUNT = 3 };
  conf_label("radix %d, %lld rows of %lld", radix, (long long)rows, (long long)half);
  cudaStream_t stream = kernels_begin();
  const int64_t each = 2 * rows * half, bytes = each * (int64_t)sizeof(float);
  float *image = kernels_room(bytes), *cached = kernels_room(bytes), *kept = kernels_room(bytes);
  float *product = kernels_room(COUNT * bytes), *turns = kernels_room(8 * rows);
  double *of_image = random_points(rows, half, radix, image, 2 * half), *of[COUNT];
  for (int t = 0; t < COUNT; t++) of[t] = random_points(rows, half, radix, product + 2 * half * t, 2 * half * COUNT);
  free(of[0]);
  of[0] = random_points(rows, half, radix, cached, 2 * half);
  for (int64_t i = 0; i < rows; i++) {
    const double angle = -2 * 3.14159265358979323846 * (double)(i / radix * (i % radix)) / (double)rows;
    turns[2 * i] = (float)cos(angle);
    turns[2 * i + 1] = (float)sin(angle);
  }
  ncc_gpu_task tasks[COUNT] = {0};
  float *d_keep = kernels_put(NULL, bytes), *d_product = kernels_put(product, COUNT * bytes);
  tasks[0].kept.cached = kernels_put(cached, bytes);
  tasks[2].kept.keep = d_keep;
  KERNELS_TRY(ncc_gpu_multiply(stream, kernels_put(tasks, sizeof tasks), kernels_put(image, bytes),
                               kernels_put(turns, 8 * rows), radix, COUNT, rows, half, d_product));
  kernels_get(kept, d_keep, bytes);
  int64_t lost = 0;
  for (int64_t i = 0; i < each; i++)
    lost += kept[i] != product[i / (2 * half) * 2 * half * COUNT + 4 * half + i % (2 * half)];
  CONF_EXPECT(lost == 0, "%lld values of a spectrum were not kept", (long long)lost);
  kernels_get(product, d_product, COUNT * bytes);
  for (int t = 0; t < COUNT; t++)
    for (int64_t k = 0; k < half; k++)
      expect_convolution(of_image + 2 * rows * k, of[t] + 2 * rows * k, product + 2 * half * t + 2 * k,
                         2 * half * COUNT, rows, radix);
  for (int t = 0; t < COUNT; t++) free(of[t]);
  free(of_image);
  free(image);
  free(cached);
  free(kept);
  free(product);
  free(turns);
  kernels_end();
}

/** More rows than a grid has, and more columns than a block: products of ones, with no turn. */
static void multiply_many(int radix, int64_t rows, int64_t half) {
  conf_label("radix %d, %lld rows of %lld", radix, (long long)rows, (long long)half);
  cudaStream_t stream = kernels_begin();
  const int64_t n = 2 * rows * half;
  float *ones = kernels_room(4 * n), *turns = kernels_room(8 * rows);
  for (int64_t i = 0; i < n; i++) ones[i] = i % 2 == 0;
  for (int64_t i = 0; i < 2 * rows; i++) turns[i] = i % 2 == 0;
  const ncc_gpu_task task = {0};
  float *d_product = kernels_put(ones, 4 * n);
  KERNELS_TRY(ncc_gpu_multiply(stream, kernels_put(&task, sizeof task), kernels_put(ones, 4 * n),
                               kernels_put(turns, 8 * rows), radix, 1, rows, half, d_product));
  kernels_get(ones, d_product, 4 * n);
  int64_t wrong = 0;
  for (int64_t i = 0; i < n; i++) wrong += ones[i] != (i % 2 == 0 ? (float)(radix * radix) : 0);
  CONF_EXPECT(wrong == 0, "%lld wrong products", (long long)wrong);
  free(ones);
  free(turns);
  kernels_end();
}

void kernels_multiply(void) {
  for (int radix = 1; radix <= 4; radix *= 2) {
    multiply(radix, 12, 8);
    multiply(radix, 40, 8);
    multiply_many(radix, 8, 264);
    multiply_many(radix, radix * KERNELS_MANY_ROWS, 8);
  }
}

static void prefix(ncc_dtype dtype, int count, int64_t rows, int64_t cols) {
  conf_label("%s, %d of %lldx%lld", ncc_dtype_name(dtype), count, (long long)rows, (long long)cols);
  cudaStream_t stream = kernels_begin();
  batch b = make_batch(count, rows, cols, dtype);
  const int64_t each = (rows + 1) * (cols + 1), bytes = count * each * (int64_t)sizeof(double);
  double *d_out = kernels_put(NULL, bytes), *out = kernels_room(bytes);
  KERNELS_TRY(ncc_gpu_prefix(stream, b.d_tasks, b.d_pixels, count, rows, cols, d_out));
  kernels_get(out, d_out, bytes);
  int64_t wrong = 0;
  for (int t = 0; t < count; t++) {
    double *above = calloc((size_t)cols + 1, sizeof *above);  // prefix sums of the row before
    for (int64_t r = 0; r <= rows; r++) {
      double sum = 0;
      for (int64_t c = 0; c <= cols; c++) {
        if (r > 0 && c > 0) sum += transformed(&b, t, r - 1, c - 1);
        above[c] += sum;
        wrong += !(fabs(out[t * each + r * (cols + 1) + c] - above[c]) <= 1e-9);
      }
    }
    free(above);
  }
  CONF_EXPECT(wrong == 0, "%lld wrong sums", (long long)wrong);
  free(out);
  free_batch(&b);
  kernels_end();
}

void kernels_prefix(void) {
  for (int dtype = 0; dtype < NCC_DTYPE_COUNT; dtype++) prefix((ncc_dtype)dtype, 2, 6, 7);
  prefix(NCC_U8, 3, 9, 300);  // a scan in three parts
  prefix(NCC_F32, 1, 5, 128);
  prefix(NCC_I16, 2, 1, 1);
}
