"""Pixels are borrowed where they can be, and never written."""

import numpy as np
import pytest

from mpixcorr import match
from mpixcorr._arrays import as_pixels, describe


def _views(array):
    big = np.zeros((2 * array.shape[0], array.shape[1] + 9), array.dtype)
    big[::2, 3 : 3 + array.shape[1]] = array
    flipped = array[::-1].copy()
    return {"strided": big[::2, 3 : 3 + array.shape[1]], "flipped": flipped[::-1]}


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
        assert describe(pixels)[4] == view.strides[0] // view.itemsize
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


def test_bool_is_0_and_1(case):
    image, template = case.images[0] > 0, case.templates[0] > 0
    assert match(image, template).peaks.tolist() == match(image * 1.0, template * 1.0).peaks.tolist()


def test_slices_of_an_image_are_templates(case):
    image = case.images[0]
    result = match([image], [image[7:28, 11:35]], [[0, 0]])
    assert result.offsets.tolist() == [[7, 11]] and result.peaks[0] > 1 - 1e-12
