/** What a user should know before the job starts: the area searched, and what would mislead. Rank 0 only. */
#ifndef NCC_SURVEY_H
#define NCC_SURVEY_H

#include "io/input/input.h"
#include "mpi/observer.h"

enum { NCC_SURVEY_WARNINGS = 8, NCC_SURVEY_TEXT = 400 };

typedef struct ncc_survey {
  char text[NCC_SURVEY_WARNINGS][NCC_SURVEY_TEXT];
  const char *warnings[NCC_SURVEY_WARNINGS];
  int n_warnings;
} ncc_survey;

/** Adds a warning, printf-like; those that do not fit are dropped. */
void ncc_survey_warn(ncc_survey *survey, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Fills the header's area from the first pair with work. */
void ncc_survey_area(const ncc_work *work, ncc_job_header *header);

/** Takes over what the input warns of. */
void ncc_survey_input(ncc_survey *survey, const ncc_input *input);

/** Warns if the first image is far from zero mean and templates may overhang: then they are compared with the zeros
 *  outside. Looks at some rows of one image; a failure to read it is no matter here. */
void ncc_survey_border(ncc_survey *survey, ncc_input *input, const ncc_search *search, const ncc_work *work);

#endif
