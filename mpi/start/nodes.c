#include "mpi/start/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** One node while its like are looked for. */
typedef struct node {
  int first, ranks; /* of `order`: its ranks, ascending */
  int kind;         /* index into the header's placement */
} node;

typedef struct lookup {
  const ncc_placement *placements;
  const char (*hosts)[64];
  int *order; /* [ranks] ranks by node */
  node *nodes;
  int n_nodes;
} lookup;

/** Lists ranks by node, nodes by their lowest rank. `order` and `nodes` have room for all ranks. */
static void sort_ranks(lookup *l, int ranks, int *node_of) {
  for (int rank = 0; rank < ranks; rank++) { /* a node's lowest rank comes first */
    int leader = l->placements[rank].leader;
    node_of[rank] = leader == rank ? l->n_nodes++ : node_of[leader];
    l->nodes[node_of[rank]].ranks++;
  }
  for (int i = 1; i < l->n_nodes; i++) l->nodes[i].first = l->nodes[i - 1].first + l->nodes[i - 1].ranks;
  for (int i = 0; i < l->n_nodes; i++) l->nodes[i].ranks = 0;
  for (int rank = 0; rank < ranks; rank++) {
    node *n = &l->nodes[node_of[rank]];
    l->order[n->first + n->ranks++] = rank;
  }
}

static bool alike(const lookup *l, const node *a, const node *b) {
  if (a->ranks != b->ranks) return false;
  for (int i = 0; i < a->ranks; i++) {
    const ncc_placement *p = &l->placements[l->order[a->first + i]], *q = &l->placements[l->order[b->first + i]];
    if (p->threads != q->threads || p->numa != q->numa || !CPU_EQUAL(&p->cores, &q->cores)) return false;
  }
  return true;
}

/** "0-3,8" of a node's ranks. malloc'd. */
static char *rank_words(const lookup *l, const node *n) {
  char *text = NULL;
  size_t size;
  FILE *stream = open_memstream(&text, &size);
  if (!stream) return NULL;
  const int *ranks = l->order + n->first;
  for (int i = 0, last; i < n->ranks; i = last + 1) {
    for (last = i; last + 1 < n->ranks && ranks[last + 1] == ranks[last] + 1;) last++;
    fprintf(stream, i ? ",%d" : "%d", ranks[i]);
    if (last > i) fprintf(stream, "-%d", ranks[last]);
  }
  fclose(stream);
  return text;
}

static ncc_status add_kind(const lookup *l, const node *n, ncc_job_header *header) {
  ncc_status status = NCC_OK;
  ncc_job_nodes *kind = &header->placement[header->n_placement++];
  kind->n_ranks = n->ranks;
  kind->ranks = calloc((size_t)n->ranks, sizeof *kind->ranks);
  NCC_CHECK(kind->ranks, NCC_ERR_NOMEM, "out of memory for %d ranks", n->ranks);
  for (int i = 0; i < n->ranks; i++) {
    const ncc_placement *p = &l->placements[l->order[n->first + i]];
    kind->ranks[i].threads = p->threads;
    ncc_cores_words(&p->cores, kind->ranks[i].cores, sizeof kind->ranks[i].cores);
    ncc_numa_words(p->numa, kind->ranks[i].numa, sizeof kind->ranks[i].numa);
  }
cleanup:
  return status;
}

/** Sorts nodes into kinds, and names each kind's nodes. */
static ncc_status find_kinds(lookup *l, ncc_job_header *header) {
  ncc_status status = NCC_OK;
  int *first_of = malloc((size_t)l->n_nodes * sizeof *first_of); /* [kinds] its first node */
  header->placement = calloc((size_t)l->n_nodes, sizeof *header->placement);
  NCC_CHECK(first_of && header->placement, NCC_ERR_NOMEM, "out of memory for %d nodes", l->n_nodes);
  for (int i = 0; i < l->n_nodes; i++) {
    node *n = &l->nodes[i];
    while (n->kind < header->n_placement && !alike(l, n, &l->nodes[first_of[n->kind]])) n->kind++;
    if (n->kind == header->n_placement) {
      first_of[n->kind] = i;
      NCC_TRY(add_kind(l, n, header));
    }
    header->placement[n->kind].n_hosts++;
  }
  for (int k = 0; k < header->n_placement; k++) {
    ncc_job_nodes *kind = &header->placement[k];
    kind->hosts = calloc((size_t)kind->n_hosts, sizeof *kind->hosts);
    NCC_CHECK(kind->hosts, NCC_ERR_NOMEM, "out of memory for %d nodes", kind->n_hosts);
    kind->n_hosts = 0;
  }
  for (int i = 0; i < l->n_nodes; i++) {
    ncc_job_nodes *kind = &header->placement[l->nodes[i].kind];
    ncc_job_host *host = &kind->hosts[kind->n_hosts++];
    snprintf(host->name, sizeof host->name, "%s", l->hosts[l->order[l->nodes[i].first]]);
    host->ranks = rank_words(l, &l->nodes[i]);
    NCC_CHECK(host->ranks, NCC_ERR_NOMEM, "out of memory for %d nodes", l->n_nodes);
  }
cleanup:
  free(first_of);
  return status;
}

/* ---- what is amiss ---------------------------------------------------------------------------------------------- */

/** " (cores 2-3 of n1, and on 5 more nodes)"; nothing where there are no cores to name. */
static void where(const lookup *l, int at, const ncc_core_set *cores, int nodes, char *text, size_t text_bytes) {
  char list[64], more[48] = "";
  text[0] = '\0';
  if (CPU_COUNT(cores) == 0) return;
  ncc_cores_words(cores, list, sizeof list);
  if (nodes > 1) snprintf(more, sizeof more, ", and on %d more node%s", nodes - 1, nodes == 2 ? "" : "s");
  snprintf(text, text_bytes, " (core%s %s of %s%s)", CPU_COUNT(cores) == 1 ? "" : "s", list,
           l->hosts[l->order[l->nodes[at].first]], more);
}

/** Cores of a node that no rank is bound to. */
static ncc_core_set unbound(const lookup *l, const node *n) {
  ncc_core_set left = l->placements[l->order[n->first]].node_cores, both;
  for (int i = 0; i < n->ranks; i++) {
    CPU_AND(&both, &left, &l->placements[l->order[n->first + i]].cores);
    CPU_XOR(&left, &left, &both);
  }
  return left;
}

static void warn(const lookup *l, bool threads_wished, ncc_job_header *header, ncc_survey *survey) {
  int64_t idle = 0, crowded = 0;
  int idle_nodes = 0, crowded_nodes = 0, idle_at = 0, crowded_at = 0; /* the first such nodes */
  char place[192];
  for (int i = l->n_nodes - 1; i >= 0; i--) {
    const ncc_placement *p = &l->placements[l->order[l->nodes[i].first]];
    int cores = CPU_COUNT(&p->node_cores);
    header->threads_at_once += p->fit.at_once;
    if (cores > header->node_cores) header->node_cores = cores;
    if (cores > p->fit.at_once) {
      idle += cores - p->fit.at_once;
      idle_nodes++;
      idle_at = i;
    }
    if (p->fit.crowded > 0) {
      crowded += p->fit.crowded;
      crowded_nodes++;
      crowded_at = i;
    }
  }
  if (crowded > 0) {
    where(l, crowded_at, &l->placements[l->order[l->nodes[crowded_at].first]].fit.contested, crowded_nodes, place,
          sizeof place);
    ncc_survey_warn(survey,
                    "%lld thread%s more than cores%s: ranks will wait for each other; start fewer, or spread them by "
                    "'mpirun --bind-to' or 'srun --cpu-bind'",
                    (long long)crowded, crowded == 1 ? "" : "s", place);
  }
  if (idle > 0 && !threads_wished) {
    ncc_core_set cores = unbound(l, &l->nodes[idle_at]);
    where(l, idle_at, &cores, idle_nodes, place, sizeof place);
    ncc_survey_warn(survey,
                    "%lld core%s idle%s: mpirun binds each rank to one core by default; start more ranks, or use "
                    "'mpirun --bind-to none' or 'srun --cpus-per-task'",
                    (long long)idle, idle == 1 ? " stays" : "s stay", place);
  }
}

ncc_status ncc_nodes_describe(const ncc_placement *placements, const char (*hosts)[64], int ranks, bool threads_wished,
                              ncc_job_header *header, ncc_survey *survey) {
  ncc_status status = NCC_OK;
  lookup l = {.placements = placements, .hosts = hosts};
  l.order = malloc((size_t)ranks * sizeof *l.order);
  l.nodes = calloc((size_t)ranks, sizeof *l.nodes);
  int *node_of = malloc((size_t)ranks * sizeof *node_of);
  NCC_CHECK(l.order && l.nodes && node_of, NCC_ERR_NOMEM, "out of memory for %d ranks", ranks);
  sort_ranks(&l, ranks, node_of);
  header->ranks = ranks;
  header->nodes = l.n_nodes;
  header->threads_min = header->threads_max = placements[0].threads;
  for (int rank = 0; rank < ranks; rank++) {
    int threads = placements[rank].threads;
    header->threads_total += threads;
    if (threads < header->threads_min) header->threads_min = threads;
    if (threads > header->threads_max) header->threads_max = threads;
  }
  NCC_TRY(find_kinds(&l, header));
  warn(&l, threads_wished, header, survey);
cleanup:
  free(l.order);
  free(l.nodes);
  free(node_of);
  return status;
}

void ncc_nodes_clear(ncc_job_header *header) {
  for (int k = 0; k < header->n_placement; k++) {
    ncc_job_nodes *kind = &header->placement[k];
    for (int i = 0; kind->hosts && i < kind->n_hosts; i++) free(kind->hosts[i].ranks);
    free(kind->hosts);
    free(kind->ranks);
  }
  free(header->placement);
  header->placement = NULL;
  header->n_placement = 0;
}
