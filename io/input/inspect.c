/** What an input file holds: every object's shape and type, the boxes, the pairs and the search windows.
 *
 *  No pixel is read. Whatever is not as the file format says is an error here, before any work, in one line that names
 *  file, object, what was found and what was expected.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/array.h"
#include "base/buffer.h"
#include "io/input/h5_input.h"

static ncc_objects *objects_of(ncc_input *input, ncc_object_kind kind) {
  return (ncc_objects *)ncc_input_objects(input, kind);
}

/** Type and sides of one object, the last two extents of a dataset. */
static ncc_status check_pixels(const ncc_input *input, const char *label, const ncc_h5_dataset *set,
                               ncc_object *object) {
  ncc_status status = NCC_OK;
  const char *path = input->catalog.path;
  NCC_CHECK(ncc_h5_pixel_dtype(set->type, &object->stored), NCC_ERR_INPUT,
            "%s: %s: %s found, expected pixels of 8, 16 or 32-bit integers or 16, 32 or 64-bit floats", path, label,
            set->type_text);
  const hsize_t *sides = set->shape + set->rank - 2;
  bool empty = set->rank == 3 && set->shape[0] == 0;
  NCC_CHECK(empty || (sides[0] > 0 && sides[1] > 0), NCC_ERR_INPUT,
            "%s: %s: shape %s found, expected at least one pixel in each direction", path, label, set->shape_text);
  NCC_CHECK(sides[0] <= NCC_H5_MAX_SIDE && sides[1] <= NCC_H5_MAX_SIDE, NCC_ERR_INPUT,
            "%s: %s: shape %s found, expected at most %llu rows and columns", path, label, set->shape_text,
            (unsigned long long)NCC_H5_MAX_SIDE);
  object->rows = (int64_t)sides[0];
  object->cols = (int64_t)sides[1];
  object->box_image = -1;
cleanup:
  return status;
}

void ncc_input_warn(ncc_input *input, const char *format, ...) {
  va_list args;
  char *text = NULL;
  if (input->n_warnings == NCC_INPUT_WARNINGS) return;
  va_start(args, format);
  if (vasprintf(&text, format, args) >= 0) input->warnings[input->n_warnings++] = text;
  va_end(args);
}

/** Where a dataset's pixels lie: in one piece of a file, or else what a source of its own says.
 *  @param[in] elsewhere  it may be in another file than the input. */
static ncc_status find_place(ncc_input *input, const char *label, const ncc_h5_dataset *set, ncc_dtype dtype,
                             bool elsewhere, ncc_place *place) {
  ncc_status status = NCC_OK;
  char name[4096];
  hid_t file = -1;
  *place = (ncc_place){.offset = set->offset, .order = ncc_h5_stored_order(set->type, dtype)};
  if (place->order == NCC_STORED_OTHER || place->offset < 0) {
    const ncc_element element = ncc_input_element(dtype);
    place->offset = -1;
    status = ncc_sources_add(&input->sources, set, 0, label, &element, &place->index);
    if (status == NCC_ERR_INPUT) ncc_error_prefix("%s", input->catalog.path);
    goto cleanup;
  }
  if (!elsewhere) goto cleanup;
  file = H5Iget_file_id(set->id);
  NCC_CHECK_H5(file >= 0 && H5Fget_name(file, name, sizeof name) >= 0, NCC_ERR_INPUT, "%s: %s: file of the dataset",
               input->catalog.path, label);
  if (strcmp(name, input->catalog.path) != 0) NCC_TRY(ncc_raw_files_add(&input->sources.files, name, &place->index));
cleanup:
  ncc_h5_close(&file);
  return status;
}

/** Why a place cannot be read, or NULL. */
static const char *lost(const ncc_input *input, const ncc_place *place) {
  if (place->offset >= 0) return NULL;
  const ncc_source *source = &input->sources.items[place->index];
  return source->kind == NCC_SOURCE_LOST ? source->text : NULL;
}

/** A stack, or one mask [rows, cols] for all. */
static ncc_status inspect_stack(ncc_input *input, ncc_object_kind kind, ncc_h5_dataset *set) {
  ncc_status status = NCC_OK;
  ncc_objects *objects = objects_of(input, kind);
  ncc_input_set *to = &input->sets[kind];
  const char *label = ncc_input_names_of_kinds[kind];
  const bool one = set->rank == 2;
  NCC_TRY(check_pixels(input, label, set, &objects->stack));
  NCC_CHECK(one || !ncc_shape_is_colour((int64_t)set->shape[1], (int64_t)set->shape[2]), NCC_ERR_INPUT,
            "%s: %s: shape %s found, one picture in colours, expected grey [n, rows, cols]", input->catalog.path, label,
            set->shape_text);
  NCC_CHECK(one || set->shape[0] < (hsize_t)1 << 40, NCC_ERR_INPUT,
            "%s: %s: shape %s found, expected fewer than 2^40 planes", input->catalog.path, label, set->shape_text);
  to->places = calloc(1, sizeof *to->places);
  NCC_CHECK(to->places, NCC_ERR_NOMEM, "%s: no memory", input->catalog.path);
  NCC_TRY(find_place(input, label, set, objects->stack.stored, true, to->places));
  NCC_CHECK(!lost(input, to->places), NCC_ERR_INPUT, "%s: %s: a virtual dataset of which no source can be read: %s",
            input->catalog.path, label, lost(input, to->places));
  to->n_places = 1;
  to->stack = !one;
  objects->count = one ? 1 : (int64_t)set->shape[0];
  if (one) input->catalog.one_mask[kind - NCC_IMAGE_MASK] = true;
cleanup:
  return status;
}

/** Keeps the reason why a linked object cannot be opened: pairs with it are bad, the others are not. */
static ncc_status add_lost(ncc_objects *objects, int64_t id, const char *reason) {
  ncc_status status = NCC_OK;
  ncc_lost_object *items = realloc(objects->lost, (size_t)(objects->n_lost + 1) * sizeof *items);
  NCC_CHECK(items, NCC_ERR_NOMEM, "no memory for objects that cannot be opened");
  objects->lost = items;
  items[objects->n_lost] = (ncc_lost_object){id, strdup(reason)};
  NCC_CHECK(items[objects->n_lost].reason, NCC_ERR_NOMEM, "no memory for objects that cannot be opened");
  objects->n_lost++;
cleanup:
  return status;
}

/** Takes boxes (image id, y, x, rows, cols). */
static ncc_status take_boxes(void *context, int64_t first, int64_t n, const int64_t *boxes) {
  ncc_status status = NCC_OK;
  ncc_catalog *catalog = context;
  for (int64_t i = 0; i < n; i++) {
    const int64_t *box = boxes + 5 * i, row = first + i;
    int64_t index = ncc_objects_find(&catalog->images, box[0]);
    const char *lost_image = ncc_objects_lost(&catalog->images, box[0]);
    if (lost_image) {
      NCC_TRY(add_lost(&catalog->templates, row, lost_image));
      continue;
    }
    NCC_CHECK(index >= 0, NCC_ERR_INPUT,
              "%s: /templates row %" PRId64 ": image id %" PRId64 " found, expected one of /images", catalog->path, row,
              box[0]);
    ncc_object image = ncc_objects_get(&catalog->images, index);
    // Compared without adding, so that huge numbers cannot overflow.
    NCC_CHECK(box[1] >= 0 && box[2] >= 0 && box[3] >= 1 && box[4] >= 1 && box[3] <= image.rows &&
                  box[4] <= image.cols && box[1] <= image.rows - box[3] && box[2] <= image.cols - box[4],
              NCC_ERR_INPUT,
              "%s: /templates row %" PRId64 ": box (y %" PRId64 ", x %" PRId64 ", %" PRId64 " rows, %" PRId64
              " cols) found, expected one inside image id %" PRId64 " of %" PRId64 " x %" PRId64,
              catalog->path, row, box[1], box[2], box[3], box[4], box[0], image.rows, image.cols);
    const ncc_object object = {.id = row,
                               .rows = box[3],
                               .cols = box[4],
                               .stored = image.stored,
                               .box_image = index,
                               .box_y = box[1],
                               .box_x = box[2]};
    NCC_TRY(ncc_objects_add(&catalog->templates, &object));
  }
cleanup:
  return status;
}

/** A member of a group while its ids are being sorted. */
typedef struct member {
  int64_t id;
  char *name;
  bool hard; /* the link is to an object of the same file */
} member;

typedef struct members {
  member *items;
  int64_t count, capacity;
  const char *odd; /**< what is wrong with the last name, or NULL */
  char odd_name[NCC_H5_TEXT];
} members;

/** Takes one name. @return 0 to go on, 1 to stop: an odd name or no memory. */
static herr_t take_member(hid_t group, const char *name, const H5L_info_t *info, void *client) {
  members *list = client;
  (void)group;
  int64_t id = 0;
  bool digits = name[0] != '\0', fits = true;
  for (const char *c = name; *c; c++) {
    if (*c < '0' || *c > '9') {
      digits = false;
      break;
    }
    fits = fits && !__builtin_mul_overflow(id, 10, &id) && !__builtin_add_overflow(id, *c - '0', &id);
  }
  list->odd = !digits ? "expected a decimal id" : !fits ? "expected an id below 2^63" : NULL;
  char *copy =
      list->odd || ncc_list_grow(&list->items, list->count + 1, &list->capacity, sizeof *list->items, "members")
          ? NULL
          : strdup(name);
  if (!copy) {
    if (!list->odd) list->odd = "no memory for more";
    snprintf(list->odd_name, sizeof list->odd_name, "%s", name);
    return 1;
  }
  list->items[list->count++] = (member){id, copy, info->type == H5L_TYPE_HARD};
  return 0;
}

static int compare_members(const void *a, const void *b) {
  int64_t x = ((const member *)a)->id, y = ((const member *)b)->id;
  return (x > y) - (x < y);
}

/** h5py's booleans are an enumeration of small integers: those are meant. */
static ncc_status take_booleans(ncc_h5_dataset *set) {
  const hid_t integers = H5Tget_super(set->type);
  if (integers < 0) return ncc_h5_error(NCC_ERR_INPUT, "the type of booleans");
  ncc_h5_close(&set->type);
  set->type = integers;
  return NCC_OK;
}

/** One 2-D dataset of a group. */
static ncc_status inspect_member(ncc_input *input, ncc_object_kind kind, hid_t group, const member *m, bool elsewhere,
                                 ncc_object *object, ncc_place *place) {
  ncc_status status = NCC_OK;
  ncc_h5_dataset set;
  char label[NCC_H5_TEXT];
  snprintf(label, sizeof label, "%s/%s", ncc_input_names_of_kinds[kind], m->name);
  NCC_TRY(ncc_h5_dataset_open(group, m->name, input->catalog.path, label, &set));
  if (kind >= NCC_IMAGE_MASK && H5Tget_class(set.type) == H5T_ENUM) NCC_TRY(take_booleans(&set));
  NCC_CHECK(set.rank == 2, NCC_ERR_INPUT, "%s: %s: shape %s found, expected [rows, cols]", input->catalog.path, label,
            set.shape_text);
  *object = (ncc_object){.id = m->id};
  NCC_TRY(check_pixels(input, label, &set, object));
  NCC_TRY(find_place(input, label, &set, object->stored, elsewhere, place));
cleanup:
  ncc_h5_dataset_close(&set);
  return status;
}

/** Whether a member is a link to what cannot be opened. */
static bool is_dangling(hid_t group, const member *m) {
  hid_t object = m->hard ? 0 : H5Oopen(group, m->name, H5P_DEFAULT);
  if (!m->hard) ncc_h5_close(&object);
  return !m->hard && object < 0;
}

/** All members, in order of id; those that are dangling links are left out, unless all are. */
static ncc_status inspect_members(ncc_input *input, ncc_object_kind kind, hid_t group, bool elsewhere,
                                  const members *list) {
  ncc_status status = NCC_OK;
  ncc_input_set *set = &input->sets[kind];
  ncc_objects *objects = objects_of(input, kind);
  const char *path = input->catalog.path, *label = ncc_input_names_of_kinds[kind], *reason = NULL;
  int64_t n_lost = 0;
  for (int64_t i = 0; i < list->count; i++) {
    const member *m = &list->items[i];
    NCC_CHECK(i == 0 || m->id != m[-1].id, NCC_ERR_INPUT,
              "%s: %s: datasets %s and %s have the same id, expected each id once", path, label, m[-1].name, m->name);
    ncc_object object;
    ncc_place *place = &set->places[objects->count];
    status = inspect_member(input, kind, group, m, elsewhere || !m->hard, &object, place);
    if (status == NCC_ERR_INPUT && is_dangling(group, m)) {
      NCC_TRY(add_lost(objects, m->id, ncc_error_message()));
      continue;
    }
    NCC_TRY(status);
    NCC_TRY(ncc_objects_add(objects, &object));
    if (lost(input, place) && n_lost++ == 0) reason = lost(input, place);
  }
  set->n_places = objects->count;
  if (objects->n_lost > 0) {
    NCC_CHECK(objects->count > 0, NCC_ERR_INPUT, "%s", objects->lost[0].reason);
    ncc_input_warn(input, "%" PRId64 " of %s cannot be opened and are left out; the first: %s", objects->n_lost, label,
                   objects->lost[0].reason);
  }
  NCC_CHECK(n_lost == 0 || n_lost < objects->count, NCC_ERR_INPUT,
            "%s: %s: virtual datasets of which no source can be read: %s", path, label, reason);
cleanup:
  return status;
}

static ncc_status inspect_group(ncc_input *input, ncc_object_kind kind, hid_t group) {
  ncc_status status = NCC_OK;
  ncc_input_set *set = &input->sets[kind];
  ncc_objects *objects = objects_of(input, kind);
  const char *path = input->catalog.path, *label = ncc_input_names_of_kinds[kind];
  members list = {0};
  H5L_info_t link;
  // Reached through a link, even hard links of the group may lie in another file.
  bool elsewhere = H5Lget_info(input->sources.input, label, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD;
  herr_t walked = H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, take_member, &list);
  NCC_CHECK(!list.odd, NCC_ERR_INPUT, "%s: %s/%s: odd name, %s", path, label, list.odd_name, list.odd);
  NCC_CHECK_H5(walked >= 0, NCC_ERR_INPUT, "%s: %s: the group cannot be listed", path, label);
  if (list.count) qsort(list.items, (size_t)list.count, sizeof *list.items, compare_members);
  NCC_TRY(ncc_objects_reserve(objects, list.count));
  set->places = calloc((size_t)(list.count ? list.count : 1), sizeof *set->places);
  NCC_CHECK(set->places, NCC_ERR_NOMEM, "%s: no memory for %" PRId64 " objects of %s", path, list.count, label);
  NCC_TRY(inspect_members(input, kind, group, elsewhere, &list));
cleanup:
  for (int64_t i = 0; i < list.count; i++) free(list.items[i].name);
  free(list.items);
  return status;
}

/** Where relative names start: as the command said, as the file says, or in its folder. malloc'd. */
static char *find_root(const ncc_input *input, hid_t set) {
  if (input->root) return strdup(input->root);
  const char *path = input->catalog.path, *slash = strrchr(path, '/');
  char *own = ncc_h5_get_text(set, "root"), *root = NULL;
  if (own && own[0] == '/') return own;
  const int length = slash == path ? 1 : slash ? (int)(slash - path) : 0;
  if (asprintf(&root, "%.*s%s%s", length, path, length > 0 && own && own[0] ? "/" : "", own ? own : "") < 0)
    root = NULL;
  free(own);
  return root;
}

static ncc_status look_at_sources(ncc_input *input, ncc_object_kind kind) {
  ncc_status status = NCC_OK;
  char *reason = NULL;
  int64_t n_failed;
  const char *label = ncc_input_names_of_kinds[kind];
  status = ncc_named_look(&input->sets[kind].named, label, objects_of(input, kind), &n_failed, &reason);
  if (status == NCC_ERR_INPUT) ncc_error_prefix("%s", input->catalog.path);
  if (status == NCC_OK && n_failed > 0)
    ncc_input_warn(input, "%" PRId64 " sources of %s cannot be read, and what needs them is unreadable; the first: %s",
                   n_failed, label, reason);
  free(reason);
  return status;
}

/** Names of sources, and shapes where the file tells them. */
static ncc_status inspect_sources(ncc_input *input, ncc_object_kind kind, const ncc_h5_dataset *set) {
  ncc_status status = NCC_OK;
  const char *path = input->catalog.path, *label = ncc_input_names_of_kinds[kind];
  const char *shapes_label = kind == NCC_IMAGE ? "/image_shapes" : "/template_shapes";
  const hid_t file = input->sources.input;
  ncc_named *named = &input->sets[kind].named;
  int64_t *shapes = NULL;
  ncc_dtype dtype = NCC_DTYPE_COUNT;
  char *root = find_root(input, set->id), *type = ncc_h5_get_text(set->id, "dtype");
  NCC_CHECK(root, NCC_ERR_NOMEM, "%s: no memory", path);
  NCC_TRY(ncc_input_start_named(input, kind, root));
  NCC_TRY(ncc_named_read(named, set, path, label));
  for (int i = 0; type && i < NCC_DTYPE_COUNT; i++)
    if (strcmp(type, ncc_dtype_name((ncc_dtype)i)) == 0) dtype = (ncc_dtype)i;
  if (type && strlen(type) > 3) ncc_volume_dtype(type, &dtype);
  NCC_CHECK(!type || dtype != NCC_DTYPE_COUNT, NCC_ERR_INPUT,
            "%s: %s: attribute dtype '%.40s' found, expected one as 'u8', 'uint8' or 'float32'", path, label, type);
  const bool known = type && kind < NCC_IMAGE_MASK && H5Lexists(file, shapes_label, H5P_DEFAULT) > 0;
  if (input->tables_alone && !known) { /* so large that boxes lie inside */
    const int64_t most = (int64_t)NCC_H5_MAX_SIDE;
    objects_of(input, kind)->count = named->n;
    objects_of(input, kind)->stack = (ncc_object){.rows = most, .cols = most, .stored = NCC_U8, .box_image = -1};
    goto cleanup;
  }
  if (!known) {
    NCC_TRY(look_at_sources(input, kind));
    goto cleanup;
  }
  NCC_TRY(ncc_h5_read_integers(file, path, shapes_label, named->n, 2, NULL, &shapes));
  NCC_TRY(ncc_named_shapes(named, (const int64_t(*)[2])shapes, dtype, path, shapes_label, objects_of(input, kind)));
  if (!input->tables_alone) status = ncc_named_try(named, label);
  if (status != NCC_OK) ncc_error_prefix("%s", path);
cleanup:
  free(shapes);
  free(type);
  free(root);
  return status;
}

ncc_status ncc_input_inspect_kind(ncc_input *input, ncc_object_kind kind) {
  ncc_status status = NCC_OK;
  const char *path = input->catalog.path, *label = ncc_input_names_of_kinds[kind];
  ncc_h5_dataset set = {.id = -1, .type = -1};
  const bool mask = kind >= NCC_IMAGE_MASK;
  NCC_CHECK(H5Lexists(input->sources.input, label, H5P_DEFAULT) > 0, NCC_ERR_INPUT,
            "%s: %s: not found, expected a dataset [n, rows, cols] or a group of 2-D datasets", path, label);
  hid_t object = H5Oopen(input->sources.input, label, H5P_DEFAULT);
  NCC_CHECK_H5(object >= 0, NCC_ERR_INPUT, "%s: %s: cannot be opened", path, label);
  if (H5Iget_type(object) == H5I_GROUP) {
    status = inspect_group(input, kind, object);
    ncc_h5_close(&object);
    return status;
  }
  ncc_h5_close(&object);
  NCC_TRY(ncc_h5_dataset_open(input->sources.input, label, path, label, &set));
  if (mask && H5Tget_class(set.type) == H5T_ENUM) NCC_TRY(take_booleans(&set));
  if (set.rank == 3 || (mask && set.rank == 2)) {
    NCC_TRY(inspect_stack(input, kind, &set));
  } else if (set.rank == 1 && H5Tget_class(set.type) == H5T_STRING) {
    NCC_TRY(inspect_sources(input, kind, &set));
  } else if (kind == NCC_TEMPLATE && set.rank == 2 && set.shape[1] == 5) {
    int64_t n = (int64_t)ncc_min((int64_t)set.shape[0], (int64_t)1 << 40); /* the walk refuses more */
    NCC_TRY(ncc_objects_reserve(&input->catalog.templates, n));
    NCC_TRY(ncc_h5_walk_integers(input->sources.input, path, label, -1, 5, &n, take_boxes, &input->catalog));
  } else {
    const char *boxes = kind == NCC_TEMPLATE ? ", names [n] or boxes [n, 5]"
                        : mask               ? ", one [rows, cols] or names [n]"
                                             : " or names [n]";
    NCC_CHECK(false, NCC_ERR_INPUT, "%s: %s: shape %s found, expected [n, rows, cols]%s", path, label, set.shape_text,
              boxes);
  }
cleanup:
  ncc_h5_dataset_close(&set);
  return status;
}

static bool exists(const ncc_input *input, const char *name) {
  return H5Lexists(input->sources.input, name, H5P_DEFAULT) > 0;
}

/** /pairs, and where their peaks are sought. */
static ncc_status inspect_pairs(ncc_input *input) {
  ncc_status status = NCC_OK;
  ncc_catalog *catalog = &input->catalog;
  const hid_t file = input->sources.input;
  int64_t *flat = NULL;
  NCC_CHECK(exists(input, "/pairs"), NCC_ERR_INPUT,
            "%s: /pairs: not found, expected integers [n, 2] (image id, template id)", catalog->path);
  NCC_TRY(ncc_h5_read_integers(file, catalog->path, "/pairs", -1, 2, &catalog->n_pairs, &flat));
  catalog->pairs = (int64_t(*)[2])flat;
  NCC_CHECK(!exists(input, "/search") || !exists(input, "/near"), NCC_ERR_INPUT,
            "%s: /search and /near found, expected at most one of them", catalog->path);
  if (exists(input, "/search")) {
    NCC_TRY(ncc_h5_read_integers(file, catalog->path, "/search", catalog->n_pairs, 4, NULL, &flat));
    _Static_assert(sizeof(ncc_rect) == 4 * sizeof(int64_t), "a window is four numbers");
    catalog->windows = (ncc_rect *)flat;
  }
  if (exists(input, "/near")) {
    NCC_TRY(ncc_h5_read_integers(file, catalog->path, "/near", catalog->n_pairs, 4, NULL, &flat));
    catalog->near = (int64_t(*)[4])flat;
  }
cleanup:
  return status;
}

/** Names are for people, and needed only when results are looked at; that they do not fit is told now. */
static ncc_status check_names(ncc_input *input, ncc_object_kind kind) {
  ncc_status status = NCC_OK;
  const char *path = input->catalog.path, *label = kind == NCC_IMAGE ? "/image_names" : "/template_names";
  const ncc_objects *objects = ncc_input_objects(input, kind);
  ncc_h5_dataset set = {.id = -1, .type = -1};
  if (!exists(input, label)) return NCC_OK;
  NCC_TRY(ncc_h5_dataset_open(input->sources.input, label, path, label, &set));
  NCC_CHECK(H5Tget_class(set.type) == H5T_STRING, NCC_ERR_INPUT, "%s: %s: %s found, expected strings", path, label,
            set.type_text);
  NCC_CHECK(set.rank == 1 && set.shape[0] == (hsize_t)(objects->count + objects->n_lost), NCC_ERR_INPUT,
            "%s: %s: shape %s found, expected [%" PRId64 "] of strings", path, label, set.shape_text,
            objects->count + objects->n_lost);
cleanup:
  ncc_h5_dataset_close(&set);
  return status;
}

/** Names in the root group that this program does not know. */
typedef struct strangers {
  int n;
  char names[200];
} strangers;

static herr_t meet_root(hid_t root, const char *name, const H5L_info_t *info, void *client) {
  static const char *const known[] = {"images",       "templates",   "pairs",           "search",         "near",
                                      "image_shapes", "image_names", "template_shapes", "template_names", "expected",
                                      "image_groups", "image_masks", "template_masks"};
  strangers *found = client;
  (void)root;
  (void)info;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp(name, known[i]) == 0) return 0;
  const size_t used = strlen(found->names);
  if (found->n++ < 8) snprintf(found->names + used, sizeof found->names - used, "%s/%.60s", used ? ", " : "", name);
  return 0;
}

ncc_status ncc_input_inspect(ncc_input *input) {
  ncc_status status = NCC_OK;
  const char *reason;
  strangers found = {0};
  NCC_TRY(ncc_input_inspect_kind(input, NCC_IMAGE));
  NCC_TRY(ncc_input_inspect_kind(input, NCC_TEMPLATE));
  NCC_TRY(ncc_input_inspect_masks(input));
  NCC_TRY(inspect_pairs(input));
  NCC_TRY(check_names(input, NCC_IMAGE));
  NCC_TRY(check_names(input, NCC_TEMPLATE));
  const int64_t n_lost = ncc_sources_lost(&input->sources, &reason);
  if (n_lost > 0)
    ncc_input_warn(input,
                   "%" PRId64
                   " sources of virtual datasets cannot be read, and what needs them is unreadable; the "
                   "first: %s",
                   n_lost, reason);
  H5Literate(input->sources.input, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, meet_root, &found);
  if (found.n > 0)
    ncc_input_warn(input, "%s: %s%s: not known to this version, and passed over", input->catalog.path, found.names,
                   found.n > 8 ? ", ..." : "");
cleanup:
  return status;
}
