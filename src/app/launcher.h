/** What the environment says of the launcher that started this process; to be asked before MPI is started, which
 * changes it. */
#ifndef NCC_LAUNCHER_H
#define NCC_LAUNCHER_H

/** This process's rank, 0 without a launcher: for what `run` prints once before MPI is started, such as usage errors.
 */
int ncc_launcher_rank(void);

/** How many processes were started together, 0 where that is not told. */
int ncc_launcher_ranks(void);

/** Columns of the terminal that shows this process's stderr: its own, or that of the mpirun which passes it on, on this
 *  node; 0 where there is none. */
int ncc_launcher_terminal_columns(void);

#endif
