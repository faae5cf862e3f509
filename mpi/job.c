#include "mpi/job.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "mpi/rank/matchers.h"
#include "mpi/rank/stop.h"
#include "mpi/root.h"
#include "mpi/start/facts.h"
#include "mpi/start/memory.h"
#include "mpi/start/planning.h"
#include "mpi/start/shapes.h"
#include "mpi/worker.h"
#include "plan/parts.h"

#define SHIP_BYTES ((int64_t)256 << 20) /* pixels read by rank 0 and not yet sent */

enum { ABORT_S = 10 };

/** MPI can be started once in a process, and so there is one of these. */
static struct {
  ncc_comm comm;
  double started_s;
} world;

/** What every rank has during a job. */
typedef struct job {
  ncc_run_options *options;
  const ncc_comm *comm;
  ncc_root root; /* rank 0 only */
  ncc_catalog received;
  const ncc_catalog *catalog;
  ncc_reading reading;
  ncc_rank_facts facts;
  bool gpus_everywhere, gpus_anywhere;
  ncc_matchers matchers;
  ncc_pipeline *pipeline;
  ncc_memory_use use;
  ncc_memory memories[2]; /* of rank 0 and of the others */
  ncc_memory memory;      /* of this rank */
  ncc_store *store;
  volatile int stop;
} job;

ncc_status ncc_job_init(int *argc, char ***argv, int *rank) {
  ncc_status status = NCC_OK;
  int provided = MPI_THREAD_SINGLE;
  *rank = 0;
  ncc_stop_catch_signals();
  NCC_TRY_MPI(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided));
  world.started_s = ncc_clock_s();
  NCC_TRY(ncc_comm_create(&world.comm));
  *rank = world.comm.rank;
  NCC_CHECK(provided >= MPI_THREAD_FUNNELED, NCC_ERR_COMM, "MPI offers thread level %d, expected at least %d", provided,
            MPI_THREAD_FUNNELED);
cleanup:
  return status;
}

int ncc_job_ranks(void) {
  return world.comm.ranks;
}

void ncc_job_finalize(void) {
  ncc_comm_destroy(&world.comm);
  MPI_Finalize();
}

/* ---- steps, each the same on all ranks -------------------------------------------------------------------------- */

/** All ranks run the same build. */
static ncc_status compare_builds(const ncc_comm *comm) {
  ncc_status status = NCC_OK, mine = NCC_OK;
  ncc_message_hello hello, *all = NULL;
  ncc_message_hello_make(&hello);
  if (comm->rank == 0) {
    all = malloc((size_t)comm->ranks * sizeof *all);
    if (!all) mine = ncc_error_set(NCC_ERR_NOMEM, "out of memory for %d ranks", comm->ranks);
  }
  NCC_TRY(ncc_comm_gather(comm, mine, &hello, sizeof hello, all));
  for (int rank = 1; comm->rank == 0 && rank < comm->ranks && mine == NCC_OK; rank++)
    if (memcmp(&all[rank], &hello, sizeof hello) != 0)
      mine = ncc_error_set(NCC_ERR_INTERNAL,
                           "rank %d runs '%.127s', expected rank 0's '%.127s': start one build on all nodes", rank,
                           all[rank].text, hello.text);
  NCC_TRY(ncc_comm_agree(comm, mine));
cleanup:
  free(all);
  return status;
}

static ncc_status make_matchers(job *j) {
  ncc_status status = NCC_OK;
  ncc_config config = {.engine = j->facts.device.use ? ncc_engine_gpu() : ncc_engine_cpu(),
                       .device = j->facts.device.device,
                       .sharers = j->facts.device.sharers,
                       .streams = j->options->streams,
                       .threads = j->facts.threads,
                       .memory_bytes = j->facts.device.use ? j->memory.limit_bytes : j->memory.matcher_bytes,
                       .fft_effort = j->options->fft_effort,
                       .proposals = j->options->proposals,
                       .stop = &j->stop};
  ncc_search search = j->options->search;
  if (j->catalog->images.in_parts) search = ncc_parts_search(&search);
  search.n_filters = 0; /* done when pixels are read */
  status = ncc_matchers_create(&search, &config, j->facts.device.use ? (int)j->memory.matchers : 1, &j->matchers);
  if (status == NCC_ERR_DEVICE && j->options->device == NCC_DEVICE_AUTO) {
    fprintf(stderr, "mpixcorr: warning: rank %d on %s: %s; it computes on the CPU\n", j->comm->rank, j->comm->host,
            ncc_error_message());
    j->facts.device.use = j->facts.device.first = 0;
    config.engine = ncc_engine_cpu();
    config.memory_bytes = j->memory.matcher_bytes;
    status = ncc_matchers_create(&search, &config, 1, &j->matchers);
  }
  return status;
}

/** Threads that read: where pixels are sources they have to be decoded, which takes as long as a part of the work. */
static int read_threads(const job *j, const ncc_input *input) {
  enum { LEAST = 2, MOST = 8 };
  if (j->options->read_threads > 0 || !input) return j->options->read_threads;
  const bool sources = ncc_input_has_sources(input, NCC_IMAGE) || ncc_input_has_sources(input, NCC_TEMPLATE);
  return sources ? (int)ncc_clamp(j->facts.threads / 4, LEAST, MOST) : 1;
}

/** What each rank needs for itself: shapes, threads, pixels, matchers. */
static ncc_status equip(job *j) {
  ncc_status status = NCC_OK, mine = NCC_OK;
  bool root = j->comm->rank == 0;
  NCC_TRY(ncc_catalog_bcast(j->comm, root ? ncc_input_catalog(j->root.input) : NULL, &j->received));
  j->catalog = root ? ncc_input_catalog(j->root.input) : &j->received;
  NCC_TRY(ncc_search_settle(&j->options->search, ncc_catalog_masked(j->catalog))); /* as rank 0 has done */
  NCC_TRY(ncc_facts_find(j->comm, j->options, &j->facts, &j->gpus_everywhere, &j->gpus_anywhere));
  NCC_TRY(ncc_reading_choose(j->comm, j->options, j->catalog, j->root.input, &j->reading));
  j->use = (ncc_memory_use){.threads = j->facts.threads,
                            .shipped = j->reading.mode == NCC_READ_ROOT && j->comm->ranks > 1,
                            .gpu = j->gpus_anywhere};
  if (root) j->use.decode_bytes = read_threads(j, j->root.input) * ncc_input_decode_bytes(j->root.input);
  if (root)
    mine = ncc_memory_divide(&j->root.size, &j->root.work, j->options, j->comm, &j->use, j->memory.limit_bytes,
                             j->memories);
  NCC_TRY(ncc_comm_bcast(j->comm, mine, j->memories, sizeof j->memories));
  j->memory = j->memories[root ? NCC_MEMORY_ROOT : NCC_MEMORY_OTHER];
  // FFTW plans for the ranks that use it from the start; a rank whose GPU fails plans by itself.
  if (!j->options->dry_run && !j->gpus_everywhere)
    NCC_TRY(ncc_planning_bcast(j->comm, &j->root.work, j->options, &j->root.plan_s));
  mine = make_matchers(j);
  if (mine == NCC_OK) mine = ncc_store_create(j->memory.pixel_bytes, &j->store);
  NCC_TRY(ncc_comm_agree(j->comm, mine));
cleanup:
  return status;
}

/** Rank 0 plans and creates the part; then every rank starts its threads. */
static ncc_status start(job *j) {
  ncc_status status = NCC_OK, mine = NCC_OK;
  bool root = j->comm->rank == 0;
  if (root) {
    j->root.facts = malloc((size_t)j->comm->ranks * sizeof *j->root.facts);
    if (!j->root.facts) mine = ncc_error_set(NCC_ERR_NOMEM, "out of memory for %d ranks", j->comm->ranks);
  }
  NCC_TRY(ncc_comm_gather(j->comm, mine, &j->facts, sizeof j->facts, j->root.facts));
  if (root) mine = ncc_root_start(&j->root, j->comm->ranks, &j->reading, &j->memory);
  if (root && mine == NCC_OK && j->options->dry_run) mine = ncc_root_forecast(&j->root, &j->use, j->memories);
  if (mine == NCC_OK && !j->options->dry_run) {
    ncc_input *input = root ? j->root.input : j->reading.own_input;
    int64_t ship_bytes = 4 * j->memory.handout_bytes;
    if (input) ncc_input_limit(input, j->memory.chunk_bytes);
    if (input) ncc_input_threads(input, j->facts.threads);
    ncc_pipeline_options pipeline = {.catalog = j->catalog,
                                     .input = input,
                                     .matchers = j->matchers.items,
                                     .n_matchers = j->matchers.n,
                                     .stop = &j->stop,
                                     .rank = j->comm->rank,
                                     .ranks = j->comm->ranks,
                                     .store = j->store,
                                     .read_threads = read_threads(j, input),
                                     .ship_bytes = ship_bytes < SHIP_BYTES ? ship_bytes : SHIP_BYTES};
    mine = ncc_pipeline_create(&pipeline, &j->pipeline);
  }
  NCC_TRY(ncc_comm_agree(j->comm, mine));
cleanup:
  return status;
}

static ncc_status work_as_root(job *j, bool *aborting) {
  ncc_status status = NCC_OK, problem = NCC_OK;
  ncc_job_totals totals = {0};
  char message[NCC_MESSAGE_TEXT] = "";
  ncc_root *root = &j->root;
  *aborting = true;
  ncc_rank_stats *stats = calloc((size_t)j->comm->ranks, sizeof *stats);
  NCC_CHECK(stats, NCC_ERR_NOMEM, "out of memory for %d ranks", j->comm->ranks);
  if (root->observer && root->observer->started) root->observer->started(root->observer->context, &root->header);
  ncc_dispatcher_options options = {.comm = j->comm,
                                    .facts = root->facts,
                                    .work = &root->work,
                                    .schedule = root->schedule,
                                    .output = root->output,
                                    .input = root->input,
                                    .pipeline = j->pipeline,
                                    .ship = j->reading.mode == NCC_READ_ROOT,
                                    .search = &j->options->search,
                                    .threads = j->facts.threads,
                                    .time_limit_s = j->options->time_limit_s,
                                    .started_s = world.started_s,
                                    .max_failed = j->options->max_failed.given ? j->options->max_failed.n : INT64_MAX,
                                    .stop = &j->stop,
                                    .observer = root->observer};
  NCC_TRY(ncc_dispatcher_run(&options, stats, &totals, &problem, message));
  *aborting = false;
  status = ncc_root_finish(root, stats, world.started_s, &totals, problem, message);
cleanup:
  free(stats);
  return status;
}

/** The job proper. @param[out] aborting  the other ranks cannot be told of the error. */
static ncc_status run(job *j, bool *aborting) {
  ncc_status status = NCC_OK, mine = NCC_OK;
  NCC_TRY(compare_builds(j->comm));
  NCC_TRY(ncc_memory_find(j->comm, j->options->memory_bytes, &j->memory.limit_bytes));
  if (j->comm->rank == 0) mine = ncc_root_validate(&j->root, j->comm, j->memory.limit_bytes);
  NCC_TRY(ncc_comm_agree(j->comm, mine));
  NCC_TRY(equip(j));
  NCC_TRY(start(j));
  if (j->options->dry_run) goto cleanup;
  if (j->comm->rank == 0) {
    mine = work_as_root(j, aborting);
  } else {
    mine = ncc_worker_run(j->comm, j->catalog, j->pipeline, j->reading.own_input ? NULL : j->store, &j->stop);
    *aborting = mine != NCC_OK;
  }
  if (*aborting) return mine;
  NCC_TRY(ncc_comm_agree(j->comm, mine));
cleanup:
  return status;
}

static void *end_later(void *code) {
  sleep(ABORT_S);
  _exit((int)(intptr_t)code);
}

/** MPI_Abort() itself may hang where a link is cut: end this process after some seconds at the latest. */
static void end_soon(int code) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, end_later, (void *)(intptr_t)code) == 0) pthread_detach(thread);
}

ncc_status ncc_job_run(ncc_run_options *options, const ncc_job_observer *observer) {
  ncc_status status = NCC_OK;
  bool aborting = false;
  job *j = calloc(1, sizeof *j);
  if (!j) {
    status = ncc_error_set(NCC_ERR_NOMEM, "out of memory for the job");
    aborting = true;
  } else {
    j->options = j->root.options = options;
    j->root.observer = observer;
    j->comm = &world.comm;
    ncc_stop_connect(&j->stop);
    status = run(j, &aborting);
  }
  if (aborting || status == NCC_ERR_COMM) { /* peers may be blocked, waiting for this rank */
    if (status == NCC_ERR_STOPPED)          /* it names a rank already: the one that does not answer */
      fprintf(stderr, "mpixcorr: %s\n", ncc_error_message());
    else
      fprintf(stderr, "mpixcorr: rank %d on %s: %s\n", world.comm.rank, world.comm.host, ncc_error_message());
    fflush(NULL);
    end_soon(ncc_status_exit_code(status));
    MPI_Abort(world.comm.world, ncc_status_exit_code(status));
    abort();
  }
  char message[1024];
  snprintf(message, sizeof message, "%s", ncc_error_message());
  ncc_stop_connect(NULL);
  ncc_pipeline_destroy(&j->pipeline);
  ncc_matchers_clear(&j->matchers);
  ncc_store_destroy(&j->store);
  ncc_reading_clear(&j->reading);
  ncc_root_clear(&j->root);
  ncc_catalog_clear(&j->received);
  free(j);
  if (status != NCC_OK) ncc_error_set(status, "%s", message);
  return status;
}
