# libmpixcorr by its public header alone, and the Python package on top of it. Included by CMakeLists.txt.
foreach(name threads const fork)
  ncc_add_test(NAME test_library_${name} LIBRARIES ncc_shared LABELS library TIMEOUT 180)
  target_include_directories(test_library_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
endforeach()
add_executable(library_example ${PROJECT_SOURCE_DIR}/docs/example.c)
target_include_directories(library_example PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(library_example PRIVATE ncc_shared)
ncc_add_script(NAME library_example COMMAND library_example LABELS library)

# The Python tests, on the library and program of this build; sanitizers cannot be loaded into Python, hence `package`.
ncc_add_script(NAME python_tests COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/python/run_tests.sh ${PROJECT_SOURCE_DIR}/python
  $<TARGET_FILE:ncc_shared> LABELS "python;package" TIMEOUT 300)
set_tests_properties(python_tests PROPERTIES PROCESSORS 2)
# The package by one pip command, where there is neither MPI nor HDF5.
ncc_add_script(NAME python_install COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/python/check_install.sh ${PROJECT_SOURCE_DIR}/python
  ${PROJECT_BINARY_DIR}/python-venv LABELS "python;package" TIMEOUT 600)
