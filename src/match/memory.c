/** See memory.h. */
#include "match/memory.h"

#include "base/error.h"
#include "filter/filter.h"
#include "match/arguments.h"
#include "match/cpu/masked.h"
#include "match/engine.h"
#include "match/masked.h"
#include "match/second_tier.h"
#include "match/turn.h"

/** The most that a pair may take of memory for a thread to do it alone. */
#define ALONE_BYTES ((int64_t)128 << 20)

int64_t ncc_pair_bytes(const ncc_search *search, const ncc_engine_ops *engine, int threads, bool masked,
                       const ncc_geometry *g) {
  int64_t bytes = engine->bytes ? engine->bytes(g, threads > 0 ? threads : 1) : 0;
  if (engine->propose) bytes += ncc_second_tier_bytes(g);
  if (search->n_filters)
    bytes += ncc_filter_bytes(g->image_rows, g->image_cols) + ncc_filter_bytes(g->template_rows, g->template_cols);
  bytes += search->peaks * (int64_t)(2 * sizeof(ncc_peak) + sizeof(ncc_rect));
  if (ncc_search_turns(search)) {
    int64_t y, x;
    ncc_turns_margin(ncc_turns_most(search), g->template_rows, g->template_cols, &y, &x);
    bytes += 8 * (g->template_rows + 2 * y) * (g->template_cols + 2 * x) + 4 * g->template_rows * g->template_cols;
    bytes += ncc_turns_count(search) * (int64_t)(sizeof(ncc_turn) + NCC_TURNED_ENTRY_BYTES);
  }
  if (search->normalize) bytes += 8 * (g->image_rows * g->image_cols + g->template_rows * g->template_cols);
  if (masked && engine->propose) {
    ncc_geometry overhung = *g;  // what is valid may be, where the image is not
    overhung.ignores_outside = true;
    bytes += ncc_masked_bytes(g) + ncc_cpu_masked_bytes(&overhung, threads > 0 ? threads : 1);
  }
  return bytes;
}

int64_t ncc_crew_pair_bytes(const ncc_search *search, int threads, bool masked, const ncc_geometry *g) {
  if (threads <= 1) return 0;
  const int64_t bytes = ncc_pair_bytes(search, ncc_engine_cpu(), 1, masked, g);
  return bytes <= ALONE_BYTES ? threads * bytes : 0;
}

ncc_status ncc_matcher_memory_masked(const ncc_search *search, const ncc_config *config, int64_t image_rows,
                                     int64_t image_cols, int64_t template_rows, int64_t template_cols, bool masked,
                                     int64_t *bytes) {
  ncc_status status = NCC_OK;
  ncc_geometry g;
  NCC_TRY(ncc_check_search(search));
  NCC_TRY(ncc_check_config(config));
  NCC_TRY(ncc_check_pointer(bytes, "bytes"));
  const ncc_config c = config ? *config : (ncc_config){0};
  const ncc_engine_ops *engine = c.engine ? c.engine : ncc_engine_cpu();
  NCC_TRY(ncc_check_shape(image_rows, image_cols, "image"));
  NCC_TRY(ncc_check_shape(template_rows, template_cols, "template"));
  ncc_search any_overlap = *search;
  if (masked) any_overlap.min_overlap = 0;
  NCC_TRY(ncc_geometry_create(&any_overlap, NULL, image_rows, image_cols, template_rows, template_cols, &g));
  *bytes = ncc_pair_bytes(search, engine, c.threads, masked, &g);
  const int64_t crew = engine == ncc_engine_cpu() ? ncc_crew_pair_bytes(search, c.threads, masked, &g) : 0;
  if (c.memory_bytes == 0 || *bytes + crew <= c.memory_bytes) *bytes += crew;

cleanup:
  return status;
}

ncc_status ncc_matcher_memory(const ncc_search *search, const ncc_config *config, int64_t image_rows,
                              int64_t image_cols, int64_t template_rows, int64_t template_cols, int64_t *bytes) {
  return ncc_matcher_memory_masked(search, config, image_rows, image_cols, template_rows, template_cols, false, bytes);
}
