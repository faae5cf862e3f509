#include "io/base/hdf5_version.h"

#include <hdf5.h>
#include <stdio.h>

const char *ncc_hdf5_version(void) {
  static char text[48];
  unsigned major, minor, release;
  if (H5get_libversion(&major, &minor, &release) < 0) return "unknown";
  snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
  return text;
}

void ncc_hdf5_leave_at_exit(void) {
  H5dont_atexit();
  H5open();  // where MPI has started already, HDF5 has MPI call it at its end
}
