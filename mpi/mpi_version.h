/** The MPI library in use, for --version. */
#ifndef NCC_MPI_VERSION_H
#define NCC_MPI_VERSION_H

/** The library's first line about itself, "Open MPI v4.1.4, ..."; needs no MPI_Init. Static storage. Not thread-safe.
 */
const char *ncc_mpi_version(void);

#endif
