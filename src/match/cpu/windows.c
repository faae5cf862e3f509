/** What the CPU engine knows of ssd(W), and how much it asks for; see state.h.
 *
 *  ssd of every window takes longer than the transforms of a lone template. Bounds of it by cells take a sixth of that,
 *  and leave a few windows, which are summed one by one. Where windows may be flat, or the template is small, they do
 *  not serve; after each image in a row for which they did not, more images go without trying.
 */
#include "base/error.h"
#include "match/cpu/state.h"

enum { MOST_PASSED = 64 };

static ncc_status make_map(ncc_cpu *e) {
  ncc_cpu_windows *w = &e->windows;
  ncc_status status = ncc_stats_create(e->context->pool, e->task->image, &e->layout.geometry, &w->stats);
  w->known = status == NCC_OK ? NCC_CPU_MAPPED : NCC_CPU_UNKNOWN;
  return status;
}

ncc_status ncc_cpu_windows_begin(ncc_cpu_windows *w, const ncc_prepared *image, const ncc_geometry *g, bool lone,
                                 bool same) {
  if (w->known == NCC_CPU_BY_CELLS) w->vain = 0;  // those of the last image have served to the end
  if (same && w->known == NCC_CPU_MAPPED) return NCC_OK;
  w->known = NCC_CPU_UNKNOWN;
  if (!lone || !ncc_cells_serve(g)) return NCC_OK;
  if (w->pass > 0) {
    w->pass--;
    return NCC_OK;
  }
  w->known = NCC_CPU_BY_CELLS;
  return ncc_cells_begin(image, g, &w->cells);
}

void ncc_cpu_windows_add_strip(ncc_cpu_windows *w, int64_t strip) {
  _Static_assert((int)NCC_ROW_BATCH == (int)NCC_BLOCK_ROWS, "a strip is a row of cells");
  if (w->known == NCC_CPU_BY_CELLS) ncc_cells_add(&w->cells, strip);
}

ncc_status ncc_cpu_windows_finish(ncc_cpu *e) {
  ncc_status status = NCC_OK;
  ncc_cpu_windows *w = &e->windows;
  bool sure = true;
  if (w->known == NCC_CPU_UNKNOWN) NCC_TRY(make_map(e));
  if (w->known == NCC_CPU_BY_CELLS) NCC_TRY(ncc_cells_bounds(&w->cells, e->context->pool, &w->stats, &sure));
  if (!sure) NCC_TRY(ncc_cpu_windows_give_bounds_up(e));

cleanup:
  return status;
}

ncc_status ncc_cpu_windows_give_bounds_up(ncc_cpu *e) {
  ncc_cpu_windows *w = &e->windows;
  w->vain++;
  w->pass = w->vain < 6 ? (1 << w->vain) - 1 : MOST_PASSED;
  return make_map(e);
}
