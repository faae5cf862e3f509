"""match(rotate=): against templates turned in NumPy, at every angle, to the last bit."""

import decimal
import math
import os
import shlex

import numpy as np
import pytest

from mpixcorr import Status, match

pytestmark = pytest.mark.filterwarnings("ignore:image .* overhang", "ignore:.*peaks? lies? at the border")

FIELDS = ("coords", "peaks", "offsets", "overlap", "at_border", "subpixel", "curvature", "second_coords",
          "second_peaks", "top_coords", "top_peaks")


def sine(degrees):
    """Correctly rounded, from 60 digits."""
    with decimal.localcontext() as context:
        context.prec = 60
        pi = decimal.Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
        x = decimal.Decimal(str(degrees)) % 360 * pi / 180
        term, total, n = x, x, 1
        while abs(term) > decimal.Decimal(10) ** -50:
            term *= -x * x / ((n + 1) * (n + 2))
            total, n = total + term, n + 2
        return 0.0 if abs(total) < decimal.Decimal(10) ** -40 else float(total)


def turned(template, degrees, around=0.0):
    """The template turned about its centre; beyond its rim `around`, or its mean."""
    t, (rows, cols) = template.astype(np.float64), template.shape
    cosine, s = sine(degrees + 90), sine(degrees)
    cy, cx = (rows - 1) / 2, (cols - 1) / 2
    dy, dx = np.arange(rows)[:, None] - cy, np.arange(cols)[None, :] - cx
    y, x = cy + dy * cosine + dx * s, cx + dx * cosine - dy * s
    row, col = np.floor(y).astype(int), np.floor(x).astype(int)
    fy, fx = y - row, x - col
    there = (row >= 0) & (col >= 0) & (row + (fy > 0) < rows) & (col + (fx > 0) < cols)
    row, col = np.where(there, row, 0), np.where(there, col, 0)
    below, right = np.minimum(row + 1, rows - 1), np.minimum(col + 1, cols - 1)
    upper = t[row, col] + fx * (t[row, right] - t[row, col])
    lower = t[below, col] + fx * (t[below, right] - t[below, col])
    mean = float(math.fsum(t.ravel()) / t.size)
    return np.where(there, upper + fy * (lower - upper), mean).astype(np.float32)


def scene(shape, seed, dtype=np.uint8):
    a = np.random.default_rng(seed).normal(size=shape)
    for _ in range(3):
        a = a + np.roll(a, 1, 0) + np.roll(a, 1, 1) + np.roll(a, -2, 0) + np.roll(a, (3, 2), (0, 1))
    a = (a - a.min()) / (a.max() - a.min())
    return (a * (250 if dtype != np.uint16 else 60000)).astype(dtype)


def best_of(image, template, angles, **options):
    """The winner among angles by the rule, and its answer."""
    answers = {a: match([image], [turned(template, a)], **options) for a in angles}
    greatest = max(r.peaks[0] for r in answers.values())
    ties = [a for a, r in answers.items() if r.peaks[0] >= greatest - 1e-12]
    angle = min(ties, key=lambda a: (abs(a), a))
    return angle, answers[angle]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("dtype", "shape", "options"),
    [
        (np.uint8, (41, 50), {"quality": True, "peaks": 3}),
        (np.float32, (48, 36), {"outside": "ignore", "quality": True}),
        (np.uint16, (33, 33), {"normalize": True, "crop": "half"}),
        (np.int16, (1, 30), {"near": [[45, 45, 9, 9]]}),
        (np.float64, (60, 21), {"min_overlap": 1.0, "eps": 0.5}),
    ],
)
def test_the_best_of_templates_turned_by_numpy(dtype, shape, options, threads):
    image = scene((130, 120), 5, dtype)
    template = turned(image, 2.25)[40 : 40 + shape[0], 45 : 45 + shape[1]].astype(dtype)
    angles = [-3, -1.5, 0, 1.5, 3]
    found = match([image], [template], rotate=(-3, 3, 1.5), threads=threads, **options)
    angle, expected = best_of(image, template, angles, threads=1, **options)
    assert found.status.tolist() == expected.status.tolist() == [Status.OK]
    assert found.angles.tolist() == [angle]
    for field in FIELDS:
        mine, theirs = getattr(found, field), getattr(expected, field)
        assert (mine is None) == (theirs is None), field
        assert mine is None or mine.tobytes() == theirs.tobytes(), field


def test_many_pairs_by_threads_and_one_by_one():
    images, made = [scene((110, 100), i) for i in range(3)], (2, -3, 0, 5, -5, 1)
    templates = [turned(images[i % 3], a)[25:85, 20:80].astype(np.uint8) for i, a in enumerate(made)]
    pairs = [(i % 3, i) for i in range(6)]
    options = {"rotate": (-6, 6, 1), "peaks": 2, "outside": "ignore"}
    many = match(images, templates, pairs, threads=2, **options)
    assert (abs(many.angles + made) <= 1).all() and (many.peaks > 0.9).all()
    for i, (image, template) in enumerate(pairs):
        one = match([images[image]], [templates[template]], threads=1, **options)
        assert one.peaks[0] == many.peaks[i] and one.top_coords[0].tolist() == many.top_coords[i].tolist()


def test_right_angles_are_exact_and_ties_go_to_the_smallest():
    image = scene((100, 90), 9)
    square = image[30:61, 20:51]
    result = match([image] * 4, [np.rot90(square, k) for k in (0, 1, 2, 3)], rotate=(-90, 180, 90))
    assert result.angles.tolist() == [0, -90, 180, 90] and (abs(result.peaks - 1) < 1e-12).all()
    assert (result.offsets == [30, 20]).all()
    symmetric = square.astype(int) + np.rot90(square, 2)
    both = match([symmetric] * 3, [symmetric] * 3, rotate=(-180, 180, 180))
    assert both.angles.tolist() == [0] * 3
    assert match([symmetric], [symmetric], rotate=(-180, 180, 360)).angles.tolist() == [-180]
    assert match([image], [square], rotate=(0, 0, 1)).angles.tolist() == [0]


def test_what_has_no_peak():
    image = scene((60, 60), 1).astype(np.float64)
    template, bad = image[10:30, 10:30], image.copy()
    bad[59, 59] = np.nan
    spoilt = template.copy()
    spoilt[0, 0] = np.inf
    flat = np.full((20, 20), 0.1)
    result = match([image, bad, image, image, image], [flat, template, spoilt, None, template * 1e300],
                   rotate=(-2, 2, 1), peaks=2)
    assert result.status.tolist() == [Status.FLAT] + [Status.NONFINITE] * 2 + [Status.UNREADABLE, Status.NONFINITE]
    assert result.angles[0] == 0 and np.isnan(result.angles[1:]).all() and result.peaks[0] == 0
    assert result.top_coords[0].tolist() == [[0, 0], [0, 11]]


def test_a_job_turns_alike(tmp_path):
    if "MPIXCORR" not in os.environ:
        pytest.skip("MPIXCORR names no program")
    image = scene((110, 100), 4)
    templates = [turned(image, a)[20:70, 25:70].astype(np.uint8) for a in (-0.5, 1.25)]
    options = {"rotate": (-1.5, 1.5, 0.25), "outside": "ignore", "peaks": 2}
    here = match([image], templates, [(0, 0), (0, 1)], **options)
    launcher = shlex.quote(os.environ.get("MPIEXEC", "mpirun")) + " -n 2"
    job = match([image], templates, [(0, 0), (0, 1)], launcher=launcher, workdir=tmp_path, **options)
    assert here.peaks.tobytes() == job.peaks.tobytes() and here.angles.tobytes() == job.angles.tobytes()


def test_scipy_turns_alike():
    ndimage = pytest.importorskip("scipy.ndimage")
    template = scene((51, 64), 3).astype(np.float64)
    by_scipy = ndimage.rotate(template, 7.3, reshape=False, order=1)
    assert abs(turned(template, 7.3) - by_scipy)[12:-12, 12:-12].max() < 1e-4


@pytest.mark.parametrize("rotate", [(-5, 5), (5, -5, 1), (0, 5, 0), (0, 5, 2), (0, 1e-7, 1e-7), (0, 400, 1),
                                    (-360, 360, 1e-6), (0, float("nan"), 1)])
def test_refused(rotate):
    with pytest.raises(ValueError, match="expected"):
        match([scene((40, 40), 1)], [scene((20, 20), 1)], rotate=rotate)


def turned_mask(mask, degrees):
    """Which pixels of a turned template have all the neighbours that count, and these valid."""
    spoilt = np.where(mask, 0.0, np.nan)
    with np.errstate(invalid="ignore"):
        sums = turned_of_nan(spoilt, degrees)
    return np.isfinite(sums)


def turned_of_nan(t, degrees):
    """As turned(), with NaN beyond the rim; neighbours of weight 0 are not read."""
    (rows, cols), cosine, s = t.shape, sine(degrees + 90), sine(degrees)
    cy, cx = (rows - 1) / 2, (cols - 1) / 2
    dy, dx = np.arange(rows)[:, None] - cy, np.arange(cols)[None, :] - cx
    y, x = cy + dy * cosine + dx * s, cx + dx * cosine - dy * s
    row, col = np.floor(y).astype(int), np.floor(x).astype(int)
    fy, fx = y - row, x - col
    wide = np.pad(t, 60, constant_values=np.nan)
    at = lambda a, b: np.where((a == 0) | (fy > 0), np.where((b == 0) | (fx > 0), wide[row + a + 60, col + b + 60], 0), 0)
    return at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("by_arrays", [False, True])
def test_with_masks(threads, by_arrays):
    """What is turned in from beyond a template, or beside masked pixels, is masked, once any pixel is."""
    image = scene((120, 110), 6)
    templates = [turned(image, a)[30:71, 35:85].astype(np.uint8) for a in (1.5, -3)]
    valid, own = np.ones(image.shape, bool), np.ones(templates[0].shape, bool)
    valid[:50, 20:60] = own[5:20, 40:] = False
    angles, pairs = [-3, -1.5, 0, 1.5, 3], [(0, 0), (0, 1), (1, 1)]
    options = {"quality": True, "peaks": 2, "outside": "ignore"}
    if by_arrays:
        given, masks = [np.ma.masked_array(image, ~valid), image], {}
        sought = [np.ma.masked_array(templates[0], ~own), templates[1]]
    else:
        given, sought, masks = [image, image], templates, {"image_masks": {0: valid}, "template_masks": [own, None]}
    found = match(given, sought, pairs, rotate=(-3, 3, 1.5), threads=threads, **masks, **options)
    for row, (i, t) in enumerate(pairs):
        mask = own if t == 0 else np.ones_like(own)
        answers = {a: match([image], [turned(templates[t], a)], image_masks=valid if i == 0 else None, threads=1,
                            template_masks=[turned_mask(mask, a)], **options) for a in angles}
        greatest = max(r.peaks[0] for r in answers.values())
        angle = min((a for a, r in answers.items() if r.peaks[0] >= greatest - 1e-12), key=lambda a: (abs(a), a))
        assert found.angles[row] == angle and found.status[row] == Status.OK
        for field in FIELDS:
            mine, theirs = getattr(found, field)[row], getattr(answers[angle], field)[0]
            assert mine.tobytes() == theirs.tobytes(), (row, field)
