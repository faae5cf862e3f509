/** The program's commands: each takes the arguments that follow its name, argv[0] being the name, and reports errors by
 *  ncc_error_message(); main() prints them and turns the status into the exit code. An empty message says that the
 *  command has printed its error line already. */
#ifndef NCC_COMMANDS_H
#define NCC_COMMANDS_H

#include "mpixcorr.h"
#include "options/table.h"

ncc_status ncc_cmd_run(int argc, char **argv);
ncc_status ncc_cmd_generate(int argc, char **argv);
ncc_status ncc_cmd_info(int argc, char **argv);
ncc_status ncc_cmd_compare(int argc, char **argv);
ncc_status ncc_cmd_table(int argc, char **argv);
ncc_status ncc_cmd_map(int argc, char **argv);
ncc_status ncc_cmd_import(int argc, char **argv);
ncc_status ncc_cmd_mosaic(int argc, char **argv);
ncc_status ncc_cmd_grid(int argc, char **argv);
ncc_status ncc_cmd_selftest(int argc, char **argv);
ncc_status ncc_cmd_report(int argc, char **argv);

/** A command as the program knows it; rows of one group stand together. */
typedef struct ncc_command_entry {
  const ncc_command *command; /**< NULL ends the table */
  ncc_status (*run)(int argc, char **argv);
  const char *group, *brief;
} ncc_command_entry;

extern const ncc_command_entry ncc_commands[];

/** The entry of that name, or NULL. */
const ncc_command_entry *ncc_commands_find(const char *name);

/* the commands' tables; ncc_run_command stands in options/run.h */
extern const ncc_command ncc_generate_command, ncc_info_command, ncc_compare_command, ncc_table_command,
    ncc_map_command, ncc_import_command, ncc_mosaic_command, ncc_grid_command, ncc_report_command, ncc_selftest_command;

#endif
