/** The image of a task: spectra of its rows, and where more than one template is expected its whole spectrum. */
#include "base/array.h"
#include "base/clock.h"
#include "base/error.h"
#include "match/cpu/state.h"

static void rows_item(void *context, int64_t strip, int thread) {
  ncc_cpu *e = context;
  if (ncc_cpu_stopped(e)) return;
  const ncc_cpu_layout *l = &e->layout;
  const int64_t first = strip * NCC_ROW_BATCH, left = l->image_rows - first;
  ncc_cpu_windows_add_strip(&e->windows, strip);
  ncc_cpu_rim_add_strip(e, &e->scratch[thread], strip);
  if (e->image.form == NCC_CPU_DIRECT) {
    ncc_cpu_direct_add_strip(e, &e->scratch[thread], strip);
    return;
  }
  const ncc_cpu_rows rows = {.prepared = e->task->image,
                             .first = l->geometry.trim.y0 + first,
                             .step = 1,
                             .count = left < NCC_ROW_BATCH ? left : NCC_ROW_BATCH,
                             .x0 = l->geometry.trim.x0,
                             .n = l->image_cols,
                             .c = e->image.centring.centre,
                             .unit = e->image.centring.unit};
  ncc_cpu_rows_forward(e, &e->scratch[thread], &rows, (ncc_c32 *)e->strips.data + strip * l->strip_stride);
}

static void columns_item(void *context, int64_t turn, int thread) {
  ncc_cpu *e = context;
  ncc_cpu_scratch *s = &e->scratch[thread];
  const ncc_cpu_layout *l = &e->layout;
  const int64_t first = ncc_cpu_first_column(e, turn);
  if (first >= l->shape.half || ncc_cpu_stopped(e)) return;
  int64_t columns;
  const ncc_c32 *from = (const ncc_c32 *)ncc_cpu_columns(e, &e->strips, l->image_rows, first, s->columns, &columns);
  ncc_c32 *spectra = (ncc_c32 *)e->image.spectrum.data + first * l->column_stride;
  for (int64_t j = 0; j < columns; j++)
    for (int k = 0; k < l->column_cut.parts; k++) {
      const int64_t at = j * l->column_stride + k * l->column_cut.length;
      fftwf_execute_dft(l->plans->column.forward, (ncc_c32 *)from + at, spectra + at);
    }
}

static ncc_status make_spectrum(ncc_cpu *e) {
  ncc_status status = NCC_OK;
  const ncc_cpu_layout *l = &e->layout;
  NCC_TRY(ncc_buffer_reserve(&e->image.spectrum, 8 * l->shape.half * l->column_stride, "the image's spectrum"));
  ncc_pool_run(e->context->pool, ncc_cpu_column_turns(e), columns_item, e);

cleanup:
  return status;
}

double ncc_cpu_image_floor_s(const ncc_cpu_layout *l) {
  return (double)l->image_rows / 2 * ncc_fft_cost_s(l->shape.cols) +
         (double)l->shape.half * ncc_fft_cost_s(l->shape.rows);
}

static void count(const ncc_cpu *e, double planning_s, double image_s) {
  ncc_counters *counters = e->context->counters;
  const ncc_cpu_layout *l = &e->layout;
  counters->images++;
  counters->planning_s += planning_s;
  counters->image_s += image_s;
  if (e->image.form == NCC_CPU_DIRECT) return;
  counters->fft_floor_s += ncc_cpu_image_floor_s(l);
}

/** What serves the templates to come. */
static ncc_cpu_form choose_form(const ncc_cpu *e, bool stays) {
  if (e->way == NCC_CPU_ALWAYS_DIRECT || (e->way == NCC_CPU_CHEAPER && ncc_direct_pays(&e->layout.cost, !stays)))
    return NCC_CPU_DIRECT;
  return stays ? NCC_CPU_SPECTRUM : NCC_CPU_ROWS;
}

/** All that an image is in its form. */
static ncc_status make_form(ncc_cpu *e, ncc_cpu_form form, double *planning_s) {
  ncc_status status = NCC_OK;
  e->image.form = form;
  if (form == NCC_CPU_DIRECT) {
    NCC_TRY(ncc_cpu_direct_begin(e));
  } else {
    NCC_TRY(ncc_cpu_layout_plan(e, planning_s));
    NCC_TRY(ncc_buffer_reserve(&e->strips, ncc_cpu_strips_bytes(&e->layout), "rows of spectra"));
  }
  ncc_pool_run(e->context->pool, ncc_cpu_strips(e->layout.image_rows), rows_item, e);
  if (form == NCC_CPU_SPECTRUM) NCC_TRY(make_spectrum(e));
  if (ncc_cpu_stopped(e)) return NCC_ERR_STOPPED;
  if (form == NCC_CPU_DIRECT) ncc_cpu_direct_finish(e);

cleanup:
  return status;
}

ncc_status ncc_cpu_image_prepare(ncc_cpu *e) {
  ncc_status status = NCC_OK;
  const ncc_task *task = e->task;
  ncc_cpu_image *image = &e->image;
  const bool same = image->form != NCC_CPU_NOTHING && image->serial == task->image_serial &&
                    ncc_geometry_equal(&e->layout.geometry, task->geometry);
  const bool known = e->numerators_alone || e->windows.known == NCC_CPU_MAPPED;
  if (same && image->form != NCC_CPU_ROWS && image->form != NCC_CPU_WINDOWS && known) return NCC_OK;
  double t0 = ncc_clock_s(), planning_s = 0;
  image->form = NCC_CPU_NOTHING;
  NCC_TRY(ncc_cpu_layout_make(e, task->geometry));
  const ncc_cpu_form form = choose_form(e, task->image_stays);
  image->centring = ncc_centring_choose(task->image, e->layout.geometry.ignores_outside);
  NCC_TRY(ncc_cpu_rim_begin(e));
  if (!e->numerators_alone)
    NCC_TRY(ncc_cpu_windows_begin(&e->windows, task->image, &e->layout.geometry, form == NCC_CPU_ROWS, same));
  NCC_TRY(make_form(e, form, &planning_s));
  if (!e->numerators_alone) NCC_TRY(ncc_cpu_windows_finish(e));
  ncc_cpu_rim_finish(e);
  image->serial = task->image_serial;
  count(e, planning_s, ncc_clock_s() - t0 - planning_s);

cleanup:
  if (status != NCC_OK) image->form = NCC_CPU_NOTHING;
  return status;
}

static void windows_item(void *context, int64_t strip, int thread) {
  (void)thread;
  ncc_cpu *e = context;
  if (!ncc_cpu_stopped(e)) ncc_cpu_windows_add_strip(&e->windows, strip);
}

ncc_status ncc_cpu_windows_prepare(ncc_cpu *e) {
  ncc_status status = NCC_OK;
  const ncc_task *task = e->task;
  const bool same = e->image.form != NCC_CPU_NOTHING && e->image.serial == task->image_serial;
  if (same && e->windows.known == NCC_CPU_MAPPED) return NCC_OK;
  const double t0 = ncc_clock_s();
  e->image.form = NCC_CPU_NOTHING;
  NCC_TRY(ncc_cpu_windows_begin(&e->windows, task->image, &e->layout.geometry, !task->image_stays, same));
  ncc_pool_run(e->context->pool, ncc_cpu_strips(e->layout.image_rows), windows_item, e);
  if (ncc_cpu_stopped(e)) return NCC_ERR_STOPPED;
  NCC_TRY(ncc_cpu_windows_finish(e));
  e->image.form = NCC_CPU_WINDOWS;
  e->image.serial = task->image_serial;
  e->context->counters->images++;
  e->context->counters->image_s += ncc_clock_s() - t0;

cleanup:
  return status;
}
