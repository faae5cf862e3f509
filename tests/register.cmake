# How tests are registered.
#
#   ncc_add_test(NAME test_x [SOURCES a.c ...] [LIBRARIES ncc_core ...] [RANKS 1 2 3] [ARGS ...] [LABELS l ...]
#                [TIMEOUT s])      a C program; SOURCES default to NAME.c, LIBRARIES to ncc_core. With RANKS it runs
#                                  under mpirun, one test a rank count, named NAME_np<ranks>, with the count as its
#                                  first argument; without, alone.
#   ncc_add_engine_test(test_x ENGINE)
#                                  a C program that takes an engine's name: one executable, one test NAME_ENGINE.
#   ncc_add_script(NAME x COMMAND program args ... [LABELS l ...] [TIMEOUT s] [PROCESSORS n] [ENVIRONMENT A=b ...])
#                                  a program, or a script of the room: *.py or *.sh. It finds mpixcorr in $MPIXCORR and
#                                  mpirun in $MPIEXEC, and imports the Python modules of common/ and of other rooms.
# Exit code 77 means skipped. Tests that measure time or memory have the label `measured`: sanitizers would spoil them.
set(NCC_TESTS ${CMAKE_CURRENT_LIST_DIR})
set(NCC_TEST_ENVIRONMENT
  "MPIXCORR=${PROJECT_BINARY_DIR}/mpixcorr" "MPIEXEC=${MPIEXEC_EXECUTABLE}" "OMPI_ALLOW_RUN_AS_ROOT=1"
  "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1" "OMPI_MCA_rmaps_base_oversubscribe=1" "OMPI_MCA_hwloc_base_binding_policy=none"
  "PRTE_ALLOW_RUN_AS_ROOT=1" "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1" # the same for Open MPI 5
  "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe" "PRTE_MCA_hwloc_default_binding_policy=none"
  "OMPI_MCA_btl_vader_single_copy_mechanism=none" # containers forbid the system call that it would use
  "HDF5_USE_FILE_LOCKING=BEST_EFFORT"
  "PYTHONPATH=${NCC_TESTS}/common:${NCC_TESTS}/unit/io:${NCC_TESTS}/program:${NCC_TESTS}/program/faults"
  "PYTHONDONTWRITEBYTECODE=1")
if(MPIXCORR_SANITIZE) # whole stacks, so that leaks of Open MPI's unloaded plugins are known as its own
  list(APPEND NCC_TEST_ENVIRONMENT "ASAN_OPTIONS=fast_unwind_on_malloc=0"
    "LSAN_OPTIONS=suppressions=${NCC_TESTS}/checks/lsan.supp,print_suppressions=0")
endif()
set_property(GLOBAL PROPERTY NCC_REGISTERED_SOURCES "")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})

# Python tests use the distribution's modules (h5py, numpy), which belong to the distribution's interpreter.
find_program(NCC_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(NCC_PYTHON NAMES python3)
if(NOT NCC_PYTHON)
  set(NCC_PYTHON ${NCC_TESTS}/common/skip.sh "no python3 was found when the build was configured")
endif()

# Each test has a folder of its own for mpirun's sessions: Open MPI 4 fails where one mpirun removes the common folder
# while another is about to use it.
function(ncc_test_properties name labels timeout)
  if(MPIXCORR_SANITIZE)
    math(EXPR timeout "5 * ${timeout}")
  endif()
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 LABELS "${labels}" TIMEOUT ${timeout}
    ENVIRONMENT "${NCC_TEST_ENVIRONMENT};OMPI_MCA_orte_tmpdir_base=${PROJECT_BINARY_DIR}/tests/mpirun/${name}")
endfunction()

function(ncc_register_sources)
  foreach(source IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    set_property(GLOBAL APPEND PROPERTY NCC_REGISTERED_SOURCES ${source})
  endforeach()
endfunction()

function(ncc_add_test)
  cmake_parse_arguments(T "" "NAME;TIMEOUT" "SOURCES;LIBRARIES;RANKS;ARGS;LABELS" ${ARGN})
  if(T_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ncc_add_test(${T_NAME}): unknown ${T_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT T_SOURCES)
    set(T_SOURCES ${T_NAME}.c)
  endif()
  if(NOT T_LIBRARIES)
    set(T_LIBRARIES ncc_core)
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 60)
  endif()
  ncc_register_sources(${T_SOURCES})
  add_executable(${T_NAME} ${T_SOURCES})
  target_include_directories(${T_NAME} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${NCC_TESTS}/common)
  target_link_libraries(${T_NAME} PRIVATE ${T_LIBRARIES})
  if(T_RANKS)
    foreach(ranks IN LISTS T_RANKS)
      add_test(NAME ${T_NAME}_np${ranks} COMMAND ${MPIEXEC_EXECUTABLE} -n ${ranks} $<TARGET_FILE:${T_NAME}> ${ranks}
        ${T_ARGS})
      ncc_test_properties(${T_NAME}_np${ranks} "${T_LABELS};mpi" ${T_TIMEOUT})
      set_tests_properties(${T_NAME}_np${ranks} PROPERTIES PROCESSORS 2)
    endforeach()
  else()
    add_test(NAME ${T_NAME} COMMAND ${T_NAME} ${T_ARGS})
    ncc_test_properties(${T_NAME} "${T_LABELS}" ${T_TIMEOUT})
  endif()
endfunction()

function(ncc_add_engine_test program engine)
  if(NOT TARGET ${program})
    ncc_register_sources(${program}.c)
    add_executable(${program} ${program}.c)
    target_link_libraries(${program} PRIVATE conformance)
  endif()
  set(label engine)
  if(engine STREQUAL "gpu")
    set(label gpu)
  endif()
  add_test(NAME ${program}_${engine} COMMAND ${program} ${engine})
  ncc_test_properties(${program}_${engine} ${label} 240)
endfunction()

function(ncc_add_script)
  cmake_parse_arguments(T "" "NAME;TIMEOUT;PROCESSORS" "COMMAND;LABELS;ENVIRONMENT" ${ARGN})
  if(T_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ncc_add_script(${T_NAME}): unknown ${T_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 60)
  endif()
  if(NOT T_PROCESSORS)
    set(T_PROCESSORS 1)
  endif()
  list(POP_FRONT T_COMMAND program)
  if(program MATCHES "\\.(py|sh)$")
    cmake_path(ABSOLUTE_PATH program BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  if(program MATCHES "\\.py$")
    list(PREPEND program ${NCC_PYTHON})
  endif()
  add_test(NAME ${T_NAME} COMMAND ${program} ${T_COMMAND} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  ncc_test_properties(${T_NAME} "${T_LABELS}" ${T_TIMEOUT})
  set_tests_properties(${T_NAME} PROPERTIES PROCESSORS ${T_PROCESSORS})
  set_property(TEST ${T_NAME} APPEND PROPERTY ENVIRONMENT ${T_ENVIRONMENT})
endfunction()
