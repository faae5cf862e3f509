# What the targets link: FFTW always; MPI and parallel HDF5 for the program.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(FFTWF QUIET IMPORTED_TARGET fftw3f)
pkg_check_modules(FFTW QUIET IMPORTED_TARGET fftw3)
if(NOT FFTWF_FOUND OR NOT FFTW_FOUND)
  message(FATAL_ERROR "FFTW was not found; mpixcorr needs FFTW 3.3 in single and double precision "
    "(Debian: libfftw3-dev).")
endif()

if(NOT MPIXCORR_LIBRARY_ONLY)
  set(MPI_DETERMINE_LIBRARY_VERSION ON)
  find_package(MPI COMPONENTS C)
  if(NOT MPI_C_FOUND)
    message(FATAL_ERROR "No MPI was found (Debian: libopenmpi-dev openmpi-bin); the library alone needs none: "
      "-DMPIXCORR_LIBRARY_ONLY=ON.")
  endif()
  set(HDF5_PREFER_PARALLEL ON)
  find_package(HDF5 COMPONENTS C)
  if(NOT HDF5_FOUND)
    message(FATAL_ERROR "No HDF5 was found (Debian: libhdf5-openmpi-dev); the library alone needs none: "
      "-DMPIXCORR_LIBRARY_ONLY=ON.")
  endif()
  if(NOT HDF5_IS_PARALLEL)
    message(FATAL_ERROR "HDF5 ${HDF5_VERSION} was found, but it is a serial build; mpixcorr needs parallel HDF5 "
      "(Debian: libhdf5-openmpi-dev).")
  endif()
  pkg_check_modules(JANSSON QUIET IMPORTED_TARGET jansson)
  if(NOT JANSSON_FOUND)
    message(FATAL_ERROR "Jansson (JSON) was not found; mpixcorr writes its reports with it (Debian: libjansson-dev).")
  endif()
endif()
