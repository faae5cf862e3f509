# How tests are registered.
#
#   ncc_add_test(NAME test_x [SOURCES a.c ...] [LIBRARIES ncc_core ...] [RANKS 1 2 3] [ARGS ...] [LABELS l ...]
#                [TIMEOUT s])      a C program; SOURCES default to NAME.c, LIBRARIES to ncc_core. With RANKS it runs
#                                  under mpirun, one test a rank count, named NAME_np<ranks>, with the count as its
#                                  first argument; without, alone.
#   ncc_add_engine_test(test_x ENGINE)
#                                  a C program that takes an engine's name: one executable, one test NAME_ENGINE.
#   ncc_add_script(NAME x COMMAND program args ... [LABELS l ...] [TIMEOUT s] [WAITS]
#                [ENVIRONMENT A=b ...])
#                                  a program, or a script of the room: *.py or *.sh. It finds mpixcorr in $MPIXCORR and
#                                  mpirun in $MPIEXEC, and imports the Python modules of common/ and of other rooms.
# Exit code 77 means skipped. Labels that decide when a test runs: `quick` first, `full` by tests/run.sh --all only; a room
# gives one to all its tests by NCC_ROOM_LABEL. Tests that measure time or memory are `measured`: sanitizers would spoil
# them. The others name what is tested.
set(NCC_TESTS ${CMAKE_CURRENT_LIST_DIR})
set(NCC_MPIEXEC ${NCC_TESTS}/common/bin/mpirun) # a launch shares nothing with those beside it
set(NCC_TEST_ENVIRONMENT
  "MPIXCORR=${PROJECT_BINARY_DIR}/mpixcorr" "MPIEXEC=${NCC_MPIEXEC}" "NCC_MPIEXEC=${MPIEXEC_EXECUTABLE}"
  "PYTHONPATH=${NCC_TESTS}/common:${NCC_TESTS}/unit/io:${NCC_TESTS}/program:${NCC_TESTS}/program/faults"
  "PYTHONDONTWRITEBYTECODE=1"
  # One rank alone: no daemon, no folder of sessions, no look for networks.
  "OMPI_MCA_ess_singleton_isolated=1" "OMPI_MCA_orte_create_session_dirs=0" "OMPI_MCA_pml=ob1"
  "OMPI_MCA_btl=self,vader" "HDF5_USE_FILE_LOCKING=BEST_EFFORT")
# mpirun leaves ranks the second that it leaves them by itself, to end in order where another one has failed.
set(NCC_PATIENT_MPIRUN "OMPI_MCA_odls_base_sigkill_timeout=1")
# A machine may be busy, and what is built with sanitizers takes several times as long.
set(NCC_PATIENCE 10)
if(MPIXCORR_SANITIZE)
  set(NCC_PATIENCE 40)
endif()
# Whole stacks, so that leaks of Open MPI's unloaded plugins are known as its own; GCC's leak sanitizer crashes where it
# looks through the thread-local memory of those plugins.
if(MPIXCORR_SANITIZE)
  list(APPEND NCC_TEST_ENVIRONMENT ${NCC_PATIENT_MPIRUN} "ASAN_OPTIONS=fast_unwind_on_malloc=0"
    "LSAN_OPTIONS=suppressions=${NCC_TESTS}/checks/lsan.supp,print_suppressions=0,use_tls=0")
endif()
set_property(GLOBAL PROPERTY NCC_REGISTERED_SOURCES "")
set(NCC_TEST_FOLDERS ${CMAKE_CURRENT_BINARY_DIR}/run)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})

# Python tests use the distribution's modules (h5py, numpy), which belong to the distribution's interpreter.
find_program(NCC_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(NCC_PYTHON NAMES python3)
if(NOT NCC_PYTHON)
  set(NCC_PYTHON ${NCC_TESTS}/common/skip.sh "no python3 was found when the build was configured")
endif()

# A test takes four slots, or one where it mostly WAITS; `ctest --parallel` gets six a core, as every launch waits now and
# then, and three more for those that mostly wait. Its launches have their sessions, and its runs their planned
# transforms, in a folder of its own.
function(ncc_test_properties name labels timeout)
  if(NOT "full" IN_LIST labels)
    list(APPEND labels ${NCC_ROOM_LABEL})
  endif()
  math(EXPR timeout "${NCC_PATIENCE} * ${timeout}")
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 LABELS "${labels}" TIMEOUT ${timeout}
    PROCESSORS 4 ENVIRONMENT_MODIFICATION "PATH=path_list_prepend:${NCC_TESTS}/common/bin" ENVIRONMENT
    "${NCC_TEST_ENVIRONMENT};NCC_SESSIONS=${NCC_TEST_FOLDERS}/${name};XDG_CACHE_HOME=${NCC_TEST_FOLDERS}/${name}")
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
      add_test(NAME ${T_NAME}_np${ranks} COMMAND ${NCC_MPIEXEC} -n ${ranks} $<TARGET_FILE:${T_NAME}> ${ranks}
        ${T_ARGS})
      ncc_test_properties(${T_NAME}_np${ranks} "${T_LABELS};mpi" ${T_TIMEOUT})
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
  cmake_parse_arguments(T "WAITS" "NAME;TIMEOUT" "COMMAND;LABELS;ENVIRONMENT" ${ARGN})
  if(T_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ncc_add_script(${T_NAME}): unknown ${T_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 60)
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
  if(T_WAITS)
    set_tests_properties(${T_NAME} PROPERTIES PROCESSORS 1)
  endif()
  set_property(TEST ${T_NAME} APPEND PROPERTY ENVIRONMENT ${T_ENVIRONMENT})
endfunction()
