#include "app/dry_run.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app/placement.h"
#include "app/progress.h"
#include "app/report.h"
#include "app/words.h"
#include "base/arithmetic.h"
#include "base/files.h"
#include "base/text.h"
#include "base/version.h"
#include "mpi/mpi_version.h"

enum { SHOWN = 12 }; /* geometries in words; JSON has them all */

/* ---- how to start it -------------------------------------------------------------------------------------------- */

/** Ranks and threads that suit the nodes of this job. */
typedef struct launch {
  int nodes, ranks_per_node, threads;
  char *mpirun, *srun; /* owned */
} launch;

/** The command line without --dry-run, and with a name for the output. */
static void print_command(FILE *stream, const ncc_run_options *options) {
  char *command =
      ncc_run_options_command_line(options, (const char *[]){"dry-run", NULL}, options->output ? NULL : "OUTPUT");
  fputs(command ? command : "", stream);
  free(command);
}

/** One rank a core, of one thread, is fastest; fewer ranks with more threads where their memory would not fit. */
static void choose_launch(const ncc_job_header *header, const ncc_forecast *forecast, launch *out) {
  const int cores = header->node_cores > 0 ? header->node_cores : 1;
  const ncc_forecast_memory *m = &forecast->memory;
  const int64_t fit = (m->node_bytes - m->root_bytes) / ncc_forecast_rank_bytes(forecast);
  int ranks = cores, threads = header->options->threads;
  if (threads > 0) ranks = cores / threads;
  if (ranks > fit) ranks = (int)fit;
  if (ranks * (int64_t)header->nodes > forecast->pairs) ranks = (int)(forecast->pairs / header->nodes);
  if (ranks < 1) ranks = 1;
  *out = (launch){.nodes = header->nodes, .ranks_per_node = ranks, .threads = threads > 0 ? threads : cores / ranks};
  size_t size;
  FILE *stream = open_memstream(&out->mpirun, &size);
  if (stream) {
    if (strncmp(ncc_mpi_version(), "Open MPI", 8) == 0)
      fprintf(stream, "mpirun -n %d --map-by ppr:%d:node:pe=%d --bind-to core ", ranks * out->nodes, ranks,
              out->threads);
    else /* Hydra, the launcher of MPICH and of Intel MPI */
      fprintf(stream, "mpirun -n %d -ppn %d -bind-to core:%d ", ranks * out->nodes, ranks, out->threads);
    print_command(stream, header->options);
    fclose(stream);
  }
  stream = open_memstream(&out->srun, &size);
  if (stream) {
    fprintf(stream, "srun -N %d -n %d --ntasks-per-node=%d -c %d --cpu-bind=cores ", out->nodes, ranks * out->nodes,
            ranks, out->threads);
    print_command(stream, header->options);
    fclose(stream);
  }
}

static void clear_launch(launch *out) {
  free(out->mpirun);
  free(out->srun);
}

/** "lfs setstripe -c 8 -S 4M": for a new file, into which the input is then copied. */
static void stripe_words(const ncc_forecast *forecast, char *text, size_t text_bytes) {
  snprintf(text, text_bytes, "lfs setstripe -c %d -S %" PRId64 "M", forecast->stripes.count,
           forecast->stripes.size_bytes >> 20);
}

/* ---- in words --------------------------------------------------------------------------------------------------- */

static void print_kinds(FILE *stream, const ncc_forecast *forecast) {
  int64_t others = 0;
  for (int32_t i = 0; i < forecast->n_kinds; i++) {
    const int64_t pairs = forecast->kinds[i].pairs;
    const ncc_work_kind *k = forecast->kinds[i].kind;
    const ncc_geometry *g = &k->geometry;
    if (i >= SHOWN) {
      others += pairs;
      continue;
    }
    char part[64] = "";
    if (k->part)
      snprintf(part, sizeof part, " in parts of %" PRId64 "x%" PRId64, k->matched.image_rows, k->matched.image_cols);
    fprintf(stream,
            "%s %" PRId64 " pair%s: image %" PRId64 "x%" PRId64 "%s (%s), template %" PRId64 "x%" PRId64
            " (%s), searched %" PRId64 "x%" PRId64 "%s%s, FFT %" PRId64 "x%" PRId64 "\n",
            i == 0 ? "shapes  " : "        ", pairs, pairs == 1 ? "" : "s", g->image_rows, g->image_cols, part,
            ncc_dtype_name(k->image_dtype), g->template_rows, g->template_cols, ncc_dtype_name(k->template_dtype),
            g->search.y1 - g->search.y0, g->search.x1 - g->search.x0,
            k->windows_vary ? " (the first pair; others differ)" : "", k->masked ? ", masked" : "", k->fft_rows,
            k->fft_cols);
  }
  if (others > 0)
    fprintf(stream, "         %" PRId64 " pairs of %d other geometries\n", others, forecast->n_kinds - SHOWN);
}

/** How often chunks of sources are read, and what would make it less. */
static void print_rereads(FILE *stream, const ncc_forecast *forecast, const ncc_catalog *catalog) {
  const ncc_rereads *r = &forecast->rereads;
  const ncc_reread_counts *now = &r->planned, *then = &r->by_chunk;
  if (r->chunks == 0) return;
  fprintf(stream, "chunks   %" PRId64 " of sources are reached, %s once decoded", r->chunks,
          ncc_size_words((double)r->chunk_bytes));
  if (r->pairs < forecast->pairs) fprintf(stream, " (by the first %" PRId64 " pairs)", r->pairs);
  if (now->reads == r->chunks) {
    fputs("; each is read once\n", stream);
    return;
  }
  fprintf(stream, "; each is read %.3g times on average, at most %" PRId64 " times, %s in all\n",
          (double)now->reads / (double)r->chunks, now->most, ncc_size_words((double)now->read_bytes));
  if (now->reads < r->chunks + r->chunks / 20) return;
  if (then->reads < now->reads) {
    fprintf(stream, "         in the order of the chunks in which images begin (");
    for (int64_t i = 0; i < ncc_min(r->n_images, 4); i++)
      fprintf(stream, "%s%" PRId64, i ? ", " : "images ", ncc_objects_get(&catalog->images, r->images[i]).id);
    fprintf(stream, "%s) ", r->n_images > 4 ? ", ..." : "");
    if (then->reads == r->chunks)
      fputs("once each: number images so, or give their pairs in that order with --no-group\n", stream);
    else
      fprintf(stream, "%.3g times each\n", (double)then->reads / (double)r->chunks);
  }
  if (then->reads > r->chunks && r->object_bytes > r->kept_bytes)
    fprintf(stream,
            "         the chunks of one image take %s, and %s of them are kept: more --memory, or fewer ranks\n",
            ncc_size_words((double)r->object_bytes), ncc_size_words((double)r->kept_bytes));
}

void ncc_dry_run_print(FILE *stream, const ncc_job_header *header, const ncc_forecast *forecast) {
  const ncc_forecast_memory *m = &forecast->memory;
  char words[64];
  launch how;
  choose_launch(header, forecast, &how);
  print_kinds(stream, forecast);
  fprintf(stream, "memory   %s a rank at most: matcher %s, pixels %s, program %s, tables %s; ",
          ncc_size_words((double)ncc_forecast_rank_bytes(forecast)), ncc_size_words((double)m->matcher_bytes),
          ncc_size_words((double)m->pixel_bytes), ncc_size_words((double)m->program_bytes),
          ncc_size_words((double)m->table_bytes));
  fprintf(stream, "rank 0 also has %s of tables; the limit is %s\n", ncc_size_words((double)m->root_bytes),
          ncc_size_words((double)m->limit_bytes));
  fprintf(stream, "pixels   %s are needed, of a file of %s\n", ncc_size_words((double)forecast->distinct_bytes),
          ncc_size_words((double)header->input_bytes));
  if (header->ranks > 1) {
    fprintf(stream, "         --read root: rank 0 reads %s and ships %s\n",
            ncc_size_words((double)forecast->root.total_bytes), ncc_size_words((double)forecast->root.shipped_bytes));
    fprintf(stream, "         --read all: %s in all, %s a rank\n", ncc_size_words((double)forecast->all.total_bytes),
            ncc_size_words((double)forecast->all.rank_bytes));
  }
  print_rereads(stream, forecast, header->work->catalog);
  ncc_duration_words(words, sizeof words, forecast->estimated_s);
  fprintf(stream,
          "time     about %s (%.3g s) of computing for %d rank%s, %" PRId64 " thread%s in all, as measured on %s\n",
          words, forecast->estimated_s, header->ranks, header->ranks == 1 ? "" : "s", header->threads_total,
          header->threads_total == 1 ? "" : "s", ncc_cost_machine);
  stripe_words(forecast, words, sizeof words);
  fprintf(stream, "lustre   '%s NEW', then 'cp ", words);
  ncc_text_quote(stream, header->options->input);
  fputs(" NEW'\n", stream);
  fprintf(stream, "launch   %s\n         %s\n", how.mpirun ? how.mpirun : "", how.srun ? how.srun : "");
  fputs("dry run  nothing was computed or written\n", stream);
  ncc_file_flush(stream);
  clear_launch(&how);
}

/* ---- as JSON ---------------------------------------------------------------------------------------------------- */

static json_t *kind(const ncc_forecast_kind *k) {
  const ncc_geometry *g = &k->kind->geometry;
  const ncc_rect *s = &g->search;
  return json_pack("{s:I, s:[I,I], s:s, s:[I,I], s:s, s:[I,I,I,I], s:b, s:b, s:[I,I], s:f, s:f}", "pairs",
                   (json_int_t)k->pairs, "image", (json_int_t)g->image_rows, (json_int_t)g->image_cols, "image_dtype",
                   ncc_dtype_name(k->kind->image_dtype), "template", (json_int_t)g->template_rows,
                   (json_int_t)g->template_cols, "template_dtype", ncc_dtype_name(k->kind->template_dtype), "search",
                   (json_int_t)s->y0, (json_int_t)s->x0, (json_int_t)s->y1, (json_int_t)s->x1, "search_varies",
                   (int)k->kind->windows_vary, "masked", (int)k->kind->masked, "fft", (json_int_t)k->kind->fft_rows,
                   (json_int_t)k->kind->fft_cols, "image_s", k->kind->cost.image_s, "pair_s", k->kind->cost.pair_s);
}

static json_t *kinds(const ncc_forecast *forecast) {
  json_t *list = json_array();
  for (int32_t i = 0; list && i < forecast->n_kinds; i++)
    if (json_array_append_new(list, kind(&forecast->kinds[i])) != 0) {
      json_decref(list);
      return NULL;
    }
  return list;
}

static json_t *reading(const ncc_forecast_reading *r) {
  return json_pack("{s:I, s:I, s:I}", "total_bytes", (json_int_t)r->total_bytes, "rank_bytes",
                   (json_int_t)r->rank_bytes, "shipped_bytes", (json_int_t)r->shipped_bytes);
}

static json_t *reads(const ncc_reread_counts *counts) {
  return json_pack("{s:I, s:I, s:I}", "reads", (json_int_t)counts->reads, "read_bytes", (json_int_t)counts->read_bytes,
                   "most", (json_int_t)counts->most);
}

static json_t *rereads(const ncc_forecast *forecast, const ncc_catalog *catalog) {
  const ncc_rereads *r = &forecast->rereads;
  json_t *images = json_array();
  for (int64_t i = 0; images && i < r->n_images; i++)
    json_array_append_new(images, json_integer(ncc_objects_get(&catalog->images, r->images[i]).id));
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "pairs", (json_int_t)r->pairs, "chunks",
                   (json_int_t)r->chunks, "chunk_bytes", (json_int_t)r->chunk_bytes, "object_bytes",
                   (json_int_t)r->object_bytes, "kept_bytes", (json_int_t)r->kept_bytes, "planned", reads(&r->planned),
                   "by_chunk", reads(&r->by_chunk), "images_by_chunk", images);
}

static json_t *warnings(const ncc_job_header *header) {
  json_t *list = json_array();
  ncc_warnings found;
  ncc_warnings_find(header, &found);
  for (int i = 0; list && i < found.n; i++) json_array_append_new(list, ncc_json_words(found.text[i]));
  return list;
}

static json_t *make_report(const ncc_job_header *header, const ncc_forecast *forecast) {
  const ncc_forecast_memory *m = &forecast->memory;
  const bool root_reads = header->read == NCC_READ_ROOT;
  char stripes[64];
  launch how;
  json_t *report = json_object();
  if (!report) return NULL;
  int failed = ncc_report_add_job(report, header);
  choose_launch(header, forecast, &how);
  stripe_words(forecast, stripes, sizeof stripes);
#define SET(key, value) failed |= json_object_set_new(report, key, value)
  SET("dry_run", json_true());
  SET("input_bytes", json_integer(header->input_bytes));
  SET("pairs", json_integer(header->pairs));
  SET("estimated_s", json_real(forecast->estimated_s));
  SET("handouts", json_integer(forecast->n_handouts));
  SET("calibrated_on", ncc_json_words(ncc_cost_machine));
  SET("memory_bytes_per_rank", json_integer(ncc_forecast_rank_bytes(forecast)));
  SET("memory_bytes", json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "program", (json_int_t)m->program_bytes,
                                "matcher", (json_int_t)m->matcher_bytes, "pixels", (json_int_t)m->pixel_bytes, "tables",
                                (json_int_t)m->table_bytes, "rank_0_tables", (json_int_t)m->root_bytes, "limit",
                                (json_int_t)m->limit_bytes, "node", (json_int_t)m->node_bytes));
  SET("read_mode", ncc_json_words(root_reads ? "root" : "all"));
  SET("bytes_to_read", json_integer(root_reads ? forecast->root.total_bytes : forecast->all.total_bytes));
  SET("bytes_needed", json_integer(forecast->distinct_bytes));
  SET("reading", json_pack("{s:o, s:o}", "root", reading(&forecast->root), "all", reading(&forecast->all)));
  if (forecast->rereads.chunks > 0) SET("chunks", rereads(forecast, header->work->catalog));
  SET("geometries", kinds(forecast));
  SET("lustre", json_pack("{s:i, s:I, s:s}", "stripe_count", forecast->stripes.count, "stripe_size_bytes",
                          (json_int_t)forecast->stripes.size_bytes, "setstripe", stripes));
  SET("launch",
      json_pack("{s:i, s:i, s:i, s:o, s:o}", "nodes", how.nodes, "ranks_per_node", how.ranks_per_node, "threads",
                how.threads, "mpirun", ncc_json_words(how.mpirun), "srun", ncc_json_words(how.srun)));
  SET("warnings", warnings(header));
#undef SET
  clear_launch(&how);
  if (!failed) return report;
  json_decref(report);
  return NULL;
}

ncc_status ncc_dry_run_write(const char *path, const ncc_job_header *header, const ncc_forecast *forecast) {
  return ncc_report_write_json(path, make_report(header, forecast));
}
