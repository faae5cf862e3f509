#include "mpi/start/devices.h"

#include <stdio.h>

#include "base/error.h"

ncc_status ncc_devices_choose(const ncc_run_options *options, int node_rank, ncc_rank_device *out) {
  ncc_status status = NCC_OK;
  char reason[256];
  if (options->device == NCC_DEVICE_CPU) return NCC_OK;
  const int visible = out->visible = ncc_gpu_count(reason, sizeof reason);
  NCC_CHECK(visible > 0 || options->device != NCC_DEVICE_GPU, NCC_ERR_DEVICE, "--device gpu: %s", reason);
  if (visible == 0) return NCC_OK;
  int usable = options->gpus > 0 && options->gpus < visible ? options->gpus : visible;
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

void ncc_devices_settle(ncc_rank_facts *all, int ranks, int own, int limit, ncc_rank_facts *out) {
  int gpus = 0;
  for (int r = 0; r < ranks; r++) {
    ncc_rank_device *d = &all[r].device;
    int first = 0;
    while (first < r && !ncc_devices_same(&all[first].device, d)) first++;
    if (!d->use) continue;
    if (first == r && limit > 0 && gpus == limit)
      d->use = 0;
    else
      gpus += d->first = first == r;
  }
  out->device = all[own].device;
  for (int r = 0; r < ranks; r++) out->device.sharers += ncc_devices_same(&all[r].device, &out->device);
  if (own == 0 && out->device.visible > gpus) out->unused_gpus = out->device.visible - gpus;
}

/** "Intel(R) Xeon(R) ...", or "CPU" where the system does not tell. */
static void name_cpu(char *text, size_t text_bytes) {
  char line[256];
  snprintf(text, text_bytes, "CPU");
  FILE *file = fopen("/proc/cpuinfo", "r");
  if (!file) return;
  while (fgets(line, sizeof line, file)) {
    if (strncmp(line, "model name", 10) != 0 || !strchr(line, ':')) continue;
    const char *name = strchr(line, ':') + 1;
    name += strspn(name, " \t");
    snprintf(text, text_bytes, "%.*s", (int)strcspn(name, "\n"), name);
    break;
  }
  fclose(file);
}

const char *ncc_devices_name(const ncc_rank_facts *facts, int ranks, char *text, size_t text_bytes) {
  int count = 0, on_cpu = 0;
  const ncc_rank_device *one = NULL;
  bool alike = true;
  for (int r = 0; r < ranks; r++) {
    const ncc_rank_device *d = &facts[r].device;
    on_cpu += !d->use;
    if (!d->first) continue;
    if (!one) one = d;
    alike = alike && strcmp(one->info.name, d->info.name) == 0;
    count++;
  }
  size_t length = 0;
  if (on_cpu > 0) {
    name_cpu(text, text_bytes);
    length = strlen(text);
  }
  if (count > 0)
    snprintf(text + length, text_bytes - length, "%s%d x %s%s", length > 0 ? ", " : "", count, one->info.name,
             alike ? "" : " and others");
  return count == 0 ? "cpu" : on_cpu == 0 ? "gpu" : "gpu and cpu";
}
