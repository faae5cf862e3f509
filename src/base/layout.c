/** Where the public structs have their fields, for bindings that mirror them; every field stands here. */
#include <string.h>

#include "mpixcorr.h"

static const struct {
  const char *name;
  size_t bytes;
} layout[] = {
#define STRUCT(type) \
  { #type, sizeof(type) }
#define FIELD(type, field) \
  { #type "." #field, offsetof(type, field) }
    STRUCT(ncc_array),
    FIELD(ncc_array, data),
    FIELD(ncc_array, dtype),
    FIELD(ncc_array, rows),
    FIELD(ncc_array, cols),
    FIELD(ncc_array, row_stride),
    STRUCT(ncc_rect),
    FIELD(ncc_rect, y0),
    FIELD(ncc_rect, x0),
    FIELD(ncc_rect, y1),
    FIELD(ncc_rect, x1),
    STRUCT(ncc_search),
    FIELD(ncc_search, crop_y),
    FIELD(ncc_search, crop_x),
    FIELD(ncc_search, crop_half),
    FIELD(ncc_search, normalize),
    FIELD(ncc_search, eps),
    FIELD(ncc_search, min_overlap),
    FIELD(ncc_search, quality),
    FIELD(ncc_search, peaks),
    FIELD(ncc_search, separation),
    FIELD(ncc_search, n_filters),
    FIELD(ncc_search, filters),
    FIELD(ncc_search, outside),
    STRUCT(ncc_filter),
    FIELD(ncc_filter, kind),
    FIELD(ncc_filter, a),
    FIELD(ncc_filter, b),
    STRUCT(ncc_result),
    FIELD(ncc_result, y),
    FIELD(ncc_result, x),
    FIELD(ncc_result, peak),
    FIELD(ncc_result, subpixel_y),
    FIELD(ncc_result, subpixel_x),
    FIELD(ncc_result, curvature_y),
    FIELD(ncc_result, curvature_x),
    FIELD(ncc_result, second_y),
    FIELD(ncc_result, second_x),
    FIELD(ncc_result, second_peak),
    FIELD(ncc_result, status),
    FIELD(ncc_result, at_border),
    STRUCT(ncc_peak),
    FIELD(ncc_peak, y),
    FIELD(ncc_peak, x),
    FIELD(ncc_peak, value),
    STRUCT(ncc_group),
    FIELD(ncc_group, image_key),
    FIELD(ncc_group, image),
    FIELD(ncc_group, image_mask),
    FIELD(ncc_group, n),
    FIELD(ncc_group, templates),
    FIELD(ncc_group, template_masks),
    FIELD(ncc_group, windows),
    FIELD(ncc_group, results),
    FIELD(ncc_group, peaks),
    STRUCT(ncc_config),
    FIELD(ncc_config, engine),
    FIELD(ncc_config, threads),
    FIELD(ncc_config, memory_bytes),
    FIELD(ncc_config, fft_effort),
    FIELD(ncc_config, stop),
    FIELD(ncc_config, device),
    FIELD(ncc_config, streams),
    FIELD(ncc_config, sharers),
    STRUCT(ncc_counters),
    FIELD(ncc_counters, pairs),
    FIELD(ncc_counters, images),
    FIELD(ncc_counters, candidates),
    FIELD(ncc_counters, candidate_px),
    FIELD(ncc_counters, second_tier),
    FIELD(ncc_counters, cpu_fallback),
    FIELD(ncc_counters, image_s),
    FIELD(ncc_counters, template_s),
    FIELD(ncc_counters, columns_s),
    FIELD(ncc_counters, peak_s),
    FIELD(ncc_counters, certify_s),
    FIELD(ncc_counters, second_tier_s),
    FIELD(ncc_counters, planning_s),
    FIELD(ncc_counters, fft_floor_s),
};

int64_t ncc_layout(const char *name) {
  for (size_t i = 0; name && i < sizeof layout / sizeof layout[0]; i++)
    if (strcmp(layout[i].name, name) == 0) return (int64_t)layout[i].bytes;
  return -1;
}
