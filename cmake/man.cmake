# The man page, written by the program itself from its tables of options; not where the program runs elsewhere.
if(NOT CMAKE_CROSSCOMPILING)
  set(ncc_man_page ${PROJECT_BINARY_DIR}/mpixcorr.1)
  add_custom_command(OUTPUT ${ncc_man_page} COMMAND mpixcorr --man > ${ncc_man_page} DEPENDS mpixcorr VERBATIM)
  add_custom_target(man ALL DEPENDS ${ncc_man_page})
  install(FILES ${ncc_man_page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
