/** Whether what a caller of mpixcorr.h hands over can be: the one place that decides so for all its functions. Each
 *  returns NCC_OK, or NCC_ERR_USAGE with what was found and what was expected. */
#ifndef NCC_ARGUMENTS_H
#define NCC_ARGUMENTS_H

#include "mpixcorr.h"

/** @param[in] name  as in mpixcorr.h */
ncc_status ncc_check_pointer(const void *pointer, const char *name);
ncc_status ncc_check_search(const ncc_search *search);
/** @param[in] config  NULL is in order */
ncc_status ncc_check_config(const ncc_config *config);

/** Numbers of rows and columns: from 1 up to where transforms, and bytes that are counted, would overflow.
 *  @param[in] name  "image" */
ncc_status ncc_check_shape(int64_t rows, int64_t cols, const char *name);

/** An array, whose pixels may be missing. @param[in] index  of a template; -1: an image */
ncc_status ncc_check_array(const ncc_array *array, int64_t index);

/** A mask of an array, whose pixels may be missing: then nothing is masked. */
ncc_status ncc_check_mask(const ncc_array *mask, const ncc_array *of, int64_t index);

/** What is asked of n templates on an image. With n = 0 nothing else is looked at.
 *  @param[in] out  where answers go, under this name */
ncc_status ncc_check_match(const ncc_array *image, int64_t n, const ncc_array *templates, const void *out,
                           const char *name);

/** What is asked of n groups. */
ncc_status ncc_check_groups(int64_t n, const ncc_group *groups);

#endif
