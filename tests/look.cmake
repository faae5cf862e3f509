# Looking at results: maps, pictures, tables, comparisons, quality, boxes and windows.
ncc_add_test(NAME test_map LABELS look)
foreach(name map quality)
  ncc_add_script(NAME look_${name} COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/look_${name}.py LABELS look
    TIMEOUT 240)
  set_tests_properties(look_${name} PROPERTIES PROCESSORS 2)
endforeach()
ncc_add_script(NAME look_boxes COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/look_boxes.py $<TARGET_FILE:match_cases>
  LABELS look TIMEOUT 240)
set_tests_properties(look_boxes PROPERTIES PROCESSORS 2)
