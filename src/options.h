/** The command line of `mpixcorr run`: one table of options gives parsing, --help, the man page and what is recorded.
 */
#ifndef NCC_OPTIONS_H
#define NCC_OPTIONS_H

#include "mpixcorr.h"

typedef enum ncc_device { NCC_DEVICE_AUTO, NCC_DEVICE_CPU, NCC_DEVICE_GPU } ncc_device;
typedef enum ncc_read_mode { NCC_READ_AUTO, NCC_READ_ROOT, NCC_READ_ALL } ncc_read_mode;
typedef enum ncc_progress_mode {
  NCC_PROGRESS_AUTO,
  NCC_PROGRESS_BAR,
  NCC_PROGRESS_LOG,
  NCC_PROGRESS_NONE
} ncc_progress_mode;

/** Everything a run was asked for. Strings are borrowed from argv. Identical on all ranks: all parse the same argv. */
typedef struct ncc_run_options {
  const char *input, *output;
  ncc_search search;
  ncc_device device;
  int threads; /**< 0: the cores that the rank is bound to, shared fairly */
  bool group;  /**< default true */
  ncc_read_mode read;
  bool skip_bad_pairs; /**< --on-bad-pair skip */
  ncc_progress_mode progress;
  const char *report; /**< file or NULL */
  bool overwrite;
  ncc_fft_effort fft_effort;
  const char *wisdom;   /**< file, or NULL for the user's cache */
  int64_t memory_bytes; /**< 0: the cgroup's or scheduler's limit shared by the node's ranks */
  char *command_line;   /**< as typed, quoted; owned */
} ncc_run_options;

#endif
