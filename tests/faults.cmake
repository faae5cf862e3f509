# Whatever happens to a run: killed, full disk, damaged input, ranks that hang. A case of faults_*.py is a test.
add_library(fault_shim MODULE fault_shim.c)
target_link_libraries(fault_shim PRIVATE ${CMAKE_DL_LIBS})
target_compile_options(fault_shim PRIVATE -fno-sanitize=all)
target_link_options(fault_shim PRIVATE -fno-sanitize=all)
set(NCC_FAULTS_stop resume_anywhere resume_refused rows_reach_the_disk signals_mpirun signals_mpirun_ends signals_one_rank
  told_at_once limits hanging_rank hanging_reader hanging_at_the_end patience)
set(NCC_FAULTS_kill killed killed_at_writes killed_at_syncs_and_renames order_of_calls short_writes failed_calls
  failed_once old_output_stays full_disk read_only_folder two_runs two_runs_at_once lock_of_a_removed_file out_of_memory
  no_threads)
set(NCC_FAULTS_input read_errors one_read_error short_reads input_changes trial_is_no_rank crash_on_opening glutton_on_opening
  crash_on_resuming flipped_bytes flipped_bytes_of_a_part)
foreach(kind stop kill input)
  foreach(case IN LISTS NCC_FAULTS_${kind})
    ncc_add_script(NAME fault_${case} COMMAND ${CMAKE_COMMAND} -E env FAULT_SHIM=$<TARGET_FILE:fault_shim> ${NCC_PYTHON}
      ${CMAKE_CURRENT_SOURCE_DIR}/faults_${kind}.py ${case} LABELS faults TIMEOUT 240)
  endforeach()
endforeach()

# limits, and pairs that fail, counted
ncc_add_test(NAME test_time_left LIBRARIES ncc_mpi LABELS faults)
ncc_add_test(NAME test_mpi_max_failed SOURCES test_mpi_max_failed.c fake_matcher.c LIBRARIES ncc_mpi ncc_io ncc_core RANKS 1
  LABELS faults)

# random kills, a few; by hand as many as you like
ncc_add_script(NAME soak COMMAND ${CMAKE_COMMAND} -E env FAULT_SHIM=$<TARGET_FILE:fault_shim>
  ${CMAKE_CURRENT_SOURCE_DIR}/soak.sh 6 1 10 LABELS faults TIMEOUT 240)

# fuzz targets for some seconds each, with a fixed seed; tests/fuzz.sh alone runs them for long
ncc_add_script(NAME fuzz COMMAND ${PROJECT_SOURCE_DIR}/tests/fuzz_short.sh LABELS fuzz TIMEOUT 400)
