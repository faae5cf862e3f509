/** Where ranks sit, in words and as JSON: nodes whose ranks are placed alike are told once, and what goes wrong there
 * is one warning for all. Rank 0 only. */
#ifndef NCC_PLACEMENT_H
#define NCC_PLACEMENT_H

#include <stdio.h>

#include "mpi/observer.h"

enum { NCC_WARNINGS = 8, NCC_WARNING_TEXT = 400 };

/** What a user should know before the job starts. */
typedef struct ncc_warnings {
  char text[NCC_WARNINGS][NCC_WARNING_TEXT];
  int n;
} ncc_warnings;

/** Finds what is amiss. Clears `out` first. */
void ncc_warnings_find(const ncc_job_header *header, ncc_warnings *out);

/** A line for each kind of nodes: "nodes    a, b: 2 ranks each, bound to cores 0-3 | 4-7, NUMA 0 | 1". */
void ncc_placement_print(FILE *stream, const ncc_job_header *header);

struct json_t;

/** [{hosts: [{host, ranks}], ranks: [{cores, numa, threads}]}]; NULL without memory. */
struct json_t *ncc_placement_json(const ncc_job_header *header);

/** GPUs by UUID, and the ranks that use each; "" where there are none. */
void ncc_gpus_words(const ncc_job_header *header, char *text, size_t text_bytes);

#endif
