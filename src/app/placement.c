#include "app/placement.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "app/words.h"
#include "mpi/rank/facts.h"

enum { MOST_GPUS = 8 }; /* listed one by one */

typedef struct node {
  int first, ranks; /* of `order`: its ranks, ascending */
  int kind;         /* nodes of a kind are placed alike */
} node;

typedef struct nodes {
  const ncc_rank_facts *facts; /* [ranks] */
  int *order;                  /* [ranks] by node */
  node *items;                 /* [n] by lowest rank */
  int n, n_kinds;
} nodes;

/** The facts of a node's rank, by its place there. */
static const ncc_rank_facts *rank_of(const nodes *all, const node *n, int i) {
  return &all->facts[all->order[n->first + i]];
}

/* ---- kinds of nodes --------------------------------------------------------------------------------------------- */

static bool alike(const nodes *all, const node *a, const node *b) {
  if (a->ranks != b->ranks) return false;
  for (int i = 0; i < a->ranks; i++) {
    const ncc_rank_facts *p = rank_of(all, a, i), *q = rank_of(all, b, i);
    if (p->threads != q->threads || p->numa != q->numa || !CPU_EQUAL(&p->cores, &q->cores)) return false;
  }
  return true;
}

/** The first node of a kind, or the next one after a node. */
static const node *next_of_kind(const nodes *all, int kind, const node *after) {
  for (const node *n = after ? after + 1 : all->items; n < all->items + all->n; n++)
    if (n->kind == kind) return n;
  return NULL;
}

static void clear(nodes *all) {
  free(all->order);
  free(all->items);
}

/** @return false without memory. */
static bool find_nodes(const ncc_job_header *header, nodes *all) {
  const int ranks = header->ranks;
  *all = (nodes){.facts = header->facts};
  int *node_of = malloc((size_t)ranks * sizeof *node_of);
  all->order = malloc((size_t)ranks * sizeof *all->order);
  all->items = calloc((size_t)ranks, sizeof *all->items);
  bool made = node_of && all->order && all->items;
  for (int rank = 0; made && rank < ranks; rank++) { /* a node's lowest rank comes first */
    int leader = header->facts[rank].leader;
    node_of[rank] = leader == rank ? all->n++ : node_of[leader];
    all->items[node_of[rank]].ranks++;
  }
  for (int i = 1; i < all->n; i++) all->items[i].first = all->items[i - 1].first + all->items[i - 1].ranks;
  for (int i = 0; i < all->n; i++) all->items[i].ranks = 0;
  for (int rank = 0; made && rank < ranks; rank++) {
    node *n = &all->items[node_of[rank]];
    all->order[n->first + n->ranks++] = rank;
  }
  for (int i = 0; i < all->n; i++) {
    node *n = &all->items[i];
    while (n->kind < all->n_kinds && !alike(all, n, next_of_kind(all, n->kind, NULL))) n->kind++;
    if (n->kind == all->n_kinds) all->n_kinds++;
  }
  free(node_of);
  if (!made) clear(all);
  return made;
}

/* ---- in words --------------------------------------------------------------------------------------------------- */

/** "0-3,8" of a node's ranks. */
static void print_ranks(FILE *stream, const nodes *all, const node *n) {
  const int *ranks = all->order + n->first;
  for (int i = 0, last; i < n->ranks; i = last + 1) {
    for (last = i; last + 1 < n->ranks && ranks[last + 1] == ranks[last] + 1;) last++;
    fprintf(stream, i ? ",%d" : "%d", ranks[i]);
    if (last > i) fprintf(stream, "-%d", ranks[last]);
  }
}

typedef void (*fact_words)(const ncc_rank_facts *facts, char *text, size_t text_bytes);

static void core_words(const ncc_rank_facts *facts, char *text, size_t text_bytes) {
  ncc_cores_words(&facts->cores, text, text_bytes);
}
static void numa_words(const ncc_rank_facts *facts, char *text, size_t text_bytes) {
  ncc_numa_words(facts->numa, text, text_bytes);
}

/** What each rank of a node has: once where all have the same, the first ones and the last where there are many. */
static void print_each(FILE *stream, const nodes *all, const node *n, fact_words get) {
  enum { MOST = 8, FIRST = 3 };
  char first[64], text[64];
  bool same = true;
  get(rank_of(all, n, 0), first, sizeof first);
  fputs(first, stream);
  for (int i = 1; i < n->ranks && same; i++) {
    get(rank_of(all, n, i), text, sizeof text);
    same = strcmp(text, first) == 0;
  }
  for (int i = 1; i < n->ranks && !same; i++) {
    if (i == FIRST && n->ranks > MOST) {
      fputs(" | ...", stream);
      i = n->ranks - 1;
    }
    get(rank_of(all, n, i), text, sizeof text);
    fprintf(stream, " | %s", text);
  }
}

static void print_kind(FILE *stream, const nodes *all, int kind) {
  enum { NAMES = 4 };
  const node *first = next_of_kind(all, kind, NULL);
  int count = 0;
  fputs(kind == 0 ? "nodes    " : "         ", stream);
  for (const node *n = first; n; n = next_of_kind(all, kind, n), count++)
    if (count < NAMES) fprintf(stream, "%s%s", count ? ", " : "", rank_of(all, n, 0)->host);
  if (count > NAMES) fprintf(stream, " and %d more", count - NAMES);
  if (count == 1) {
    fprintf(stream, ": rank%s ", ncc_plural(first->ranks));
    print_ranks(stream, all, first);
  } else {
    fprintf(stream, ": %d rank%s each", first->ranks, ncc_plural(first->ranks));
  }
  fputs(", bound to cores ", stream);
  print_each(stream, all, first, core_words);
  if (rank_of(all, first, 0)->numa) {
    fputs(", NUMA ", stream);
    print_each(stream, all, first, numa_words);
  }
  fputc('\n', stream);
}

void ncc_placement_print(FILE *stream, const ncc_job_header *header) {
  enum { KINDS = 8 };
  nodes all;
  int others = 0;
  if (!find_nodes(header, &all)) return;
  for (int kind = 0; kind < all.n_kinds && kind < KINDS; kind++) print_kind(stream, &all, kind);
  for (int i = 0; i < all.n; i++) others += all.items[i].kind >= KINDS;
  if (others > 0) fprintf(stream, "         %d more nodes, placed otherwise\n", others);
  clear(&all);
}

/* ---- as JSON ---------------------------------------------------------------------------------------------------- */

static json_t *host_json(const nodes *all, const node *n) {
  char *ranks = NULL;
  size_t size;
  FILE *stream = open_memstream(&ranks, &size);
  if (!stream) return NULL;
  print_ranks(stream, all, n);
  fclose(stream);
  json_t *host = json_pack("{s:o, s:s}", "host", ncc_json_words(rank_of(all, n, 0)->host), "ranks", ranks);
  free(ranks);
  return host;
}

static json_t *rank_json(const ncc_rank_facts *facts) {
  char cores[64], numa[24];
  core_words(facts, cores, sizeof cores);
  numa_words(facts, numa, sizeof numa);
  return json_pack("{s:s, s:s, s:i}", "cores", cores, "numa", numa, "threads", facts->threads);
}

json_t *ncc_placement_json(const ncc_job_header *header) {
  nodes all;
  if (!find_nodes(header, &all)) return NULL;
  json_t *list = json_array();
  for (int kind = 0; list && kind < all.n_kinds; kind++) {
    const node *first = next_of_kind(&all, kind, NULL);
    json_t *hosts = json_array(), *ranks = json_array();
    for (const node *n = first; n; n = next_of_kind(&all, kind, n)) json_array_append_new(hosts, host_json(&all, n));
    for (int i = 0; i < first->ranks; i++) json_array_append_new(ranks, rank_json(rank_of(&all, first, i)));
    json_array_append_new(list, json_pack("{s:o, s:o}", "hosts", hosts, "ranks", ranks));
  }
  clear(&all);
  return list;
}

/* ---- GPUs ------------------------------------------------------------------------------------------------------- */

/** Appends as far as there is room. */
__attribute__((format(printf, 3, 4))) static void append(char *text, size_t text_bytes, const char *format, ...) {
  size_t length = strlen(text);
  va_list args;
  va_start(args, format);
  vsnprintf(text + length, text_bytes - length, format, args);
  va_end(args);
}

/** "GPU-1234 (rank 3)", "GPU-1234 shared by ranks 0 and 2" */
static void append_gpu(const ncc_job_header *header, int first, char *text, size_t text_bytes) {
  const ncc_rank_device *gpu = &header->facts[first].device;
  append(text, text_bytes, "%s%s", gpu->info.uuid, gpu->sharers > 1 ? " shared by ranks" : " (rank");
  for (int r = first, told = 0; r < header->ranks && told < gpu->sharers; r++) {
    const ncc_rank_device *d = &header->facts[r].device;
    if (!d->use || strcmp(d->info.uuid, gpu->info.uuid) != 0) continue;
    append(text, text_bytes, "%s %d", told == 0 ? "" : told + 1 == gpu->sharers ? " and" : ",", r);
    told++;
  }
  if (gpu->sharers == 1) append(text, text_bytes, ")");
}

void ncc_gpus_words(const ncc_job_header *header, char *text, size_t text_bytes) {
  int count = 0, on_cpu = 0;
  text[0] = '\0';
  for (int r = 0; r < header->ranks; r++) {
    on_cpu += !header->facts[r].device.use;
    if (!header->facts[r].device.first || count++ >= MOST_GPUS) continue;
    if (count > 1) append(text, text_bytes, "; ");
    append_gpu(header, r, text, text_bytes);
  }
  if (count > MOST_GPUS) append(text, text_bytes, "; and %d more", count - MOST_GPUS);
  if (count > 0 && on_cpu > 0) append(text, text_bytes, "; %d rank%s on the CPU", on_cpu, ncc_plural(on_cpu));
}

/* ---- what is amiss ---------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void warn(ncc_warnings *out, const char *format, ...) {
  va_list args;
  if (out->n == NCC_WARNINGS) return;
  va_start(args, format);
  vsnprintf(out->text[out->n++], NCC_WARNING_TEXT, format, args);
  va_end(args);
}

/** Cores or threads too many on some nodes, the first of which is named. */
typedef struct excess {
  int64_t count;
  int nodes, leader;
} excess;

static void add_excess(excess *e, int count, int leader) {
  if (count <= 0) return;
  if (e->nodes++ == 0) e->leader = leader;
  e->count += count;
}

/** " (cores 2-3 of n1, and on 5 more nodes)"; nothing where there are no cores to name. */
static void where(const ncc_job_header *header, const excess *e, const ncc_core_set *cores, char *text,
                  size_t text_bytes) {
  char list[64], more[48] = "";
  text[0] = '\0';
  if (CPU_COUNT(cores) == 0) return;
  ncc_cores_words(cores, list, sizeof list);
  if (e->nodes > 1) snprintf(more, sizeof more, ", and on %d more node%s", e->nodes - 1, ncc_plural(e->nodes - 1));
  snprintf(text, text_bytes, " (core%s %s of %s%s)", ncc_plural(CPU_COUNT(cores)), list, header->facts[e->leader].host,
           more);
}

/** Cores of a node that no rank is bound to. */
static ncc_core_set unbound(const ncc_job_header *header, int leader) {
  ncc_core_set left = header->facts[leader].node_cores, both;
  for (int r = 0; r < header->ranks; r++) {
    if (header->facts[r].leader != leader) continue;
    CPU_AND(&both, &left, &header->facts[r].cores);
    CPU_XOR(&left, &left, &both);
  }
  return left;
}

static void warn_of_cores(const ncc_job_header *header, ncc_warnings *out) {
  excess idle = {0}, crowded = {0};
  char place[192];
  for (int r = 0; r < header->ranks; r++) {
    const ncc_rank_facts *f = &header->facts[r];
    if (f->leader != r) continue;
    add_excess(&idle, CPU_COUNT(&f->node_cores) - f->fit.at_once, r);
    add_excess(&crowded, f->fit.crowded, r);
  }
  if (crowded.count > 0) {
    where(header, &crowded, &header->facts[crowded.leader].fit.contested, place, sizeof place);
    warn(out,
         "%" PRId64
         " thread%s more than cores%s: ranks will wait for each other; start fewer, or spread them by "
         "'mpirun --bind-to' or 'srun --cpu-bind'",
         crowded.count, ncc_plural(crowded.count), place);
  }
  if (idle.count > 0 && header->options->threads == 0) { /* else idle cores are meant */
    ncc_core_set cores = unbound(header, idle.leader);
    where(header, &idle, &cores, place, sizeof place);
    warn(out,
         "%" PRId64
         " core%s idle%s: mpirun binds each rank to one core by default; start more ranks, or use "
         "'mpirun --bind-to none' or 'srun --cpus-per-task'",
         idle.count, idle.count == 1 ? " stays" : "s stay", place);
  }
}

void ncc_warnings_find(const ncc_job_header *header, ncc_warnings *out) {
  int gpus = 0, unused = 0;
  out->n = 0;
  for (int r = 0; r < header->ranks; r++) {
    gpus += header->facts[r].device.first;
    unused += header->facts[r].unused_gpus;
  }
  if (gpus > 0)
    warn(out, "no hardware had run the GPU engine when this version was made: compare with --device cpu, and tell us");
  if (gpus > 0 && unused > 0 && header->options->gpus == 0)
    warn(out, "%d GPU%s idle: a rank uses one, so start a rank for each GPU", unused,
         unused == 1 ? " stays" : "s stay");
  warn_of_cores(header, out);
  for (int i = 0; i < header->n_input_warnings; i++) warn(out, "%s", header->input_warnings[i]);
  if (header->overhang[0]) warn(out, "%s; see --normalize and --min-overlap", header->overhang);
}
