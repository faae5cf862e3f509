/** How long a run may go on: its own limit counts before the batch system's, and of the latter a minute is left, or a
 *  tenth of a short job. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "mpi/rank/stop.h"

/** SLURM tells when, PBS how long; both to the second. */
static void check(const char *slurm, const char *pbs, double limit_s, double elapsed_s, double expected_s,
                  const char *who) {
  char reason[96];
  unsetenv("SLURM_JOB_END_TIME");
  unsetenv("PBS_WALLTIME");
  if (slurm) setenv("SLURM_JOB_END_TIME", slurm, 1);
  if (pbs) setenv("PBS_WALLTIME", pbs, 1);
  double left_s = ncc_stop_time_left_s(limit_s, elapsed_s, reason, sizeof reason);
  CHECK(left_s == expected_s || fabs(left_s - expected_s) <= 2,
        "SLURM %s, PBS %s, limit %g s: %g s are left, expected %g s", slurm ? slurm : "none", pbs ? pbs : "none",
        limit_s, left_s, expected_s);
  CHECK(strstr(reason, who) && (*who || !*reason), "'%s', expected '%s'", reason, who);
}

static const char *in_s(double s) {
  static char text[32];
  snprintf(text, sizeof text, "%lld", (long long)time(NULL) + (long long)s);
  return text;
}

int main(void) {
  check(NULL, NULL, 0, 5, INFINITY, "");
  check(NULL, NULL, 60, 5, 55, "time limit of 60 s");
  check(in_s(3600), NULL, 0, 5, 3540, "SLURM");
  check(in_s(300), NULL, 0, 5, 270, "SLURM");
  check(in_s(-20), NULL, 0, 5, -20, "SLURM");
  check(NULL, "3605", 0, 5, 3540, "PBS");
  check(NULL, "105", 0, 5, 90, "PBS");
  check(in_s(3600), "105", 0, 5, 3540, "SLURM");
  check(in_s(300), "300", 2000, 5, 1995, "time limit of 2000 s");
  check("soon", "0", 0, 5, INFINITY, "");
  check("12 o'clock", "105", 0, 5, 90, "PBS");
  return 0;
}
