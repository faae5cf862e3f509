#include "mpi/rank/watchdog.h"

#include <math.h>
#include <stdlib.h>

#define PATIENCE_S 1800.0    /* parallel file systems take up to half an hour to recover from the loss of a server */
#define MARGIN 20.0          /* times as long as predicted */
#define LONGEST_NAP_S 2      /* more than this between two looks: rank 0 itself was stopped */
#define LONGEST_NAP 0.05     /* likewise, of the patience */
#define WORTH_LEARNING_S 0.1 /* predicted: of less, latencies say nothing of how slow a rank computes */

void ncc_watchdog_start(ncc_watchdog *dog, double now_s) {
  const char *text = getenv("MPIXCORR_PATIENCE_S");
  double wished_s = text ? atof(text) : 0;
  *dog =
      (ncc_watchdog){.patience_s = wished_s > 0 ? wished_s : PATIENCE_S, .slowest = 1, .awake_s = 1, .looked_s = now_s};
}

double ncc_watchdog_look(ncc_watchdog *dog, double now_s) {
  const double nap_s = now_s - dog->looked_s, longest_s = fmin(LONGEST_NAP_S, LONGEST_NAP * dog->patience_s);
  dog->looked_s = now_s;
  dog->awake_s += fmin(nap_s, longest_s);
  return dog->awake_s;
}

void ncc_watchdog_learn(ncc_watchdog *dog, double predicted_s, double elapsed_s) {
  if (predicted_s > WORTH_LEARNING_S && elapsed_s > dog->slowest * predicted_s) dog->slowest = elapsed_s / predicted_s;
}

double ncc_watchdog_limit_s(const ncc_watchdog *dog, double predicted_s) {
  return dog->patience_s + MARGIN * dog->slowest * predicted_s;
}
