#include "mpi/mpi_version.h"

#include <mpi.h>
#include <string.h>

const char *ncc_mpi_version(void) {
  static char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length;
  if (MPI_Get_library_version(text, &length) != MPI_SUCCESS) return "unknown";
  text[strcspn(text, "\n")] = '\0';
  return text;
}
