/** Values out of range are refused with a message, and nothing is left behind. */
#include "synth_cases.h"

static void check_refused(ncc_synth_options options, const char *words) {
  ncc_synth *synth = (ncc_synth *)&options; /* anything but NULL */
  const ncc_status status = ncc_synth_create(&options, &synth);
  CHECK(status == NCC_ERR_USAGE && !synth, "status %d", (int)status);
  CHECK(strstr(ncc_error_message(), words), "'%s' does not say '%s'", ncc_error_message(), words);
}

int main(void) {
  check_refused((ncc_synth_options){.preset = NCC_SYNTH_PRESET_COUNT}, "preset");
  check_refused((ncc_synth_options){.preset = NCC_SYNTH_TINY, .images = -1}, "images");
  check_refused((ncc_synth_options){.preset = NCC_SYNTH_TINY, .templates = -1}, "templates");
  check_refused((ncc_synth_options){.preset = NCC_SYNTH_TINY, .noise = -1}, "noise");
  check_refused((ncc_synth_options){.preset = NCC_SYNTH_TINY, .noise = NCC_SYNTH_MAX_NOISE + 1}, "noise");
  check_refused((ncc_synth_options){.preset = NCC_SYNTH_TINY, .noise = NAN}, "noise");
  check_refused((ncc_synth_options){.preset = NCC_SYNTH_SWEEP, .subpixel_shift = true}, "sub-pixel");
  return 0;
}
