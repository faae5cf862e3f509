# Reading: who reads, from where, how much, and the same bytes whatever the way.
ncc_add_script(NAME reading_matrix COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/reading_matrix.py LABELS read
  TIMEOUT 240)
foreach(name choice inputs amounts)
  ncc_add_script(NAME reading_${name} COMMAND ${CMAKE_COMMAND} -E env FAULT_SHIM=$<TARGET_FILE:fault_shim> ${NCC_PYTHON}
    ${CMAKE_CURRENT_SOURCE_DIR}/reading_${name}.py LABELS read TIMEOUT 120)
endforeach()
set_tests_properties(reading_matrix reading_choice reading_inputs reading_amounts PROPERTIES PROCESSORS 2)
