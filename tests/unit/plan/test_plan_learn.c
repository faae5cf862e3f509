/** The schedule learns what each geometry really costs, images and pairs apart, though its model is wrong by large
 * factors; what it then predicts for further hand-outs comes true. */
#include <math.h>

#include "plan_cases.h"

/** What things cost on this strange machine, for one of the model's seconds. */
static const double image_factor[2] = {5, 0.5}, pair_factor[2] = {3, 0.25};

int main(void) {
  enum { IMAGES = 400, EACH = 10 };
  const ncc_schedule_options options = {.ranks = 4, .threads = 2, .group = true};
  ncc_catalog catalog = make_catalog(IMAGES, IMAGES * EACH, IMAGES * EACH);
  catalog.images.count = 0;
  CHECK(ncc_objects_reserve(&catalog.images, IMAGES) == NCC_OK, "out of memory");
  for (int64_t i = 0; i < IMAGES; i++) { /* two geometries, by the image's shape */
    ncc_object image = catalog.images.stack;
    image.id = i;
    if (i % 2) image.rows = image.cols = 500;
    CHECK(ncc_objects_add(&catalog.images, &image) == NCC_OK, "%s", ncc_error_message());
  }
  for (int64_t row = 0; row < catalog.n_pairs; row++) {
    catalog.pairs[row][0] = row / EACH;
    catalog.pairs[row][1] = row;
  }
  ncc_schedule *schedule = NULL;
  ncc_assignment given = {0};
  ncc_work work = make_work(&catalog);
  CHECK(ncc_schedule_create(&work, NULL, &options, &schedule) == NCC_OK, "%s", ncc_error_message());
  double worst_first = 0, worst_later = 0;
  int64_t seen[2] = {0};
  for (int64_t n = 0;; n++) {
    CHECK(ncc_schedule_take(schedule, (int)(n % 4), n / 4, &given) == NCC_OK, "%s", ncc_error_message());
    if (given.n_chunks == 0) break;
    const int64_t image = catalog.pairs[ncc_schedule_row(schedule, given.chunks[0].first)][0];
    const double image_s = given.cost.image_s * image_factor[image % 2];
    const double real_s = image_s + given.cost.pairs_s * pair_factor[image % 2];
    if (given.cost.kind < 0) continue; /* the one between the two geometries */
    const double error = fabs(given.cost.seconds / real_s - 1);
    double *worst = seen[image % 2] < 6 ? &worst_first : &worst_later;
    if (error > *worst) *worst = error;
    seen[image % 2]++;
    ncc_schedule_observe(schedule, &given.cost, real_s / options.threads, image_s / options.threads, options.threads);
  }
  printf("%lld and %lld hand-outs; predictions wrong by at most %.0f %% at first, %.1f %% later\n", (long long)seen[0],
         (long long)seen[1], 100 * worst_first, 100 * worst_later);
  CHECK(seen[0] > 10 && seen[1] > 10, "%lld and %lld hand-outs", (long long)seen[0], (long long)seen[1]);
  CHECK(worst_first > 0.5, "the machine is not strange at all");
  CHECK(worst_later < 0.05, "after some hand-outs predictions are still wrong by %.3f", worst_later);
  ncc_assignment_clear(&given);
  ncc_schedule_destroy(&schedule);
  ncc_work_clear(&work);
  clear_catalog(&catalog);
  return 0;
}
