# libmpixcorr (shared), its header, CMake package and pkg-config file; and the program.
include(CMakePackageConfigHelpers)
set(ncc_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mpixcorr)

install(TARGETS ncc_shared EXPORT mpixcorrTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES src/mpixcorr.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# The documents, laid out as in the repository, so that their links lead on; links to what is not installed become words.
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)
install(CODE "set(ncc_documents \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}\")")
install(SCRIPT cmake/install_links.cmake)
if(TARGET mpixcorr)
  install(TARGETS mpixcorr RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # what people submit, and a modulefile for those who install for others
  set(ncc_data_dir ${CMAKE_INSTALL_DATADIR}/mpixcorr)
  install(PROGRAMS jobs/submit DESTINATION ${ncc_data_dir}/jobs)
  install(FILES jobs/job.sh DESTINATION ${ncc_data_dir}/jobs)
  install(DIRECTORY jobs/slurm jobs/pbs DESTINATION ${ncc_data_dir}/jobs)
  configure_file(jobs/modulefile.in ${CMAKE_BINARY_DIR}/modulefile @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/modulefile DESTINATION ${ncc_data_dir}/modulefiles/mpixcorr
    RENAME ${PROJECT_VERSION})
endif()

install(EXPORT mpixcorrTargets NAMESPACE mpixcorr:: DESTINATION ${ncc_package_dir})
configure_package_config_file(cmake/mpixcorrConfig.cmake.in ${CMAKE_BINARY_DIR}/mpixcorrConfig.cmake
  INSTALL_DESTINATION ${ncc_package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/mpixcorrConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/mpixcorrConfig.cmake ${CMAKE_BINARY_DIR}/mpixcorrConfigVersion.cmake
  DESTINATION ${ncc_package_dir})

# The prefix is the file's own: the package may be moved.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
  OUTPUT_VARIABLE ncc_pc_prefix)
configure_file(cmake/mpixcorr.pc.in ${CMAKE_BINARY_DIR}/mpixcorr.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/mpixcorr.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

configure_file(cmake/uninstall.cmake.in ${CMAKE_BINARY_DIR}/uninstall.cmake @ONLY)
if(PROJECT_IS_TOP_LEVEL)
  add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${CMAKE_BINARY_DIR}/uninstall.cmake VERBATIM)
endif()
