/** What the FFT planner has learnt, kept between runs; see ncc_wisdom_load() in mpixcorr.h.
 *
 *  One file a library version and CPU model: a line that says so, then the library's own text. Written beside its name
 *  and renamed, so that runs that end together cannot spoil it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/target.h"
#include "base/version.h"
#include "match/fft.h"

enum { HEADER_BYTES = 256, LARGEST_FILE = 64 << 20 };

/** The CPU's model as the kernel names it, "unknown" where it does not; for the header and the file's name. */
static void cpu_model(char *out, size_t bytes) {
  char line[512];
  snprintf(out, bytes, "unknown");
  FILE *f = fopen("/proc/cpuinfo", "r");
  while (f && fgets(line, sizeof line, f)) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !colon) continue;
    line[strcspn(line, "\n")] = 0;
    snprintf(out, bytes, "%s", colon + 1 + strspn(colon + 1, " \t"));
    break;
  }
  if (f) fclose(f);
}

static void header_line(char out[HEADER_BYTES]) {
  char cpu[128];
  cpu_model(cpu, sizeof cpu);
  snprintf(out, HEADER_BYTES, "mpixcorr wisdom 1; %s; %s\n", ncc_fft_library(), cpu);
}

/** The user's cache file, or false where there is no home for one. */
static bool default_path(char *out, size_t bytes) {
  char header[HEADER_BYTES];
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  uint64_t key = 14695981039346656037u;  // FNV-1a of the header: one file a library and CPU
  header_line(header);
  for (const char *p = header; *p; p++) key = (key ^ (unsigned char)*p) * 1099511628211u;
  int length = cache && cache[0] == '/'
                   ? snprintf(out, bytes, "%s/mpixcorr/wisdom-%016llx", cache, (unsigned long long)key)
               : home && home[0] == '/'
                   ? snprintf(out, bytes, "%s/.cache/mpixcorr/wisdom-%016llx", home, (unsigned long long)key)
                   : -1;
  return length > 0 && (size_t)length < bytes;
}

ncc_status ncc_wisdom_load(const char *path) {
  ncc_status status = NCC_OK;
  char own[4096], header[HEADER_BYTES];
  char *text = NULL;
  struct stat info;
  bool asked = path != NULL;
  if (!asked) {
    if (!default_path(own, sizeof own)) return NCC_OK;
    path = own;
  }
  if (access(path, F_OK) != 0) return NCC_OK;  // nothing learnt yet
  // A pipe would be waited for.
  const int error = stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)
                        ? EINVAL
                        : ncc_file_read(path, LARGEST_FILE, &text, NULL);
  NCC_CHECK(error == 0, NCC_ERR_UNREADABLE, "%s: FFT planning cache cannot be read: %s", path, ncc_error_words(error));
  header_line(header);
  NCC_CHECK(strncmp(text, header, strlen(header)) == 0, NCC_ERR_UNREADABLE,
            "%s: FFT planning cache begins with \"%.*s\", expected \"%.*s\"", path, (int)strcspn(text, "\n") % 80, text,
            (int)strcspn(header, "\n"), header);
  NCC_CHECK(ncc_fft_wisdom_import(text + strlen(header)), NCC_ERR_UNREADABLE,
            "%s: FFT planning cache is not accepted by %s", path, ncc_fft_library());

cleanup:
  free(text);
  return status;
}

/** Makes the directories above a file. */
static void make_parents(const char *path) {
  char part[4096];
  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
    mkdir(part, 0777);  // what cannot be made shows when the file is opened
  }
}

ncc_status ncc_wisdom_save(const char *path) {
  ncc_status status = NCC_OK;
  char own[4096], header[HEADER_BYTES];
  ncc_target target = {0};
  char *wisdom = ncc_fft_wisdom_export();
  if (!wisdom) return NCC_OK;  // a library without wisdom
  if (!path) {
    if (!default_path(own, sizeof own)) goto cleanup;
    path = own;
    make_parents(path);
  }
  header_line(header);
  NCC_TRY(ncc_target_begin(path, "--wisdom", &target));
  FILE *f = fopen(target.temporary, "w");
  NCC_CHECK(f, NCC_ERR_OUTPUT, "%s: FFT planning cache cannot be written: %s", path, strerror(errno));
  int error = fputs(header, f) < 0 || fputs(wisdom, f) < 0 ? errno : 0;
  error = ncc_file_close(f, error);
  NCC_CHECK(error == 0, NCC_ERR_OUTPUT, "%s: FFT planning cache cannot be written: %s", path, ncc_error_words(error));
  NCC_TRY(ncc_target_commit(&target));

cleanup:
  ncc_target_end(&target);
  free(wisdom);
  return status;
}
