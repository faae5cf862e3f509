# The source tarball of a release, its checksum, and recipes that name both: cmake [-DURL=https://...] -P cmake/dist.cmake
# Of the last commit, into the folder that it is called from. What is in it builds without git.
cmake_minimum_required(VERSION 3.25)
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH top)
file(READ ${top}/CMakeLists.txt text)
string(REGEX MATCH "project\\(mpixcorr VERSION ([0-9.]+)" found "${text}")
set(VERSION ${CMAKE_MATCH_1})
set(folder ${CMAKE_CURRENT_BINARY_DIR})
set(tarball mpixcorr-${VERSION}.tar.gz)

execute_process(COMMAND git -C ${top} -c safe.directory=* -c tar.tar.gz.command=gzip\ -9n archive --format=tar.gz
  --prefix=mpixcorr-${VERSION}/ -o ${folder}/${tarball} HEAD RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "git archive failed in ${top}: a tarball is made of a clone")
endif()
file(SHA256 ${folder}/${tarball} SHA256)
file(WRITE ${folder}/${tarball}.sha256 "${SHA256}  ${tarball}\n")
if(NOT URL)
  set(URL "file://${folder}/${tarball}")
endif()

# The recipe of Spack: a version of this tarball in place of that of a clone.
file(READ ${top}/jobs/spack/packages/mpixcorr/package.py recipe)
string(REGEX REPLACE "    # The last commit of these sources[^\n]*\n    version\\([^\n]*\n"
  "    version(\"${VERSION}\", sha256=\"${SHA256}\", url=\"${URL}\")\n" recipe "${recipe}")
string(REGEX REPLACE "# A Spack recipe[^\n]*\n" "# A Spack recipe (Spack 0.23 or newer) for mpixcorr ${VERSION}:\n" recipe "${recipe}")
string(REGEX REPLACE "from pathlib import Path\n\n" "" recipe "${recipe}")
string(REGEX REPLACE "SOURCES = [^\n]*\n\n\n" "" recipe "${recipe}")
string(REPLACE "spack repo add jobs/spack" "spack repo add spack" recipe "${recipe}")
file(WRITE ${folder}/spack/packages/mpixcorr/package.py "${recipe}")
file(COPY ${top}/jobs/spack/repo.yaml DESTINATION ${folder}/spack)
configure_file(${top}/jobs/conda/meta.yaml.in ${folder}/conda/meta.yaml @ONLY)
file(COPY ${top}/jobs/conda/build.sh DESTINATION ${folder}/conda)
message(STATUS "${folder}/${tarball}, SHA-256 ${SHA256}, and recipes in spack/ and conda/")
