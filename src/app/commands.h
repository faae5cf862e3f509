/** The program's commands: each takes the arguments that follow its name, argv[0] being the name, and reports errors by
 *  ncc_error_message(); main() prints them and turns the status into the exit code. An empty message says that the
 *  command has printed its error line already. */
#ifndef NCC_COMMANDS_H
#define NCC_COMMANDS_H

#include "mpixcorr.h"

ncc_status ncc_cmd_run(int argc, char **argv);
ncc_status ncc_cmd_generate(int argc, char **argv);
ncc_status ncc_cmd_info(int argc, char **argv);
ncc_status ncc_cmd_compare(int argc, char **argv);
ncc_status ncc_cmd_table(int argc, char **argv);
ncc_status ncc_cmd_map(int argc, char **argv);
ncc_status ncc_cmd_import(int argc, char **argv);
ncc_status ncc_cmd_selftest(int argc, char **argv);

#endif
