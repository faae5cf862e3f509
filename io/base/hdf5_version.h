/** The HDF5 library in use, for --version and the output's attributes. */
#ifndef NCC_HDF5_VERSION_H
#define NCC_HDF5_VERSION_H

/** "1.10.8": of the library that is loaded, not of the headers. Static storage. Not thread-safe. */
const char *ncc_hdf5_version(void);

/** HDF5 is not to clean up when the process or MPI ends: of a file that it could not write as it closed, 1.10 keeps an
 *  identifier of freed memory, and crashes on it then. To be called before MPI starts and before any use of HDF5. */
void ncc_hdf5_leave_at_exit(void);

#endif
