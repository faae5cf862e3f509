/** What an output tells of the run that made it. */
#ifndef NCC_RUN_INFO_H
#define NCC_RUN_INFO_H

/** What the output's attributes tell of a run, known at its start. Strings are borrowed. */
typedef struct ncc_run_info {
  const char *command_line;
  const char *options;        /**< every option in effect, "--name=value ..." */
  const char *result_options; /**< those that may change a result; compared on resume */
  const char *commit;         /**< of the program */
  const char *engine, *fft_library, *devices;
  int ranks, nodes, threads;
  int retry; /**< on resume: rows of this ncc_pair_status are done again; 0: none */
} ncc_run_info;

/** What is known only at the end. */
typedef struct ncc_run_timings {
  double elapsed_s, reading_s, planning_s, computing_s, waiting_s, writing_s;
} ncc_run_timings;

#endif
