/** Carries out an import plan. See import.h. */
#include "io/import/import.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/target.h"
#include "base/text.h"
#include "io/import/convert.h"
#include "io/import/plan.h"
#include "io/import/raster.h"

enum { BLOCK_BYTES = 16 << 20 }; /* pixels in memory at a time, before and after conversion each */

/** A buffer that grows. */
typedef struct buffer {
  void *data;
  size_t size;
} buffer;

typedef struct import_job {
  const ncc_import_options *options;
  ncc_import_plan plan;
  ncc_input_writer *writer;
  ncc_import_summary *summary;
  ncc_volumes *volumes;
  ncc_raster *stacks[2];
  buffer in, out;
} import_job;

static ncc_status ensure(buffer *b, size_t size) {
  if (b->size >= size) return NCC_OK;
  free(b->data);
  b->data = malloc(size);
  b->size = b->data ? size : 0;
  return b->data ? NCC_OK : ncc_error_set(NCC_ERR_NOMEM, "no memory for a block of %zu bytes of pixels", size);
}

/** Something is left out: told and counted, or an error where the import is strict; the message is that of the last
 *  error. */
static ncc_status leave_out(import_job *job) {
  job->summary->broken++;
  if (job->options->strict) return NCC_ERR_UNREADABLE;
  job->options->warn(job->options->context, ncc_error_message());
  return NCC_OK;
}

/* ---- pixels ---------------------------------------------------------------------------------------------------- */

/** Converts n rows. @return NCC_OK; NCC_ERR_UNREADABLE naming the pixel that cannot be converted. */
static ncc_status convert_rows(import_job *job, const ncc_raster *raster, int64_t n, ncc_dtype dtype) {
  ncc_status status = NCC_OK;
  int64_t bad;
  double value;
  NCC_TRY(ensure(&job->out, (size_t)(n * raster->cols) * ncc_dtype_size(dtype)));
  ncc_convert_pixels(raster->dtype, job->in.data, n * raster->cols, dtype, job->out.data, &bad, &value);
  NCC_CHECK(bad < 0, NCC_ERR_UNREADABLE, "%s: pixel (%" PRId64 ", %" PRId64 ") is %g, which --dtype %s cannot hold",
            raster->path, (raster->next - n + bad / raster->cols) % raster->rows, bad % raster->cols, value,
            ncc_dtype_name(dtype));
cleanup:
  return status;
}

/** Copies the next plane of a raster to the file.
 *  @return NCC_OK; NCC_ERR_UNREADABLE where the raster is at fault, nothing being left in a group then; others. */
static ncc_status copy_plane(import_job *job, ncc_raster *raster, ncc_object_kind kind, int64_t id) {
  ncc_status status = NCC_OK;
  const ncc_dtype dtype = job->options->dtype == NCC_DTYPE_COUNT ? raster->dtype : job->options->dtype;
  const int64_t row_bytes = raster->cols * (int64_t)ncc_dtype_size(raster->dtype);
  bool begun = false;
  NCC_TRY(ncc_input_writer_begin(job->writer, kind, id, raster->rows, raster->cols, dtype));
  begun = true;
  const int64_t chunk = ncc_input_writer_chunk_rows(job->writer), chunks = BLOCK_BYTES / row_bytes / chunk;
  /* Of a large chunk of the source no row is decoded twice. */
  const int64_t block = chunk * ncc_max(ncc_max(chunks, 1), ncc_ceil_div(raster->chunk_rows, chunk));
  for (int64_t row = 0, n; row < raster->rows; row += n) {
    n = raster->rows - row < block ? raster->rows - row : block;
    NCC_TRY(ensure(&job->in, (size_t)(n * row_bytes)));
    NCC_TRY(ncc_raster_read(raster, n, job->in.data));
    const bool same = dtype == raster->dtype;
    if (!same) NCC_TRY(convert_rows(job, raster, n, dtype));
    const ncc_array rows = {.data = same ? job->in.data : job->out.data,
                            .dtype = dtype,
                            .rows = n,
                            .cols = raster->cols,
                            .row_stride = raster->cols};
    NCC_TRY(ncc_input_writer_rows(job->writer, &rows));
  }
  NCC_TRY(ncc_input_writer_end(job->writer, true));
  begun = false;
  job->summary->bytes += raster->rows * raster->cols * (int64_t)ncc_dtype_size(dtype);
  (*(kind == NCC_IMAGE ? &job->summary->images : &job->summary->templates))++;
cleanup:
  if (begun) {
    const ncc_status ended = ncc_input_writer_end(job->writer, false);
    if (status == NCC_ERR_UNREADABLE && ended != NCC_OK) status = ended;
  }
  return status;
}

static ncc_status open_file(import_job *job, const ncc_import_file *file, ncc_raster **out) {
  *out = NULL;
  if (!file->missing) return ncc_raster_open(job->volumes, file->name, false, out);
  char *path = ncc_import_path(job->options->folder, file->name);
  ncc_error_set(NCC_ERR_UNREADABLE, "%s: not found, but %s refers to it", path ? path : file->name, job->plan.source);
  free(path);
  return NCC_ERR_UNREADABLE;
}

/** @return NCC_OK; NCC_ERR_UNREADABLE where the file is at fault; others. */
static ncc_status import_file(import_job *job, ncc_object_kind kind, ncc_import_file *file) {
  ncc_status status = NCC_OK;
  ncc_raster *raster = NULL;
  NCC_TRY(open_file(job, file, &raster));
  NCC_TRY(copy_plane(job, raster, kind, file->id));
  file->rows = raster->rows;
  file->cols = raster->cols;
  file->number = file->id;
cleanup:
  ncc_raster_close(&raster);
  return status;
}

static ncc_status import_files(import_job *job, ncc_object_kind kind) {
  ncc_status status = NCC_OK;
  ncc_import_files *files = &job->plan.files[kind];
  NCC_TRY(ncc_input_writer_group(job->writer, kind, &job->options->storage));
  for (int64_t i = 0; i < files->n; i++) {
    status = import_file(job, kind, &files->items[i]);
    if (status == NCC_ERR_UNREADABLE) status = leave_out(job);
    NCC_TRY(status);
  }
cleanup:
  return status;
}

static ncc_status import_stack(import_job *job, ncc_object_kind kind) {
  ncc_status status = NCC_OK;
  ncc_raster *raster = job->stacks[kind];
  const ncc_dtype dtype = job->options->dtype == NCC_DTYPE_COUNT ? raster->dtype : job->options->dtype;
  NCC_TRY(ncc_input_writer_stack(job->writer, kind, raster->planes, raster->rows, raster->cols, dtype,
                                 &job->options->storage));
  for (int64_t plane = 0; plane < raster->planes; plane++) NCC_TRY(copy_plane(job, raster, kind, plane));
cleanup:
  return status;
}

/* ---- names in place of pixels ------------------------------------------------------------------------------------ */

/** Sources, and what they are like. */
typedef struct links {
  int64_t n;
  char **sources;
  int64_t (*shapes)[2];
  ncc_dtype dtype; /**< of all; NCC_DTYPE_COUNT: they differ */
} links;

static ncc_status add_link(links *l, const ncc_raster *raster, int64_t plane) {
  l->sources[l->n] = ncc_raster_plane(raster, plane);
  if (!l->sources[l->n]) return ncc_error_set(NCC_ERR_NOMEM, "no memory for a source");
  l->shapes[l->n][0] = raster->rows;
  l->shapes[l->n][1] = raster->cols;
  if (l->n++ == 0) l->dtype = raster->dtype;
  if (raster->dtype != l->dtype) l->dtype = NCC_DTYPE_COUNT;
  return NCC_OK;
}

/** Only what a file says of itself is read. Numbers have no gaps: what is left out has none. */
static ncc_status link_objects(import_job *job, ncc_object_kind kind) {
  ncc_status status = NCC_OK;
  const ncc_raster *stack = job->stacks[kind];
  ncc_import_files *files = &job->plan.files[kind];
  const int64_t most = stack ? stack->planes : files->n;
  ncc_raster *raster = NULL;
  links l = {.sources = calloc((size_t)most + 1, sizeof *l.sources),
             .shapes = calloc((size_t)most + 1, sizeof *l.shapes),
             .dtype = NCC_DTYPE_COUNT};
  NCC_CHECK(l.sources && l.shapes, NCC_ERR_NOMEM, "no memory for %" PRId64 " sources", most);
  for (int64_t i = 0; stack && i < most; i++) NCC_TRY(add_link(&l, stack, i));
  for (int64_t i = 0; !stack && i < most; i++) {
    ncc_import_file *file = &files->items[i];
    status = open_file(job, file, &raster);
    if (status == NCC_OK) {
      file->rows = raster->rows;
      file->cols = raster->cols;
      file->number = l.n;
      status = add_link(&l, raster, 0);
    } else if (status == NCC_ERR_UNREADABLE) {
      status = leave_out(job);
    }
    ncc_raster_close(&raster);
    NCC_TRY(status);
  }
  NCC_TRY(ncc_input_writer_sources(job->writer, kind, l.n, (const char *const *)l.sources,
                                   (const int64_t(*)[2])l.shapes, l.dtype, job->options->root));
  *(kind == NCC_IMAGE ? &job->summary->images : &job->summary->templates) = l.n;
cleanup:
  for (int64_t i = 0; l.sources && i < l.n; i++) free(l.sources[i]);
  free(l.sources);
  free(l.shapes);
  return status;
}

/* ---- boxes ----------------------------------------------------------------------------------------------------- */

/** Shape of an image. @return false where it is not there. */
static bool image_shape(const import_job *job, int64_t id, int64_t *rows, int64_t *cols) {
  const ncc_raster *stack = job->stacks[NCC_IMAGE];
  const ncc_import_files *files = &job->plan.files[NCC_IMAGE];
  if (stack) {
    *rows = stack->rows;
    *cols = stack->cols;
    return id >= 0 && id < stack->planes;
  }
  const int64_t index = ncc_import_files_find(files, id);
  *rows = index < 0 ? 0 : files->items[index].rows;
  *cols = index < 0 ? 0 : files->items[index].cols;
  return *rows > 0;
}

/** Whether a box lies on its image; sets the message where not. */
static bool check_box(const import_job *job, int64_t i) {
  const int64_t *box = job->plan.boxes[i];
  int64_t rows, cols;
  if (!image_shape(job, box[0], &rows, &cols)) return false;
  if (box[1] >= 0 && box[2] >= 0 && box[3] > 0 && box[4] > 0 && box[3] <= rows - box[1] && box[4] <= cols - box[2])
    return true;
  const ncc_import_files *files = &job->plan.files[NCC_IMAGE];
  const int64_t index = ncc_import_files_find(files, box[0]);
  char image[256];
  if (index >= 0) {
    snprintf(image, sizeof image, "%s", files->items[index].name);
  } else {
    snprintf(image, sizeof image, "image %" PRId64, box[0]);
  }
  ncc_error_set(NCC_ERR_UNREADABLE,
                "%s: the box at (%" PRId64 ", %" PRId64 ") of %" PRId64 " x %" PRId64
                " pixels does not lie on %s of %" PRId64 " x %" PRId64,
                job->plan.source, box[1], box[2], box[3], box[4], image, rows, cols);
  return false;
}

/** The number in the output of an object that is there. */
static int64_t number_of(const import_job *job, ncc_object_kind kind, int64_t id) {
  const ncc_import_files *files = &job->plan.files[kind];
  if (job->stacks[kind] || (kind == NCC_TEMPLATE && job->plan.has_boxes)) return id;
  return files->items[ncc_import_files_find(files, id)].number;
}

/** Writes the boxes that lie on images that are there; the others get the new id -1. Pairs are numbered anew. */
static ncc_status import_boxes(import_job *job) {
  ncc_status status = NCC_OK;
  ncc_import_plan *plan = &job->plan;
  int64_t(*boxes)[5] = NULL;
  int64_t n = 0, rows, cols, *new_id = malloc((size_t)(plan->n_boxes ? plan->n_boxes : 1) * sizeof *new_id);
  NCC_CHECK(new_id, NCC_ERR_NOMEM, "no memory for %" PRId64 " boxes", plan->n_boxes);
  for (int64_t i = 0; i < plan->n_boxes; i++) {
    new_id[i] = -1;
    if (check_box(job, i)) {
      memmove(plan->boxes[n], plan->boxes[i], sizeof plan->boxes[i]);
      new_id[i] = n++;
    } else if (image_shape(job, plan->boxes[i][0], &rows, &cols)) {
      NCC_TRY(leave_out(job)); /* of a broken image enough was said */
    }
  }
  for (int64_t row = 0; row < plan->n; row++) {
    int64_t *id = &plan->pairs[row][NCC_TEMPLATE];
    if (*id >= 0 && *id < plan->n_boxes) *id = new_id[*id];
  }
  plan->n_boxes = n;
  boxes = malloc((size_t)(n ? n : 1) * sizeof *boxes);
  NCC_CHECK(boxes, NCC_ERR_NOMEM, "no memory for %" PRId64 " boxes", n);
  for (int64_t i = 0; i < n; i++) {
    memcpy(boxes[i], plan->boxes[i], sizeof boxes[i]);
    boxes[i][0] = number_of(job, NCC_IMAGE, boxes[i][0]);
  }
  job->summary->boxes = true;
  job->summary->templates = n;
  NCC_TRY(ncc_input_writer_boxes(job->writer, n, (const int64_t(*)[5])boxes));
cleanup:
  free(boxes);
  free(new_id);
  return status;
}

/* ---- pairs and names ------------------------------------------------------------------------------------------- */

/** Ids of stacks are known before any pixel is read, and a wrong one is the table's fault. */
static ncc_status check_stacks(import_job *job) {
  ncc_status status = NCC_OK;
  const ncc_import_plan *plan = &job->plan;
  static const char *const words[2] = {"image", "template"};
  for (int kind = 0; kind < 2; kind++) {
    if (plan->stacks[kind]) NCC_TRY(ncc_raster_open(job->volumes, plan->stacks[kind], true, &job->stacks[kind]));
  }
  for (int kind = 0; job->stacks[NCC_IMAGE] && kind < 2; kind++) {
    const int64_t n = job->stacks[kind] ? job->stacks[kind]->planes : plan->n_boxes;
    for (int64_t row = 0; row < plan->n; row++) {
      NCC_CHECK(plan->pairs[row][kind] < n, NCC_ERR_INPUT, "%s: %s %" PRId64 " found, expected 0 to %" PRId64,
                ncc_import_plan_where(plan, row), words[kind], plan->pairs[row][kind], n - 1);
    }
  }
  for (int64_t i = 0; job->stacks[NCC_IMAGE] && i < plan->n_boxes; i++) {
    int64_t rows, cols;
    NCC_CHECK(image_shape(job, plan->boxes[i][0], &rows, &cols), NCC_ERR_INPUT,
              "%s: a box of image %" PRId64 " found, expected 0 to %" PRId64, plan->source, plan->boxes[i][0],
              job->stacks[NCC_IMAGE]->planes - 1);
    NCC_CHECK(check_box(job, i), NCC_ERR_INPUT, "%s", ncc_error_message());
  }
cleanup:
  return status;
}

static bool is_there(const import_job *job, ncc_object_kind kind, int64_t id) {
  if (job->stacks[kind] || (kind == NCC_TEMPLATE && job->plan.has_boxes)) return id >= 0;
  const int64_t index = ncc_import_files_find(&job->plan.files[kind], id);
  return index >= 0 && job->plan.files[kind].items[index].rows > 0;
}

/** Pairs of what was left out become rows without a pair. */
static void drop_pairs(import_job *job) {
  ncc_import_plan *plan = &job->plan;
  for (int64_t row = 0; row < plan->n; row++) {
    int64_t *pair = plan->pairs[row];
    bool lost = false;
    for (int kind = 0; kind < 2; kind++) {
      const bool there = is_there(job, kind, pair[kind]);
      pair[kind] = there ? number_of(job, kind, pair[kind]) : -1;
      lost |= !there;
    }
    job->summary->lost_pairs += lost;
    if (lost && plan->coords) plan->coords[row][0] = plan->coords[row][1] = -1;
    if (lost && plan->peaks) plan->peaks[row] = NAN;
  }
}

/** A box in words, "tile.tif[10:20,0:30]"; malloc'd. */
static char *box_name(const import_job *job, const int64_t *box) {
  const ncc_import_files *files = &job->plan.files[NCC_IMAGE];
  char *name = NULL;
  const int length = asprintf(&name, "%s[%" PRId64 ":%" PRId64 ",%" PRId64 ":%" PRId64 "]",
                              files->items[ncc_import_files_find(files, box[0])].name, box[1], box[1] + box[3], box[2],
                              box[2] + box[4]);
  return length < 0 ? NULL : name;
}

static ncc_status write_names(import_job *job, ncc_object_kind kind) {
  ncc_status status = NCC_OK;
  const ncc_import_plan *plan = &job->plan;
  const ncc_import_files *files = &plan->files[kind];
  const bool boxes = kind == NCC_TEMPLATE && plan->has_boxes;
  const int64_t most = boxes ? plan->n_boxes : files->n;
  int64_t n = 0;
  char **names = NULL;
  if (job->stacks[NCC_IMAGE] || (job->options->link && !boxes)) return NCC_OK;
  names = calloc((size_t)(most ? most : 1), sizeof *names);
  NCC_CHECK(names, NCC_ERR_NOMEM, "no memory for %" PRId64 " names", most);
  for (int64_t i = 0; i < most; i++) {
    if (!boxes && files->items[i].rows == 0) continue;
    char *name = boxes ? box_name(job, plan->boxes[i]) : strdup(files->items[i].name);
    names[n] = name ? ncc_text_utf8(name) : NULL;
    free(name);
    NCC_CHECK(names[n++], NCC_ERR_NOMEM, "no memory for %" PRId64 " names", most);
  }
  NCC_TRY(ncc_input_writer_names(job->writer, kind, n, (const char *const *)names));
cleanup:
  for (int64_t i = 0; names && i < n; i++) free(names[i]);
  free(names);
  return status;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static ncc_status import_all(import_job *job) {
  ncc_status status = NCC_OK;
  const ncc_import_options *options = job->options;
  ncc_import_plan *plan = &job->plan;
  if (options->attribute) NCC_TRY(ncc_input_writer_attribute(job->writer, "imported_by", options->attribute));
  for (int kind = 0; kind < 2; kind++) {
    if (kind == NCC_TEMPLATE && plan->has_boxes) {
      NCC_TRY(import_boxes(job));
    } else {
      NCC_TRY((job->options->link ? link_objects : job->stacks[kind] ? import_stack : import_files)(job, kind));
    }
  }
  drop_pairs(job);
  NCC_TRY(ncc_input_writer_pairs(job->writer, plan->n, (const int64_t(*)[2])plan->pairs));
  if (plan->windows) NCC_TRY(ncc_input_writer_search(job->writer, plan->n, plan->windows));
  if (plan->near) NCC_TRY(ncc_input_writer_near(job->writer, plan->n, (const int64_t(*)[4])plan->near));
  if (plan->coords || plan->peaks)
    NCC_TRY(ncc_input_writer_expected(job->writer, plan->n, (const int64_t(*)[2])plan->coords, plan->peaks));
  for (int kind = 0; kind < 2; kind++) NCC_TRY(write_names(job, kind));
  job->summary->pairs = plan->n;
  job->summary->windows = plan->windows;
  job->summary->near = plan->near;
  job->summary->coords = plan->coords;
  job->summary->peaks = plan->peaks;
cleanup:
  return status;
}

ncc_status ncc_import(const ncc_import_options *options, ncc_import_summary *summary) {
  ncc_status status = NCC_OK;
  import_job job = {.options = options, .summary = summary};
  *summary = (ncc_import_summary){0};
  NCC_TRY(ncc_target_declare(options->output, "OUTPUT", NULL));
  NCC_TRY(ncc_import_plan_make(options->folder, options->pairs, &job.plan));
  NCC_TRY(ncc_volumes_create(options->folder, &job.volumes));
  NCC_TRY(check_stacks(&job));
  NCC_TRY(ncc_input_writer_create(options->output, options->overwrite, &job.writer));
  NCC_TRY(import_all(&job));
  NCC_TRY(ncc_input_writer_finish(&job.writer));
cleanup:
  ncc_input_writer_destroy(&job.writer);
  ncc_target_forget("OUTPUT");
  for (int kind = 0; kind < 2; kind++) ncc_raster_close(&job.stacks[kind]);
  ncc_volumes_destroy(&job.volumes);
  ncc_import_plan_clear(&job.plan);
  free(job.in.data);
  free(job.out.data);
  return status;
}
