# The GPU engine on the stand-in for CUDA (cuda_host/), in builds with MPIXCORR_CUDA=host: label gpu.
if(NOT MPIXCORR_CUDA STREQUAL "host")
  return()
endif()

# the stand-in itself
foreach(group right hidden caught faults)
  ncc_add_script(NAME cuda_host_${group} COMMAND ${NCC_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/cuda_host/check.py
    $<TARGET_FILE:cuda_host_cases> ${group} LABELS gpu)
endforeach()
