#include "mpi/rank/stop.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile int *volatile connected;
static volatile sig_atomic_t came;

static const struct {
  int number;
  const char *name;
} signals[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"},
               {SIGUSR2, "SIGUSR2"}, {SIGHUP, "SIGHUP"}, {SIGXCPU, "SIGXCPU"}};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

static void note(int number) {
  volatile int *stop = connected;
  if (!came) came = number;
  if (stop) ncc_stop_ask(stop);
}

void ncc_stop_catch_signals(void) {
  struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < SIGNALS; i++) {
    struct sigaction before;
    sigaction(signals[i].number, &action, &before);
    if (signals[i].number == SIGHUP && before.sa_handler == SIG_IGN) signal(SIGHUP, SIG_IGN); /* nohup */
  }
  signal(SIGPIPE, SIG_IGN); /* nobody reads what the run says: no reason to end it */
}

void ncc_stop_connect(volatile int *stop) {
  connected = stop;
  if (stop && came) ncc_stop_ask(stop);
}

const char *ncc_stop_signal(void) {
  for (int i = 0; i < SIGNALS; i++)
    if (signals[i].number == came) return signals[i].name;
  return NULL;
}

/** A positive number from the environment, or NaN. */
static double from_environment(const char *name) {
  const char *text = getenv(name);
  char *end = NULL;
  double value = text && *text ? strtod(text, &end) : NAN;
  return end && *end == '\0' && value > 0 ? value : NAN;
}

double ncc_stop_time_left_s(double limit_s, double elapsed_s, char *reason, size_t reason_bytes) {
  reason[0] = '\0';
  if (limit_s > 0) {
    snprintf(reason, reason_bytes, "the time limit of %g s", limit_s);
    return limit_s - elapsed_s;
  }
  /* SLURM tells when the job will be ended; PBS and Torque how long it may take from its start, which is taken for that
     of this process. Neither was meant for us alone: leave a minute, or a tenth of a short job, to finish in. */
  double left_s = from_environment("SLURM_JOB_END_TIME") - (double)time(NULL);
  const char *who = "SLURM";
  if (isnan(left_s)) {
    who = "PBS";
    left_s = from_environment("PBS_WALLTIME") - elapsed_s;
  }
  if (isnan(left_s)) return INFINITY;
  snprintf(reason, reason_bytes, "the end of the time that %s gives", who);
  return left_s - (left_s > 600 ? 60 : left_s > 0 ? left_s / 10 : 0);
}
