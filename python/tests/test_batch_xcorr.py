"""BatchXCorr answers as rcc-xcorr does, in float64: the same coordinates, peaks within 1e-9."""

import inspect

import lewis
import numpy as np
import pytest

from mpixcorr.xcorr import BatchXCorr


def _agree(images, templates, correlations, expected=None, **options):
    batch = BatchXCorr.BatchXCorr(images, templates, correlations, disable_pbar=True, **options)
    coords, peaks = batch.execute_batch()
    if expected is None:
        expected = lewis.batch(
            images,
            templates,
            correlations,
            options.get("normalize_input", False),
            options.get("crop_output", (0, 0)),
        )
    assert coords.shape == (len(correlations), 2) and coords.dtype.kind == "i"
    assert peaks.shape == (len(correlations), 1) and peaks.dtype == np.float64
    np.testing.assert_array_equal(coords, expected[0])
    np.testing.assert_allclose(peaks, expected[1], rtol=0, atol=1e-9)
    assert (batch.status == 1).all()
    return coords, peaks


def test_lists_find_the_places(case):
    coords, peaks = _agree(case.images, case.templates, case.pairs)
    for (image_id, template_id), coord, peak in zip(case.pairs.tolist(), coords, peaks):
        place = case.places[template_id]
        if place[0] == image_id:
            assert coord.tolist() == [place[1] + 20, place[2] + 23] and peak[0] > 0.9


def test_dicts_with_gaps(case):
    images = {10 * i + 7: image for i, image in enumerate(case.images)}
    templates = {1000 - i: template for i, template in enumerate(case.templates)}
    pairs = np.column_stack([10 * case.pairs[:, 0] + 7, 1000 - case.pairs[:, 1]])
    _agree(images, templates, pairs)


def test_stacks(case):
    _agree(np.stack(case.images), np.stack(case.templates), case.pairs)


def test_pairs_as_lists_and_small_integers(case):
    expected = lewis.batch(case.images, case.templates, case.pairs)
    _agree(case.images, case.templates, case.pairs.tolist(), expected)
    _agree(case.images, case.templates, case.pairs.astype(np.uint8), expected)


@pytest.mark.parametrize("crop", [(3, 3), (20, 20)])
def test_cropped(case, crop):
    _agree(case.images, case.templates, case.pairs, crop_output=crop)


def test_crop_is_columns_then_rows(case):
    """The place at image row 0, column 0 is row 20, column 23 of the full correlation."""

    def coords(crop):
        return (
            BatchXCorr.BatchXCorr(case.images, case.templates, [[1, 2]], crop_output=crop).execute_batch()[0].tolist()
        )

    assert coords((23, 20)) == [[20, 23]]
    assert coords((24, 20)) != [[20, 23]] != coords((23, 21))


def test_normalised(case):
    shifted = [image + 5 for image in case.images]
    _agree(shifted, case.templates, case.pairs, normalize_input=True)
    _agree(shifted, case.templates, case.pairs, normalize_input=True, crop_output=(11, 11))


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("workers", [1, 4])
def test_hints_change_nothing(case, group, workers):
    _agree(
        case.images,
        case.templates,
        case.pairs,
        group_correlations=group,
        num_workers=workers,
        use_gpu=False,
        num_gpus=1,
    )


@pytest.mark.filterwarnings("ignore:image .* has mean:RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int64, np.float16, np.float32, ">f4"])
def test_pixel_types(case, dtype):
    images = [(30 * image + 120).astype(dtype) for image in case.images]
    templates = [(30 * template + 120).astype(dtype) for template in case.templates]
    _agree(images, templates, case.pairs)


def test_threshold(case):
    """Windows below custom_eps count as 0, as rcc-xcorr's mask has it."""
    image = case.images[0].copy()
    image[:, 36:] *= 1e-3
    template = image[30:51, 40:64]
    expected = lewis.batch([image], [template], [[0, 0]], eps=0.05)
    _, peaks = _agree([image], [template], [[0, 0]], expected, override_eps=True, custom_eps=0.05)
    assert peaks[0, 0] < 0.9, "the threshold must hide the template's place"
    assert BatchXCorr.BatchXCorr([image], [template], [[0, 0]]).execute_batch()[1][0, 0] > 1 - 1e-9


def test_none_and_bad_pixels_give_zeros_with_one_warning(case):
    hot = case.images[2].copy()
    hot[3, 4] = np.nan
    images, templates = [case.images[0], None, hot], [case.templates[0], None]
    pairs = [[1, 0], [0, 0], [0, 1], [2, 0], [-1, 0], [1, 1]]
    batch = BatchXCorr.BatchXCorr(images, templates, pairs)
    assert batch.status is None
    with pytest.warns(RuntimeWarning) as warned:
        coords, peaks = batch.execute_batch()
    assert len(warned) == 1 and "1 nonfinite, 3 unreadable, 1 invalid of 6 pairs" in str(warned[0].message)
    assert warned[0].filename == __file__
    assert batch.status.tolist() == [4, 1, 4, 3, 6, 4]
    good = lewis.batch(images, templates, [[0, 0]])
    np.testing.assert_array_equal(coords[1], good[0][0])
    np.testing.assert_allclose(peaks[1], good[1][0], rtol=0, atol=1e-9)
    failed = [0, 2, 3, 4, 5]
    assert not coords[failed].any() and not peaks[failed].any()


def test_flat_is_an_answer(case):
    batch = BatchXCorr.BatchXCorr([case.images[0]], [np.full((21, 24), 7.0)], [[0, 0]], crop_output=(5, 5))
    coords, peaks = batch.execute_batch()
    assert coords.tolist() == [[5, 5]] and peaks.tolist() == [[0.0]] and batch.status.tolist() == [2]


def test_no_pairs(case):
    coords, peaks = BatchXCorr.BatchXCorr(case.images, case.templates, np.zeros((0, 2), int)).execute_batch()
    assert coords.shape == (0, 2) and peaks.shape == (0, 1)


def test_arguments_are_those_of_rcc_xcorr():
    parameters = inspect.signature(BatchXCorr.BatchXCorr).parameters
    assert [(p.name, p.default) for p in parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD][3:] == [
        ("normalize_input", False),
        ("group_correlations", False),
        ("crop_output", (0, 0)),
        ("use_gpu", True),
        ("num_gpus", 4),
        ("num_workers", 4),
        ("override_eps", False),
        ("custom_eps", 1e-6),
        ("disable_pbar", False),
    ]


def test_description_says_what_works(case, monkeypatch):
    monkeypatch.setenv("MPIXCORR_THREADS", "3")
    assert BatchXCorr.BatchXCorr([], [], []).description() == "BatchXCorr(engine: cpu, threads: 3)"
    job = BatchXCorr.BatchXCorr([], [], [], use_gpu=False, launcher="mpirun -n 8")
    assert job.description() == "BatchXCorr(launcher: mpirun -n 8, use_gpu: False)"
