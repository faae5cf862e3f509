# Clusters: two hosts on this machine, and a SLURM of our own. They share an input, made once. They mostly wait (SLURM
# looks at time limits every 30 s, a requeued job sleeps some seconds), so two at a time are welcome.
set(cluster_environment CLUSTER_FOLDER=${CMAKE_CURRENT_BINARY_DIR}/cluster)
function(ncc_add_cluster_script)
  cmake_parse_arguments(T "" "NAME;TIMEOUT" "COMMAND" ${ARGN})
  ncc_add_script(NAME ${T_NAME} COMMAND ${CMAKE_COMMAND} -E env ${cluster_environment} ${T_COMMAND} LABELS cluster
    TIMEOUT ${T_TIMEOUT})
endfunction()

ncc_add_cluster_script(NAME cluster_input COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/cluster_common.py TIMEOUT 120)
set_tests_properties(cluster_input PROPERTIES FIXTURES_SETUP cluster_input)
foreach(case both_see one_sees other_file host_dies first_host_dies cable_mended cable_cut cable_cut_unnoticed)
  ncc_add_cluster_script(NAME hosts_${case} COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/two_hosts.py ${case}
    TIMEOUT 180)
  set_tests_properties(hosts_${case} PROPERTIES FIXTURES_REQUIRED cluster_input)
endforeach()
foreach(case batch_mpirun batch_srun new_user requeued time_limit exit_75 cancelled node_lost array gpu submit)
  ncc_add_cluster_script(NAME slurm_${case} COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/slurm.py ${case}
    TIMEOUT 180)
  set_tests_properties(slurm_${case} PROPERTIES FIXTURES_REQUIRED cluster_input)
endforeach()
foreach(case complete walltime deleted gpu submit)
  ncc_add_cluster_script(NAME pbs_${case} COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/pbs.py ${case} TIMEOUT 120)
  set_tests_properties(pbs_${case} PROPERTIES FIXTURES_REQUIRED cluster_input)
endforeach()
if(MPIXCORR_CUDA STREQUAL "host") # there the GPU script runs to its end
  set_property(TEST slurm_gpu APPEND PROPERTY LABELS gpu)
endif()
