/** A crew; see crew.h. */
#include "match/crew.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/error.h"
#include "match/memory.h"
#include "match/turn.h"

/** Pairs that take less are hardly faster in stages on any number of threads. */
#define TINY_BYTES ((int64_t)8 << 20)
enum { LEAST_OF_A_GROUP = 8 }; /* a part of a group prepares the image anew: it should be worth it */

struct ncc_crew {
  ncc_search search;
  ncc_config config;  // of a member
  ncc_pool *pool;
  int members;
  ncc_matcher **matchers;  // [members]; NULL: not made yet
  ncc_counters *counted;   // [members] what has been passed on
  int64_t bytes;           // of all members, for the largest pair so far
  int64_t serial;          // of the last image: the members' key for it
  int64_t key;             // the caller's; -1: none
  ncc_array image;
};

/** Templates [from, to) of a group. */
typedef struct crew_job {
  const ncc_group *group;
  int64_t serial, from, to;
} crew_job;

typedef struct crew_run {
  ncc_crew *crew;
  crew_job *jobs;
  pthread_mutex_t mutex;  // of what follows
  ncc_status status;      // the first that is not NCC_OK: jobs that have not begun then are left out
  char message[1024];
} crew_run;

ncc_status ncc_crew_create(const ncc_search *search, const ncc_config *config, ncc_pool *pool, ncc_crew **out) {
  ncc_status status = NCC_OK;
  *out = NULL;
  ncc_crew *crew = calloc(1, sizeof *crew);
  NCC_CHECK(crew, NCC_ERR_NOMEM, "out of memory for a crew");
  *crew = (ncc_crew){
      .search = *search, .config = *config, .pool = pool, .members = ncc_pool_threads(pool), .serial = 0, .key = -1};
  crew->config.threads = 1;
  crew->config.memory_bytes = 0;
  crew->matchers = calloc((size_t)crew->members, sizeof(ncc_matcher *));
  crew->counted = calloc((size_t)crew->members, sizeof *crew->counted);
  NCC_CHECK(crew->matchers && crew->counted, NCC_ERR_NOMEM, "out of memory for a crew of %d", crew->members);
  *out = crew;
  crew = NULL;

cleanup:
  ncc_crew_destroy(&crew);
  return status;
}

void ncc_crew_destroy(ncc_crew **crew) {
  if (!*crew) return;
  if ((*crew)->matchers) ncc_crew_dismiss(*crew);
  free((*crew)->matchers);
  free((*crew)->counted);
  free(*crew);
  *crew = NULL;
}

int64_t ncc_crew_bytes(const ncc_crew *crew) {
  return crew->bytes;
}

void ncc_crew_dismiss(ncc_crew *crew) {
  for (int i = 0; i < crew->members; i++) {
    ncc_matcher_destroy(&crew->matchers[i]);
    crew->counted[i] = (ncc_counters){0};
  }
  crew->bytes = 0;
}

ncc_group ncc_group_part(const ncc_group *g, int64_t from, int64_t to, int peaks) {
  return (ncc_group){.image_key = g->image_key,
                     .image = g->image,
                     .image_mask = g->image_mask,
                     .n = to - from,
                     .templates = g->templates + from,
                     .template_masks = g->template_masks ? g->template_masks + from : NULL,
                     .around = g->around ? g->around + from : NULL,
                     .windows = g->windows ? g->windows + from : NULL,
                     .results = g->results + from,
                     .peaks = g->peaks ? g->peaks + from * peaks : NULL,
                     .turned = g->turned ? g->turned + from : NULL};
}

// ---- Who does what

/** Bytes of the crew for a group; 0: it is not for one. */
static int64_t group_bytes(const ncc_crew *crew, const ncc_group *group) {
  int64_t most = 0;
  const ncc_array *image = group->image, *last = NULL;
  ncc_search search = crew->search;
  const bool masked = group->image_mask || group->template_masks;
  if (masked) search.min_overlap = 0;
  for (int64_t i = 0; i < group->n; i++) {
    ncc_geometry g;
    const ncc_array *tmpl = &group->templates[i];
    const ncc_rect *window = group->windows ? &group->windows[i] : NULL;
    if (last && last->rows == tmpl->rows && last->cols == tmpl->cols &&
        (!window || memcmp(window, window - 1, sizeof *window) == 0))
      continue;
    last = tmpl;
    if (ncc_geometry_create(&search, window, image->rows, image->cols, tmpl->rows, tmpl->cols, &g) != NCC_OK)
      continue;  // invalid, which is soon said
    const int64_t bytes = ncc_crew_pair_bytes(&crew->search, crew->members, masked, &g);
    if (bytes == 0) return 0;
    most = ncc_max(most, bytes);
  }
  return most;
}

/** Puts the crew's groups first, each part in its order.
 *  @param[out] bytes  that the crew needs for them. @return how many; 0: none, or it does not pay */
static int64_t choose_groups(const ncc_crew *crew, int64_t most_bytes, int64_t n, const ncc_group **groups,
                             const ncc_group **others, int64_t *bytes) {
  int64_t small = 0, large = 0, pairs = 0;
  *bytes = 0;
  for (int64_t i = 0; i < n; i++) {
    const ncc_group *g = groups[i];
    const int64_t need = group_bytes(crew, g);
    if (need == 0 || (most_bytes > 0 && need > most_bytes)) {
      others[large++] = g;
      continue;
    }
    groups[small++] = g;
    pairs += g->n;
    *bytes = ncc_max(*bytes, need);
  }
  memcpy(groups + small, others, (size_t)large * sizeof *groups);
  // A few pairs keep few threads busy, which only for tiny ones is better than to wait for each other.
  const bool pays = pairs > 1 && (2 * pairs >= crew->members || *bytes <= crew->members * TINY_BYTES);
  return pays ? small : 0;
}

/** Whole groups where they are plenty, else parts. @param[out] jobs  room for n and two for each member */
static int64_t make_jobs(ncc_crew *crew, int64_t n, const ncc_group *const *groups, crew_job *jobs) {
  int64_t pairs = 0, count = 0;
  for (int64_t i = 0; i < n; i++) pairs += groups[i]->n;
  const int64_t share = ncc_max(LEAST_OF_A_GROUP, ncc_ceil_div(pairs, 2 * crew->members));
  for (int64_t i = 0; i < n; i++) {
    const ncc_group *g = groups[i];
    const ncc_array *image = g->image;
    const bool same = g->image_key >= 0 && g->image_key == crew->key && image->dtype == crew->image.dtype &&
                      image->rows == crew->image.rows && image->cols == crew->image.cols;
    crew->serial += !same;
    crew->key = g->image_key;
    crew->image = *image;
    const int64_t parts = n >= 2 * crew->members ? 1 : ncc_ceil_div(g->n, share);
    for (int64_t k = 0; k < parts; k++)
      jobs[count++] = (crew_job){g, crew->serial, k * g->n / parts, (k + 1) * g->n / parts};
  }
  return count;
}

// ---- Work

static void fail(crew_run *run, ncc_status status) {
  pthread_mutex_lock(&run->mutex);
  if (run->status == NCC_OK) {
    run->status = status;
    snprintf(run->message, sizeof run->message, "%s", ncc_error_message());
  }
  pthread_mutex_unlock(&run->mutex);
}

static bool has_failed(crew_run *run) {
  pthread_mutex_lock(&run->mutex);
  const bool failed = run->status != NCC_OK;
  pthread_mutex_unlock(&run->mutex);
  return failed;
}

static void crew_item(void *context, int64_t item, int thread) {
  crew_run *run = context;
  const crew_job *job = &run->jobs[item];
  const ncc_group *g = job->group;
  if (has_failed(run)) return;
  ncc_group part = ncc_group_part(g, job->from, job->to, run->crew->search.peaks);
  part.image_key = job->serial;
  const ncc_status status = ncc_matcher_match_groups(run->crew->matchers[thread], 1, &part);
  if (status != NCC_OK) fail(run, status);
}

/** Passes on what the members have counted since they were last asked. */
static void add_counters(ncc_crew *crew, double share, ncc_counters *to) {
  for (int i = 0; i < crew->members; i++) {
    const ncc_counters *now = ncc_matcher_counters(crew->matchers[i]);
    ncc_counters *counted = &crew->counted[i];
#define ADD(field) to->field += now->field - counted->field
#define ADD_SHARE(field) to->field += share * (now->field - counted->field)
    ADD(pairs), ADD(images), ADD(candidates), ADD(candidate_px), ADD(second_tier), ADD(half_grid), ADD(cpu_fallback);
    ADD(fft_floor_s), ADD(planning_s);  // of one thread; of one after the other
    ADD_SHARE(image_s), ADD_SHARE(template_s), ADD_SHARE(columns_s), ADD_SHARE(peak_s), ADD_SHARE(certify_s);
    ADD_SHARE(second_tier_s);
#undef ADD
#undef ADD_SHARE
    *counted = *now;
  }
}

ncc_status ncc_crew_match(ncc_crew *crew, int64_t most_bytes, int64_t *n, const ncc_group **groups,
                          ncc_counters *counters) {
  ncc_status status = NCC_OK;
  crew_run run = {.crew = crew, .mutex = PTHREAD_MUTEX_INITIALIZER};
  int64_t bytes;
  const ncc_group **others = malloc((size_t)*n * sizeof *others);
  run.jobs = malloc((size_t)(*n + 2 * crew->members) * sizeof *run.jobs);
  NCC_CHECK(others && run.jobs, NCC_ERR_NOMEM, "out of memory for %lld groups", (long long)*n);
  const int64_t count = choose_groups(crew, most_bytes, *n, groups, others, &bytes);
  if (count == 0) goto cleanup;
  for (int i = 0; i < crew->members; i++)
    if (!crew->matchers[i]) NCC_TRY(ncc_matcher_create(&crew->search, &crew->config, &crew->matchers[i]));
  crew->bytes = ncc_max(crew->bytes, bytes);
  const int64_t jobs = make_jobs(crew, count, groups, run.jobs);
  ncc_pool_run(crew->pool, jobs, crew_item, &run);
  add_counters(crew, 1.0 / (double)ncc_min(jobs, crew->members), counters);
  status = run.status;
  if (status != NCC_OK) ncc_error_set(status, "%s", run.message);
  *n -= count;
  memmove(groups, groups + count, (size_t)*n * sizeof *groups);

cleanup:
  free(others);
  free(run.jobs);
  return status;
}
