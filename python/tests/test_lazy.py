"""Arrays that are read as they are asked for: anything with shape, dtype and slicing."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import mpixcorr
from mpixcorr import match


class Lazy:
    """Shape, dtype and slicing, and nothing more: no length, no __array__."""

    def __init__(self, pixels):
        self._pixels, self.shape, self.dtype, self.reads = pixels, pixels.shape, pixels.dtype, 0

    def __getitem__(self, key):
        self.reads += 1
        found = self._pixels[key]
        return found if isinstance(key, tuple) or found.ndim < 2 else Lazy(found)


@pytest.fixture(name="stack")
def _stack():
    return np.random.default_rng(6).integers(0, 255, (3, 60, 70)).astype("u2")


def _answers(images, templates):
    return match(images, templates, [(i, t) for i in range(3) for t in range(2)], min_overlap=1)


def _same(a, b):
    return a.coords.tobytes() == b.coords.tobytes() and a.peaks.tobytes() == b.peaks.tobytes()


def test_a_stack_a_list_and_a_dict(stack):
    cuts = [stack[0, 5:30, 8:40], stack[2, 20:41, 11:30]]
    expected = _answers(stack, cuts)
    assert _same(expected, _answers(Lazy(stack), [Lazy(cut) for cut in cuts]))
    assert _same(expected, _answers([Lazy(image) for image in stack], cuts))
    assert _same(expected, _answers({i: Lazy(image) for i, image in enumerate(stack)}, dict(enumerate(cuts))))


def test_one_picture_is_a_stack_of_one(stack):
    expected = match(stack[1], stack[1, 5:30, 8:40], min_overlap=1)
    assert _same(expected, match(Lazy(stack[1]), Lazy(stack[1, 5:30, 8:40]), min_overlap=1))
    assert expected.offsets.tolist() == [[5, 8]]


def test_an_image_is_read_once(stack):
    image = Lazy(stack[0])
    match([image], [stack[0, :20, :20], stack[0, 30:50, 30:50]], [(0, 0), (0, 1)], min_overlap=1)
    assert image.reads == 1


def test_hdf5_and_zarr(stack, tmp_path):
    cuts = stack[:2, 5:30, 8:40]
    expected = _answers(stack, cuts)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", data=stack, chunks=(1, 16, 16), compression="gzip")
        assert _same(expected, _answers(file["a"], cuts))
    zarr = pytest.importorskip("zarr")
    array = zarr.open(str(tmp_path / "a.zarr"), mode="w", shape=stack.shape, chunks=(1, 16, 16), dtype=stack.dtype)
    array[:] = stack
    assert _same(expected, _answers(array, cuts))


def test_files_take_them(stack, tmp_path):
    for images, templates in ((Lazy(stack), Lazy(stack[:2, 5:30, 8:40])), (list(map(Lazy, stack)), stack[:2, 5:30, 8:40])):
        mpixcorr.write_input(tmp_path / "in.h5", images, templates, [(0, 0), (2, 1)])
        with h5py.File(tmp_path / "in.h5") as file:
            written = file["images"]
            assert all((written[i if isinstance(written, h5py.Dataset) else str(i)][()] == stack[i]).all() for i in (0, 2))


def test_what_is_no_picture_is_refused(stack):
    with pytest.raises(ValueError, match="shape"):
        match([Lazy(stack)], [stack[0, :5, :5]], [(0, 0)])
    with pytest.raises(TypeError, match="complex"):
        match([Lazy(stack[0].astype("c8"))], [stack[0, :5, :5]], [(0, 0)])
