#include "mpi/start/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** GPUs that the header lists one by one. */
enum { MOST_LISTED = 8 };

/** What this rank would take if it had its node's GPUs to itself. */
static ncc_status choose_own(const ncc_run_options *options, int node_rank, ncc_device_choice *out, int *visible) {
  ncc_status status = NCC_OK;
  char reason[256];
  *visible = 0;
  if (options->device == NCC_DEVICE_CPU) return NCC_OK;
  *visible = ncc_gpu_count(reason, sizeof reason);
  NCC_CHECK(*visible > 0 || options->device != NCC_DEVICE_GPU, NCC_ERR_DEVICE, "--device gpu: %s", reason);
  if (*visible == 0) return NCC_OK;
  int usable = options->gpus > 0 && options->gpus < *visible ? options->gpus : *visible;
  out->use = 1;
  out->device = node_rank % usable;
  ncc_status described = ncc_gpu_describe(out->device, &out->info);
  if (described != NCC_OK && options->device == NCC_DEVICE_AUTO) {
    out->use = 0;  // a GPU that does not answer is none
    return NCC_OK;
  }
  NCC_TRY(described);

cleanup:
  return status;
}

static bool same_gpu(const ncc_device_choice *a, const ncc_device_choice *b) {
  return a->use && b->use && strcmp(a->info.uuid, b->info.uuid) == 0;
}

/** Who shares with whom on a node; no more than `limit` GPUs (0: no limit) are used. */
static void settle_node(ncc_device_choice *all, int ranks, int rank, int limit, int visible, ncc_device_choice *out) {
  int gpus = 0;
  for (int r = 0; r < ranks; r++) {
    int first = 0;
    while (first < r && !same_gpu(&all[first], &all[r])) first++;
    if (!all[r].use) continue;
    if (first == r && limit > 0 && gpus == limit)
      all[r].use = 0;
    else
      gpus += all[r].first = first == r;
  }
  *out = all[rank];
  for (int r = 0; r < ranks; r++) out->sharers += same_gpu(&all[r], out);
  if (rank == 0 && visible > gpus) out->unused = visible - gpus;
}

ncc_status ncc_devices_choose(const ncc_comm *comm, const ncc_run_options *options, ncc_device_choice *out) {
  ncc_status status = NCC_OK;
  int visible = 0;
  memset(out, 0, sizeof *out);
  ncc_device_choice *all = malloc((size_t)comm->node_ranks * sizeof *all);
  ncc_status mine = choose_own(options, comm->node_rank, out, &visible);
  if (!all) mine = ncc_error_set(NCC_ERR_NOMEM, "out of memory for %d ranks", comm->node_ranks);
  NCC_TRY(ncc_comm_node_allgather(comm, mine, out, sizeof *out, all));
  settle_node(all, comm->node_ranks, comm->node_rank, options->gpus, visible, out);
  int64_t everywhere = out->use;
  NCC_TRY(ncc_comm_min(comm, NCC_OK, &everywhere));
  out->everywhere = (int32_t)everywhere;
cleanup:
  free(all);
  return status;
}

/* ---- in words --------------------------------------------------------------------------------------------------- */

/** Appends as far as there is room. */
static void append(char *text, size_t text_bytes, const char *words) {
  size_t length = strlen(text);
  snprintf(text + length, text_bytes - length, "%s", words);
}

/** "GPU-1234... (ranks 0 and 2)" */
static void describe_gpu(const ncc_device_choice *choices, int ranks, int first, char *text, size_t text_bytes) {
  char word[64];
  append(text, text_bytes, choices[first].info.uuid);
  append(text, text_bytes, choices[first].sharers > 1 ? " shared by ranks" : " (rank");
  int told = 0;
  for (int r = first; r < ranks && told < choices[first].sharers; r++) {
    if (!same_gpu(&choices[r], &choices[first])) continue;
    snprintf(word, sizeof word, "%s %d", told == 0 ? "" : told + 1 == choices[first].sharers ? " and" : ",", r);
    append(text, text_bytes, word);
    told++;
  }
  if (choices[first].sharers == 1) append(text, text_bytes, ")");
}

void ncc_devices_describe(const ncc_device_choice *choices, int ranks, bool limited, char *devices,
                          size_t devices_bytes, char *gpus, size_t gpus_bytes, ncc_job_header *header,
                          ncc_survey *survey) {
  int count = 0, on_cpu = 0, unused = 0, listed = 0;
  char word[160];
  const ncc_device_choice *one = NULL;
  bool alike = true;
  gpus[0] = '\0';
  for (int r = 0; r < ranks; r++) {
    on_cpu += !choices[r].use;
    unused += choices[r].unused;
    if (!choices[r].first) continue;
    if (one) alike = alike && strcmp(one->info.name, choices[r].info.name) == 0;
    if (!one) one = &choices[r];
    count++;
  }
  header->engine = count == 0 ? "cpu" : on_cpu == 0 ? "gpu" : "gpu and cpu";
  header->gpus = gpus;
  if (count == 0) return;
  snprintf(word, sizeof word, "%d x %s%s", count, one->info.name, alike ? "" : " and others");
  if (on_cpu == 0)
    snprintf(devices, devices_bytes, "%s", word);
  else {
    append(devices, devices_bytes, ", ");
    append(devices, devices_bytes, word);
  }
  for (int r = 0; r < ranks && listed < MOST_LISTED; r++) {
    if (!choices[r].first) continue;
    if (listed++ > 0) append(gpus, gpus_bytes, "; ");
    describe_gpu(choices, ranks, r, gpus, gpus_bytes);
  }
  if (count > listed) {
    snprintf(word, sizeof word, "; and %d more", count - listed);
    append(gpus, gpus_bytes, word);
  }
  if (on_cpu > 0) {
    snprintf(word, sizeof word, "; %d rank%s on the CPU", on_cpu, on_cpu == 1 ? "" : "s");
    append(gpus, gpus_bytes, word);
  }
  ncc_survey_warn(
      survey, "no hardware had run the GPU engine when this version was made: compare with --device cpu, and tell us");
  if (unused > 0 && !limited)
    ncc_survey_warn(survey, "%d GPU%s idle: a rank uses one, so start a rank for each GPU", unused,
                    unused == 1 ? " stays" : "s stay");
}
