# The GPU engine on the stand-in for CUDA (cuda_host/), in builds with MPIXCORR_CUDA=host: label gpu.
if(NOT MPIXCORR_CUDA STREQUAL "host")
  return()
endif()

# the stand-in itself
set_source_files_properties(cuda_host/cases.cu PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++")
add_executable(cuda_host_cases cuda_host/cases.cu)
target_link_libraries(cuda_host_cases PRIVATE cuda_host)
foreach(group right hidden caught faults)
  ncc_add_script(NAME cuda_host_${group} COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/cuda_host/check.py
    $<TARGET_FILE:cuda_host_cases> ${group} LABELS gpu)
endforeach()

# the engine: the same conformance programs and oracle as the others; whatever order the device finds
foreach(behaviour properties numbers search arrays fuzz large)
  ncc_add_engine_test(test_conformance_${behaviour} gpu)
endforeach()
ncc_add_script(NAME numpy_oracle_gpu COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/reference_numpy.py
  $<TARGET_FILE:match_cases> gpu LABELS gpu)
# its own work, before the judge sets right what is wrong
ncc_add_engine_test(test_conformance_proposals gpu)
add_test(NAME test_conformance_proposals_gpu_late COMMAND test_conformance_proposals gpu a_large_image)
ncc_test_properties(test_conformance_proposals_gpu_late gpu 120)
set_property(TEST test_conformance_proposals_gpu_late APPEND PROPERTY ENVIRONMENT "CUDA_HOST_SCHEDULE=late")
foreach(schedule late early)
  add_test(NAME test_conformance_fuzz_gpu_${schedule} COMMAND test_conformance_fuzz gpu)
  ncc_test_properties(test_conformance_fuzz_gpu_${schedule} gpu 120)
  set_property(TEST test_conformance_fuzz_gpu_${schedule} APPEND PROPERTY ENVIRONMENT "CUDA_HOST_SCHEDULE=${schedule}")
endforeach()

# the whole program: the bytes of --device gpu are those of --device cpu
function(ncc_add_gpu_script script)
  foreach(case IN LISTS ARGN)
    ncc_add_script(NAME gpu_${script}_${case} COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/gpu_${script}.py ${case}
      LABELS gpu TIMEOUT 180)
  endforeach()
endfunction()
ncc_add_gpu_script(options mixed boxes awkward dtypes batches schedules schedules_all_streams)
ncc_add_gpu_script(devices two_on_three_ranks one_for_all_ranks visible none auto)
ncc_add_gpu_script(faults each_call_0 each_call_1 each_call_2 memory lost lost_on_three_ranks)
ncc_add_gpu_script(em_tiles tiles)

if(NOT MPIXCORR_SANITIZE)
  ncc_add_script(NAME gpu_valgrind COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/gpu_valgrind.sh $<TARGET_FILE:cuda_host_cases>
    ${CMAKE_CURRENT_SOURCE_DIR}/reference_numpy.py $<TARGET_FILE:match_cases> ${NCC_PYTHON} LABELS gpu
    TIMEOUT 180)
endif()

# All that these tests run, for builds that want no more.
add_custom_target(gpu_tests DEPENDS mpixcorr match_cases cuda_host_cases test_conformance_properties
  test_conformance_numbers test_conformance_search test_conformance_arrays test_conformance_fuzz
  test_conformance_large test_conformance_proposals)
