/** The program's commands, once. */
#include "app/commands.h"

#include <string.h>

#include "options/run.h"

const ncc_command_entry ncc_commands[] = {
    {&ncc_import_command, ncc_cmd_import, "make an input file", "of TIFF, PNG, MAT, NumPy and CSV files"},
    {&ncc_mosaic_command, ncc_cmd_mosaic, "make an input file", "of stage positions: neighbours and predictions"},
    {&ncc_grid_command, ncc_cmd_grid, "make an input file",
     "of pairs of sections: a grid of patches, each with a prediction"},
    {&ncc_generate_command, ncc_cmd_generate, "make an input file", "of EM-like pixels with known answers"},
    {&ncc_run_command, ncc_cmd_run, "correlate", "every pair of a file; under mpirun or srun, or alone"},
    {&ncc_info_command, ncc_cmd_info, "look at results", "what an input or output file holds; whether it is complete"},
    {&ncc_table_command, ncc_cmd_table, "look at results", "results as rows, worst first"},
    {&ncc_map_command, ncc_cmd_map, "look at results", "draw a match, its NCC map, or a sheet of doubtful pairs"},
    {&ncc_report_command, ncc_cmd_report, "look at results",
     "one web page: what was found, what to doubt, where the time went"},
    {&ncc_compare_command, ncc_cmd_compare, "look at results", "results with results, or with known answers"},
    {&ncc_selftest_command, ncc_cmd_selftest, "this installation", "is this build right on this machine?"},
    {NULL, NULL, NULL, NULL},
};

const ncc_command_entry *ncc_commands_find(const char *name) {
  for (const ncc_command_entry *entry = ncc_commands; entry->command; entry++)
    if (strcmp(entry->command->name, name) == 0) return entry;
  return NULL;
}
