"""Masked pixels: of masks, of one for all, of masked arrays; against direct sums."""

import os
import shlex

import numpy as np
import pytest

from mpixcorr import Status, match, write_input

FIELDS = ("coords", "peaks", "status", "offsets", "overlap", "at_border", "angles", "top_coords", "top_peaks", "subpixel",
          "curvature", "second_coords", "second_peaks")
RNG = np.random.default_rng(16)
SCENE = RNG.integers(0, 200, (90, 110)).astype(np.uint8)


def direct(image, template, valid, t_valid, y, x):
    """NCC of the template's top-left pixel at (y, x), over what is valid in both."""
    rows, cols = template.shape
    both = valid[y : y + rows, x : x + cols] & t_valid
    w, t = image[y : y + rows, x : x + cols][both].astype(float), template[both].astype(float)
    w, t = w - w.mean(), t - t.mean()
    return (w * t).sum() / np.sqrt((w**2).sum() * (t**2).sum())


def spoilt(value=255):
    """A tile with a black frame and a corner painted over, and what is valid of it."""
    image, valid = SCENE.copy(), np.ones(SCENE.shape, bool)
    valid[:6] = valid[-6:] = valid[:, :6] = valid[:, -6:] = False
    valid[:30, :40] = False
    image[~valid] = value
    return image, valid


def test_the_true_place_beside_painted_pixels():
    image, valid = spoilt()
    template = SCENE[20:50, 25:65]
    result = match([image], [template], image_masks=[valid], quality=True, peaks=3)
    assert result.status.tolist() == [Status.OK] and result.offsets.tolist() == [[20, 25]]
    assert result.peaks[0] == pytest.approx(1, abs=1e-12)
    met = valid[20:50, 25:65].sum()
    assert result.overlap[0] == np.float32(met / template.size)
    assert result.second_peaks[0] < 0.9 and result.top_peaks[0, 1] == result.second_peaks[0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("noise", [0, 20])
def test_both_masked_equals_direct_sums(threads, noise):
    image, valid = spoilt()
    image = image.astype(np.float32)
    image[~valid] = np.nan
    template = SCENE[40:70, 50:90] + RNG.normal(0, noise, (30, 40))
    t_valid = RNG.random(template.shape) < 0.7
    template[~t_valid] = 1e30
    result = match([image], [template], image_masks=valid, template_masks=[t_valid], threads=threads)
    y, x = result.offsets[0]
    assert (y, x) == (40, 50)
    assert abs(result.peaks[0] - direct(image, template, valid, t_valid, y, x)) < 1e-13


def test_fixed_pattern_of_both_images():
    image, template = SCENE.astype(np.float32), SCENE[30:60, 40:80].astype(np.float32)
    columns = [3, 11, 17, 28]
    image[:, columns], template[:, columns] = 4000, 4000
    valid, t_valid = np.ones(image.shape, bool), np.ones(template.shape, bool)
    valid[:, columns] = t_valid[:, columns] = False
    assert match([image], [template], outside="ignore").offsets.tolist() != [[30, 40]]
    result = match([image], [template], image_masks=valid, template_masks=t_valid)
    assert result.offsets.tolist() == [[30, 40]] and result.peaks[0] == pytest.approx(1, abs=1e-12)


def test_masked_arrays_are_masks():
    image, valid = spoilt()
    template = SCENE[40:70, 50:90]
    by_mask = match([image], [template], image_masks=valid)
    by_array = match([np.ma.masked_array(image, ~valid)], [template], outside="ignore")
    assert by_array.coords.tolist() == by_mask.coords.tolist()
    assert by_array.peaks.tobytes() == by_mask.peaks.tobytes()
    with pytest.raises(ValueError, match="outside='ignore'"):
        match([np.ma.masked_array(image, ~valid)], [template])


def test_hardly_anything_valid():
    template = SCENE[:20, :20]
    nothing, one, row = (np.zeros(SCENE.shape, bool) for _ in range(3))
    one[50, 50] = row[50] = True
    result = match([SCENE] * 3, [template] * 3, image_masks=[nothing, one, row], min_overlap=0)
    assert result.status.tolist() == [Status.MASKED, Status.FLAT, Status.OK]
    assert result.coords[0].tolist() == [-1, -1] and np.isnan(result.peaks[0]) and np.isnan(result.overlap[0])
    assert result.peaks[1] == 0 and (result.coords[1] == [50, 50]).all()
    enough = match([SCENE], [template], image_masks=row, min_overlap=20 / 400)
    assert enough.status.tolist() == [Status.OK] and enough.overlap[0] == np.float32(20 / 400)
    assert match([SCENE], [template], image_masks=row, min_overlap=20.5 / 400).status.tolist() == [Status.MASKED]


def test_checkerboard_half_and_windows():
    board = np.indices(SCENE.shape).sum(0) % 2 == 0
    template = SCENE[31:61, 42:82]
    assert match([SCENE], [template], image_masks=board).offsets.tolist() == [[31, 42]]
    half = np.ones(SCENE.shape, bool)
    half[:45] = False
    found = match([SCENE], [template], image_masks=half, near=[[30, 40, 5, 5]])
    assert found.offsets.tolist() == [[31, 42]] and found.peaks[0] == pytest.approx(1, abs=1e-12)
    for options in ({"filter": "gauss:1"}, {"normalize": True}, {"crop": (5, 5)}, {"eps": 1.0}):
        assert match([SCENE], [template], image_masks=board, **options).offsets.tolist() == [[31, 42]], options


def test_nan_among_valid_pixels_and_flat_ones():
    image = SCENE.astype(np.float64)
    mask = np.ones(image.shape, bool)
    mask[0, 0] = False
    image[0, 0] = np.nan
    flat, blank = np.full(image.shape, 7.0), np.zeros((20, 20))
    flat[0, 0] = 9
    template = SCENE[40:60, 40:60]
    result = match([image, flat, image], [template, template, blank], image_masks=mask)
    assert result.status.tolist() == [Status.OK, Status.FLAT, Status.FLAT]
    image[5, 5] = np.nan
    assert match([image], [template], image_masks=mask).status.tolist() == [Status.NONFINITE]


def test_refused():
    template = SCENE[:20, :20]
    with pytest.raises(ValueError, match="expected 'ignore'"):
        match([SCENE], [template], image_masks=SCENE, outside="zero")
    with pytest.raises(ValueError, match="image mask 0 has shape"):
        match([SCENE], [template], image_masks=[SCENE[1:]])


@pytest.mark.skipif("MPIXCORR" not in os.environ, reason="MPIXCORR names no program")
def test_a_job_has_the_same_masks(tmp_path):
    h5py = pytest.importorskip("h5py")
    image, valid = spoilt()
    other = np.ma.masked_array(image, ~valid)
    images, templates, pairs = [image, other, None], [SCENE[40:70, 50:90], SCENE[2:22, 5:35]], [[0, 0], [1, 1], [2, 0], [0, 1]]
    some = RNG.random(templates[1].shape) < 0.8
    kinds = {
        "by id": {"image_masks": {0: valid}, "template_masks": [None, some]},
        "one for all": {"image_masks": valid},
        "masked arrays": {"outside": "ignore", "peaks": 2},
        "turned": {"image_masks": [valid, None, None], "rotate": (-2, 2, 2), "quality": True},
    }
    launcher = shlex.quote(os.environ.get("MPIEXEC", "mpirun")) + " -n 2"
    for kind, options in kinds.items():
        here = match(images, templates, pairs, **options)
        job = match(images, templates, pairs, launcher=launcher, workdir=tmp_path, **options)
        for name in FIELDS:
            mine, theirs = getattr(here, name), getattr(job, name)
            assert (mine is None and theirs is None) or mine.tobytes() == theirs.tobytes(), (kind, name)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="outside='ignore'"):
        match(images, templates, pairs, launcher=launcher, workdir=tmp_path)
    write_input(tmp_path / "in.h5", np.ma.stack([other, other]), templates, [[1, 0]], template_masks={1: some})
    with h5py.File(tmp_path / "in.h5") as file:
        assert list(file["image_masks"]) == ["1"] and "template_masks" not in file and file["images"].shape == (2, 90, 110)
        assert (file["image_masks/1"][:] == valid).all()
