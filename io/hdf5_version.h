/** The HDF5 library in use, for --version and the output's attributes. */
#ifndef NCC_HDF5_VERSION_H
#define NCC_HDF5_VERSION_H

/** "1.10.8": of the library that is loaded, not of the headers. Static storage. Not thread-safe. */
const char *ncc_hdf5_version(void);

#endif
