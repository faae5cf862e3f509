/** What a run tells at its start and end: on stdout in words, and in a JSON file (--report). Rank 0 only. */
#ifndef NCC_REPORT_H
#define NCC_REPORT_H

#include <stdio.h>

#include "mpi/job.h"

/** The run's header: who computes, what, where it is searched, and warnings. */
void ncc_report_header(FILE *stream, const ncc_job_header *header);

/** The summary: pairs, rate, outcomes, and where the time went. */
void ncc_report_summary(FILE *stream, const ncc_job_header *header, const ncc_job_totals *totals);

/** Whether a report could be written there: its folder exists and lets us write, the path is no folder.
 *  @return NCC_OK; NCC_ERR_OUTPUT naming the path and the reason. */
ncc_status ncc_report_check(const char *path);

struct json_t;

/** Adds what runs and dry runs tell alike: the program, its command line, ranks, threads, engine. @return not 0: no
 * memory. */
int ncc_report_add_job(struct json_t *report, const ncc_job_header *header);

/** Writes a JSON document under a temporary name, then renames it; the document is taken over, NULL if there was no
 *  memory for it. @return NCC_OK; NCC_ERR_OUTPUT; NCC_ERR_NOMEM. */
ncc_status ncc_report_write_json(const char *path, struct json_t *report);

/** Writes the JSON report under a temporary name, then renames it.
 *  @return NCC_OK; NCC_ERR_OUTPUT; NCC_ERR_NOMEM. */
ncc_status ncc_report_write(const char *path, const ncc_job_header *header, const ncc_job_totals *totals);

#endif
