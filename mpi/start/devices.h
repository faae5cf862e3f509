/** Which GPU each rank uses, and what the header says of that. */
#ifndef NCC_DEVICES_H
#define NCC_DEVICES_H

#include "gpu/gpu.h"
#include "mpi/comm.h"
#include "mpi/observer.h"
#include "mpi/start/survey.h"

/** One rank's. Plain bytes. */
typedef struct ncc_device_choice {
  int32_t use;        /**< 1: a GPU, else the CPU engine */
  int32_t device;     /**< index among those that this rank sees */
  int32_t sharers;    /**< ranks that use this GPU */
  int32_t first;      /**< 1 on the first of these */
  int32_t unused;     /**< GPUs that are seen on this node and not used; on the node's first rank only */
  int32_t everywhere; /**< 1 if all ranks of the job use GPUs */
  ncc_gpu_info info;
} ncc_device_choice;

/** A rank takes the GPU of its index on the node, ranks beyond the number of GPUs share. A GPU is known by its UUID:
 * where each rank sees one of its own, as schedulers arrange it, that is the one. Collective; asks no GPU with --device
 * cpu.
 *  @return the same on all ranks: NCC_OK; NCC_ERR_DEVICE where --device gpu was asked for and a rank has none. */
ncc_status ncc_devices_choose(const ncc_comm *comm, const ncc_run_options *options, ncc_device_choice *out);

/** Fills the header's engine, devices and gpus, and warns of GPUs that stay idle. Rank 0.
 *  @param[in]     choices  [ranks]
 *  @param[in,out] devices  holds the CPU's name; [devices_bytes] */
void ncc_devices_describe(const ncc_device_choice *choices, int ranks, bool limited, char *devices,
                          size_t devices_bytes, char *gpus, size_t gpus_bytes, ncc_job_header *header,
                          ncc_survey *survey);

#endif
