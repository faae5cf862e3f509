#include "plan/simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"

typedef enum event_type { EVENT_WORK, EVENT_COMPUTED, EVENT_RESULTS } event_type;

/** A hand-out on its way. */
typedef struct event {
  double at_s;
  int64_t order; /* of making: equal times stay in order */
  int32_t rank;
  event_type type;
  int64_t pairs, bytes;
  double compute_s;
  ncc_schedule_cost cost;
} event;

typedef struct rank_state {
  event ahead[NCC_SCHEDULE_AHEAD]; /* [n_ahead], waiting to be computed */
  int n_ahead;
  bool computing;
  int n_out; /* what rank 0 takes it to hold */
  double out_cost_s;
  int64_t out_bytes, n_given;
  double busy_s;
} rank_state;

typedef struct simulator {
  const ncc_simulation *how;
  ncc_schedule *schedule;
  ncc_assignment assignment;
  event *heap; /* min-heap by time */
  int64_t n, capacity, made;
  rank_state *ranks;
  double root_s;          /* when rank 0's answering thread is free */
  double even_s, drawn_s; /* all work, without and with jitter */
  uint64_t random;
  ncc_simulated *out;
} simulator;

/* ---- events ----------------------------------------------------------------------------------------------------- */

static bool earlier(const event *a, const event *b) {
  return a->at_s < b->at_s || (a->at_s == b->at_s && a->order < b->order);
}

static ncc_status push(simulator *s, event e) {
  ncc_status status = NCC_OK;
  NCC_TRY(ncc_list_grow(&s->heap, s->n + 1, &s->capacity, sizeof *s->heap, "events"));
  e.order = s->made++;
  int64_t slot = s->n++;
  for (; slot > 0 && earlier(&e, &s->heap[(slot - 1) / 2]); slot = (slot - 1) / 2)
    s->heap[slot] = s->heap[(slot - 1) / 2];
  s->heap[slot] = e;
cleanup:
  return status;
}

static event pop(simulator *s) {
  event first = s->heap[0], last = s->heap[--s->n];
  int64_t slot = 0;
  for (int64_t child; (child = 2 * slot + 1) < s->n; slot = child) {
    if (child + 1 < s->n && earlier(&s->heap[child + 1], &s->heap[child])) child++;
    if (!earlier(&s->heap[child], &last)) break;
    s->heap[slot] = s->heap[child];
  }
  if (s->n > 0) s->heap[slot] = last;
  return first;
}

/** Evenly distributed in [0, 1), the same in every simulation. */
static double random_01(simulator *s) {
  s->random ^= s->random >> 12;
  s->random ^= s->random << 25;
  s->random ^= s->random >> 27;
  return (double)(s->random * 2685821657736338717u >> 11) * 0x1p-53;
}

/* ---- what happens ----------------------------------------------------------------------------------------------- */

/** Rank 0, at `root_s`, gives a rank one hand-out more, if it may have one and there is any. */
static ncc_status give(simulator *s, int rank, bool *given) {
  ncc_status status = NCC_OK;
  const ncc_simulation *how = s->how;
  ncc_assignment *work = &s->assignment;
  rank_state *r = &s->ranks[rank];
  *given = false;
  if (!ncc_schedule_may_have_more(s->schedule, r->n_out, r->out_cost_s, r->out_bytes)) goto cleanup;
  NCC_TRY(ncc_schedule_take(s->schedule, rank, r->n_given, work));
  if (work->n_chunks == 0) goto cleanup;
  *given = true;
  r->n_given++;
  r->n_out++;
  r->out_cost_s += work->cost.seconds;
  r->out_bytes += work->bytes;
  s->out->handouts++;
  s->out->chunks += work->n_chunks;
  double cost_s = (how->handout_s + how->pair_s * (double)work->n_pairs) / 2;
  if (how->ship_bytes_s > 0 && rank > 0) cost_s += (double)work->bytes / how->ship_bytes_s;
  s->root_s += cost_s;
  s->out->root_busy_s += cost_s;
  double compute_s = (work->cost.image_s + work->cost.pairs_s) * how->speed / how->threads;
  s->even_s += compute_s;
  compute_s *= 1 + how->jitter * (2 * random_01(s) - 1);
  s->drawn_s += compute_s;
  if (how->slow_factor > 0 && rank == how->ranks / 2) compute_s *= how->slow_factor;
  double away_s = rank == 0 ? 0 : how->latency_s + how->poll_s * random_01(s);
  NCC_TRY(push(s, (event){.at_s = s->root_s + away_s,
                          .rank = rank,
                          .type = EVENT_WORK,
                          .pairs = work->n_pairs,
                          .bytes = work->bytes,
                          .compute_s = compute_s,
                          .cost = work->cost}));
cleanup:
  return status;
}

static ncc_status begin(simulator *s, event e, double now_s) {
  rank_state *r = &s->ranks[e.rank];
  r->computing = true;
  r->busy_s += e.compute_s;
  e.type = EVENT_COMPUTED;
  e.at_s = now_s + e.compute_s;
  return push(s, e);
}

static ncc_status happen(simulator *s, event e) {
  ncc_status status = NCC_OK;
  const ncc_simulation *how = s->how;
  rank_state *r = &s->ranks[e.rank];
  switch (e.type) {
    case EVENT_WORK:
      if (!r->computing) return begin(s, e, e.at_s);
      r->ahead[r->n_ahead++] = e;
      break;
    case EVENT_COMPUTED:
      r->computing = false;
      if (r->n_ahead > 0) {
        NCC_TRY(begin(s, r->ahead[0], e.at_s));
        memmove(&r->ahead[0], &r->ahead[1], (size_t)--r->n_ahead * sizeof r->ahead[0]);
      }
      e.type = EVENT_RESULTS;
      double now_s = e.at_s;
      e.at_s += e.rank == 0 ? 0 : how->latency_s;
      if (e.rank > 0 && s->root_s < now_s) e.at_s += how->poll_s * random_01(s); /* rank 0's answering thread sleeps */
      NCC_TRY(push(s, e));
      break;
    case EVENT_RESULTS:
      if (s->root_s < e.at_s) s->root_s = e.at_s;
      if (s->root_s - e.at_s > s->out->answer_max_s) s->out->answer_max_s = s->root_s - e.at_s;
      ncc_schedule_observe(s->schedule, &e.cost, e.compute_s, 0, how->threads);
      r->n_out--;
      r->out_cost_s -= e.cost.seconds;
      r->out_bytes -= e.bytes;
      for (bool given = true; given;) NCC_TRY(give(s, e.rank, &given));
      double cost_s = (how->handout_s + how->pair_s * (double)e.pairs) / 2;
      s->root_s += cost_s;
      s->out->root_busy_s += cost_s;
      if (s->root_s > s->out->elapsed_s) s->out->elapsed_s = s->root_s;
      break;
  }
cleanup:
  return status;
}

ncc_simulation ncc_simulation_measured(void) {
  return (ncc_simulation){
      .latency_s = 2e-6, .poll_s = 1e-3, .handout_s = 10e-6, .pair_s = 0.3e-6, .speed = 1, .ranks = 1, .threads = 1};
}

ncc_status ncc_simulate(ncc_schedule *schedule, const ncc_simulation *how, ncc_simulated *out) {
  ncc_status status = NCC_OK;
  simulator s = {.how = how, .schedule = schedule, .random = 88172645463325252u, .out = out};
  memset(out, 0, sizeof *out);
  s.ranks = calloc((size_t)how->ranks, sizeof *s.ranks);
  NCC_CHECK(s.ranks, NCC_ERR_NOMEM, "out of memory for %d ranks", how->ranks);
  for (int round = 0; round < NCC_SCHEDULE_AHEAD; round++)
    for (int rank = 0; rank < how->ranks; rank++) {
      bool given;
      NCC_TRY(give(&s, rank, &given));
    }
  while (s.n > 0) NCC_TRY(happen(&s, pop(&s)));
  if (s.even_s > 0) out->useful_s = ncc_schedule_total_s(schedule) * how->speed * s.drawn_s / s.even_s;
  for (int rank = 0; rank < how->ranks; rank++) {
    double busy_s = s.ranks[rank].busy_s;
    out->busy_sum_s += busy_s;
    if (rank == 0 || busy_s < out->busy_min_s) out->busy_min_s = busy_s;
    if (busy_s > out->busy_max_s) out->busy_max_s = busy_s;
  }
cleanup:
  ncc_assignment_clear(&s.assignment);
  free(s.heap);
  free(s.ranks);
  return status;
}

double ncc_simulated_efficiency(const ncc_simulation *how, const ncc_simulated *result) {
  if (result->elapsed_s <= 0) return 1;
  return result->useful_s / ((double)how->ranks * how->threads * result->elapsed_s);
}
