# The import command: pictures, the client's export, tiles with a CSV file, NumPy stacks; memory; real data.
foreach(name pictures export tiles numpy memory)
  ncc_add_script(NAME import_${name} COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/import_${name}.py
    $<TARGET_FILE:mpixcorr> LABELS import TIMEOUT 180)
endforeach()
set_property(TEST import_memory APPEND PROPERTY LABELS measured)
foreach(name dump em_tiles)
  ncc_add_script(NAME import_${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/import_${name}.sh LABELS import em TIMEOUT 120)
endforeach()
ncc_add_test(NAME test_import_convert LIBRARIES ncc_io ncc_core LABELS import)
