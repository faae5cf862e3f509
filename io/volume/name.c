#include "io/volume/name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arithmetic.h"

/* ---- taking apart ------------------------------------------------------------------------------------------------ */

static const int64_t most_index = (int64_t)1 << 62; /* a little may be added */

/** A number, or nothing before one of `ends`. @return where it ends, NULL where it is neither. */
static const char *take_number(const char *at, const char *ends, int64_t *out) {
  char *end;
  *out = INT64_MIN;
  at += strspn(at, " ");
  if (*at && strchr(ends, *at)) return at;
  errno = 0;
  const long long number = strtoll(at, &end, 10);
  if (end == at || errno || number <= -most_index || number >= most_index) return NULL;
  *out = number;
  end += strspn(end, " ");
  return *end && strchr(ends, *end) ? end : NULL;
}

/** "[17,0:512,:]", up to the end of the string. */
static bool parse_index(const char *at, ncc_name *out) {
  out->n = 0;
  for (at++;; at++) {
    if (out->n == NCC_VOLUME_RANK) return false;
    ncc_name_index *item = &out->items[out->n++];
    at = take_number(at, ":,]", &item->start);
    if (!at) return false;
    item->single = *at != ':';
    if (item->single && item->start == INT64_MIN) return false;
    if (!item->single && !(at = take_number(at + 1, ",]", &item->end))) return false;
    if (*at == ']') return at[1] == '\0';
  }
}

/** Formats and places that are not read, and what helps. */
static const char *remedy(const char *source) {
  const char *dot = strrchr(source, '.');
  const char *scheme = strstr(source, "://");
  if (scheme && strchr(source, '/') == scheme + 1)
    return "not a file; copy the data to a file system that all nodes see, or mount it there";
  if (!dot) return NULL;
  if (strncasecmp(dot, ".dm3", 4) == 0 || strncasecmp(dot, ".dm4", 4) == 0)
    return "a DigitalMicrograph file, which is not read; save it as TIFF or MRC (in Python: ncempy, hyperspy)";
  if (strncasecmp(dot, ".czi", 4) == 0 || strncasecmp(dot, ".lif", 4) == 0 || strncasecmp(dot, ".nd2", 4) == 0)
    return "a microscope vendor's file, which is not read; convert it to OME-Zarr or TIFF (bioformats2raw)";
  return NULL;
}

ncc_status ncc_name_parse(const char *root, const char *source, ncc_name *out) {
  ncc_status status = NCC_OK;
  struct stat info;
  *out = (ncc_name){.n = -1};
  const size_t length = strlen(source);
  NCC_CHECK(length > 0, NCC_ERR_UNREADABLE, "an empty name found, expected a file");
  NCC_CHECK(!remedy(source), NCC_ERR_UNREADABLE, "%s: %s", source, remedy(source));
  const bool relative = source[0] != '/' && root && root[0];
  out->path = malloc((relative ? strlen(root) + 1 : 0) + length + 1);
  NCC_CHECK(out->path, NCC_ERR_NOMEM, "%s: no memory", source);
  sprintf(out->path, "%s%s%s", relative ? root : "", relative ? "/" : "", source);
  if (source[length - 1] != ']' || stat(out->path, &info) == 0) goto cleanup;
  char *open = strrchr(out->path, '[');
  NCC_CHECK(open && open > out->path && parse_index(open, out), NCC_ERR_UNREADABLE,
            "%s: no index of up to %d numbers and ranges found at its end, expected one as [17,0:512,0:512]", source,
            NCC_VOLUME_RANK);
  *open = '\0';
cleanup:
  if (status != NCC_OK) ncc_name_clear(out);
  return status;
}

void ncc_name_clear(ncc_name *name) {
  free(name->path);
  name->path = NULL;
}

/* ---- applying ---------------------------------------------------------------------------------------------------- */

static void shape_words(int rank, const int64_t *shape, char *text, size_t size) {
  size_t used = (size_t)snprintf(text, size, "[");
  for (int d = 0; d < rank && used < size; d++)
    used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, d ? ", " : "", shape[d]);
  if (used < size) snprintf(text + used, size - used, "]");
}

static int64_t from_end(int64_t value, int64_t length, int64_t absent) {
  if (value == INT64_MIN) return absent;
  return value < 0 ? value + length : value;
}

ncc_status ncc_name_apply(const ncc_name *name, int rank, const int64_t *shape, bool pages, ncc_name_part *part) {
  ncc_status status = NCC_OK;
  char words[160];
  bool gone[NCC_VOLUME_RANK] = {false};
  const ncc_name_index *items = name->items;
  int n = name->n < 0 ? 0 : name->n, left = 0, axes[NCC_VOLUME_RANK];
  *part = (ncc_name_part){.row_axis = 0};
  shape_words(rank, shape, words, sizeof words);
  if (pages && n > 0 && (n == 1 || n > rank) && items->single && (items->start == 0 || items->start == -1)) {
    items++; /* the only page of a file that might have several */
    n--;
  }
  NCC_CHECK(n <= rank, NCC_ERR_UNREADABLE, "%s: an index of %d axes, but its shape is %s", name->path, n, words);
  for (int d = 0; d < rank; d++) {
    int64_t start = 0, end = shape[d];
    if (d < n) {
      start = from_end(items[d].start, shape[d], 0);
      end = items[d].single ? start + 1 : from_end(items[d].end, shape[d], shape[d]);
      if (!items[d].single) { /* as NumPy has it: ranges are cut to what is there */
        start = ncc_clamp(start, 0, shape[d]);
        end = ncc_clamp(end, start, shape[d]);
      }
      gone[d] = items[d].single;
      NCC_CHECK(start >= 0 && start < shape[d] && end > start, NCC_ERR_UNREADABLE,
                "%s: index %" PRId64 "%s along axis %d, but its shape is %s", name->path,
                items[d].start == INT64_MIN ? 0 : items[d].start, items[d].single ? "" : ":...", d, words);
    }
    part->at[d] = start;
    part->n[d] = end - start;
  }
  for (int d = 0; d < rank; d++)
    if (!gone[d]) axes[left++] = d;
  int first = 0;
  while (left - first > 2 && part->n[axes[first]] == 1) first++;
  NCC_CHECK(left - first == 2, NCC_ERR_UNREADABLE,
            "%s: shape %s%s found, expected an index that leaves rows and columns, as [%s0]", name->path, words,
            n > 0 ? " and the index" : "", left - first > 3 ? "0," : "");
  part->row_axis = axes[first];
  part->col_axis = axes[first + 1];
cleanup:
  return status;
}
