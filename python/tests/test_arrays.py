"""Pixels are borrowed where they can be, and never written."""

import numpy as np
import pytest

from mpixcorr import match, write_input
from mpixcorr._arrays import as_pixels, describe
from mpixcorr._library import PIXEL_TYPES


def _views(array):
    big = np.zeros((2 * array.shape[0], array.shape[1] + 9), array.dtype)
    big[::2, 3 : 3 + array.shape[1]] = array
    flipped = array[::-1].copy()
    return {"strided": big[::2, 3 : 3 + array.shape[1]], "flipped": flipped[::-1]}


@pytest.mark.filterwarnings("ignore:image .* has mean:RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kind", ["strided", "flipped"])
def test_views_are_not_copied_and_give_the_same(case, dtype, kind):
    images = [(30 * image + 120).astype(dtype) for image in case.images]
    templates = [(30 * template + 120).astype(dtype) for template in case.templates]
    image_views, template_views = [_views(a)[kind] for a in images], [_views(a)[kind] for a in templates]
    for view in (*image_views, *template_views):
        view.flags.writeable = False
        pixels = as_pixels(view, "view")
        assert np.shares_memory(pixels, view)
        assert describe(pixels)[3] == view.strides[0] // view.itemsize
    plain, viewed = match(images, templates, case.pairs), match(image_views, template_views, case.pairs)
    assert plain.peaks.tobytes() == viewed.peaks.tobytes() and plain.coords.tobytes() == viewed.coords.tobytes()


def test_other_layouts_are_copied(case):
    image, template = case.images[0], case.templates[0]
    plain = match(image, template)
    unaligned = np.frombuffer(b"x" + image.tobytes(), np.uint8)[1:].view(image.dtype).reshape(image.shape)
    for other in (
        np.asfortranarray(image),
        np.repeat(image, 2, axis=1)[:, ::2],
        image[:, ::-1].copy()[:, ::-1],
        unaligned,
    ):
        assert match(other, template).peaks.tobytes() == plain.peaks.tobytes()
    row = np.random.default_rng(1).normal(size=30)
    assert match(np.broadcast_to(row, (10, 30)), row[None, 4:20]).coords.tolist() == [[0, 19]]


def test_inputs_stay_as_they_are(case):
    images = [image + 3 for image in case.images]
    before = [image.copy() for image in images]
    templates = [template.copy() for template in case.templates]
    match(images, templates, case.pairs, normalize=True)
    assert all(np.array_equal(a, b) for a, b in zip(images, before))
    assert all(np.array_equal(a, b) for a, b in zip(templates, case.templates))


@pytest.mark.filterwarnings("ignore:image .* has mean:RuntimeWarning")
def test_bool_is_0_and_1(case):
    image, template = case.images[0] > 0, case.templates[0] > 0
    assert match(image, template).peaks.tolist() == match(image * 1.0, template * 1.0).peaks.tolist()


def test_slices_of_an_image_are_templates(case):
    image = case.images[0]
    result = match([image], [image[7:28, 11:35]], [[0, 0]])
    assert result.offsets.tolist() == [[7, 11]] and result.peaks[0] > 1 - 1e-12


def _values(case, kind):
    """Integers in the range of the kind, as float64."""
    low, high = (0, 200) if kind.startswith("u") else (-100, 100)
    image = np.rint(np.clip(60 * case.images[0], low, high))
    return image, image[5:26, 7:31]


@pytest.mark.filterwarnings("ignore:image .* has mean:RuntimeWarning")
@pytest.mark.parametrize(
    "layout",
    [
        lambda a: a.astype(np.int64),
        lambda a: a.astype(np.uint64),
        lambda a: a.astype(">i8"),
        lambda a: a.astype(">u2"),
        lambda a: a.astype(">f8"),
        lambda a: a.astype("f4").T.copy().T,
        lambda a: np.repeat(a.astype("i2"), 2, axis=1)[:, ::2],
        lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
        lambda a: a.tolist(),
        lambda a: np.ma.masked_array(a),
        lambda a: np.ma.masked_array(a, np.zeros(a.shape, bool)),
    ],
    ids="int64 uint64 >i8 >u2 >f8 columns strided reversed lists no-mask empty-mask".split(),
)
def test_the_same_pixels_in_any_layout(case, layout):
    image, template = _values(case, "u")
    plain, other = match([image], [template]), match([layout(image)], [layout(template)])
    assert plain.coords.tolist() == other.coords.tolist() == [[25, 30]]
    assert abs(plain.peaks[0] - other.peaks[0]) < 1e-12


def _masked(a):
    return np.ma.masked_greater(a, np.sort(a, axis=None)[-5])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_masked, ValueError, "image 0 has masked pixels"),
        (lambda a: a.astype(complex), TypeError, "image 0 is complex128"),
        (lambda a: a.astype(object), TypeError, "image 0 is object"),
        (lambda a: a.astype(np.longdouble), TypeError, "at most 64 bits"),
        (lambda a: a.astype("M8[s]"), TypeError, "datetime64"),
        (lambda a: np.dstack([a] * 3), ValueError, r"image 0 has shape \[61, 72, 3\].*grey"),
        (lambda a: np.dstack([a] * 2), ValueError, r"image 0 has shape \[61, 72, 2\]: expected \[rows, cols\]$"),
        (lambda a: np.float64(3), ValueError, r"image 0 has shape \[\]"),
        (lambda a: a[:0], ValueError, r"image 0 has shape \[0, 72\]"),
        (lambda a: np.full(a.shape, 2**53 + 1), ValueError, r"int64 beyond 2\*\*53"),
        (lambda a: np.full(a.shape, 2**63, np.uint64), ValueError, r"uint64 beyond 2\*\*53"),
        (lambda a: "pixels", ValueError, "shape"),
    ],
    ids="masked complex object longdouble dates rgb channels scalar empty int64 uint64 text".split(),
)
def test_refused_pixels(case, tmp_path, change, error, words):
    """In this process and in a file alike."""
    image = change(case.images[0])
    with pytest.raises(error, match=words):
        match([image], [case.templates[0]])
    h5py = pytest.importorskip("h5py")
    with pytest.raises(error, match=words.replace("image 0", r"images\[0\]")):
        write_input(tmp_path / "in.h5", [image], [case.templates[0]], [(0, 0)])
    assert h5py


@pytest.mark.parametrize("channels", [3, 4])
def test_a_picture_in_colour_is_no_stack(case, channels):
    colour = np.dstack([case.images[0]] * channels)
    with pytest.raises(ValueError, match=r"images have shape .*: a picture in colour, not a stack"):
        match(colour, case.templates)
    with pytest.raises(ValueError, match=r"templates have shape .*: a picture in colour"):
        match(case.images, colour)


def test_small_stacks_are_stacks():
    stack = np.random.default_rng(3).normal(size=(5, 4, 4))
    assert (match(stack, stack[:, :3, :3], min_overlap=1.0).offsets == 0).all()


@pytest.mark.parametrize("shape", [(), (5,), (2, 2, 9, 9)])
def test_other_shapes_are_no_stack(case, shape):
    with pytest.raises(ValueError, match="expected a stack"):
        match(np.zeros(shape), case.templates)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (np.ma.masked_array([[0, 0]], [[True, False]]), "pairs has masked entries"),
        (np.array([[0.0, np.nan]]), "fractions"),
        (np.array([[0, 1e30]]), "fractions"),
        (np.array([[True, False]]), "pairs is bool"),
        (5, r"pairs is int64 \[\]"),
        ([["0", "0"]], "pairs is <U1"),
    ],
)
def test_refused_pairs(case, pairs, words):
    with pytest.raises(ValueError, match=words):
        match(case.images, case.templates, pairs)


def test_large_unsigned_numbers_do_not_turn_negative(case):
    with pytest.raises(IndexError, match="image 9223372036854775807"):
        match(case.images, case.templates, np.array([[2**64 - 1, 0]], np.uint64))


@pytest.mark.parametrize("dtype", [bool, ">u2", np.int64, np.float16])
def test_stacks_in_files_are_of_types_that_the_program_takes(case, tmp_path, dtype):
    h5py = pytest.importorskip("h5py")
    stack = np.clip(np.stack(case.images) * 50, 0, 200).astype(dtype)[::-1, :, ::2]
    write_input(tmp_path / "in.h5", stack, stack[:, :9, :9], [(0, 0)])
    with h5py.File(tmp_path / "in.h5") as file:
        assert file["images"].dtype in PIXEL_TYPES and np.array_equal(file["images"][:], stack)


def test_stacks_in_files_are_refused_as_in_this_process(case, tmp_path):
    pytest.importorskip("h5py")
    stack = np.ma.masked_less(np.stack(case.images), -0.5)
    for images, error in ((stack, ValueError), (stack.filled(0).astype(complex), TypeError)):
        for call in (match, lambda *a: write_input(tmp_path / "in.h5", *a)):
            with pytest.raises(error):
                call(images, case.templates, [(0, 0)])
