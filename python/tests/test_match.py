"""match(): what is asked, what comes back, and what is refused."""

import numpy as np
import pytest

import mpixcorr
from mpixcorr import Status, match


def test_single_arrays(case):
    result = match(case.images[0], case.templates[1])
    assert result.coords.tolist() == [[50, 63]] and result.offsets.tolist() == [[30, 40]]
    assert result.overlap.tolist() == [1.0] and result.ok.tolist() == [True] and len(result) == 1


def test_pairs_default_to_equal_places(case):
    images = [case.images[i] for i, _, _ in case.places]
    result = match(images, case.templates)
    assert result.offsets.tolist() == [[y, x] for _, y, x in case.places]
    with pytest.raises(ValueError, match="3 images and 6 templates"):
        match(case.images, case.templates)


def test_failed_pairs_are_nan_and_say_why(case):
    result = match([case.images[0], None], [case.templates[0], np.ones((62, 5))], [[0, 0], [1, 0], [-1, 0], [0, 1]])
    assert result.status.tolist() == [Status.OK, Status.UNREADABLE, Status.INVALID, Status.INVALID]
    assert result.coords[1:].tolist() == result.offsets[1:].tolist() == [[-1, -1]] * 3
    assert np.isnan(result.peaks[1:]).all() and np.isnan(result.overlap[1:]).all()


def test_crop_half_and_overlap(case):
    result = match(case.images, case.templates, case.pairs, crop="half")
    centres = result.offsets + [21 // 2, 24 // 2]
    assert (centres >= 0).all() and (centres <= [61, 72]).all()
    assert (match(case.images, case.templates, case.pairs, min_overlap=1.0).overlap == 1).all()


def test_partial_overlap_is_told(case):
    template = np.zeros((21, 24))
    template[8:, 10:] = case.images[1][:13, :14]
    result = match([case.images[1]], [template], [[0, 0]])
    assert result.offsets.tolist() == [[-8, -10]]
    assert result.overlap[0] == np.float32(13 * 14 / (21 * 24))


def test_nothing_outside_a_raw_tile():
    scene = np.random.default_rng(3).integers(0, 256, (80, 100)).astype(np.uint8) // 4 + 150
    tile, template = scene[:60, :70], scene[30:70, 50:90]
    result = match([tile], [template], outside="ignore")
    assert result.offsets.tolist() == [[30, 50]] and result.overlap[0] == np.float32(30 * 20 / 1600)
    assert result.peaks[0] == pytest.approx(1, abs=1e-12)
    with pytest.warns(RuntimeWarning, match="zeros outside"):
        assert match([tile], [template]).peaks[0] < 0.2
    assert match([tile], [template], outside="ignore", min_overlap=0.5).offsets.tolist() != [[30, 50]]


def test_search_window_restricts(case):
    windows = [[50, 63, 51, 64], [0, 0, 20, 20]]
    result = match([case.images[0]], [case.templates[1]], [[0, 0], [0, 0]], search=windows)
    assert result.coords[0].tolist() == [50, 63]
    assert (result.coords[1] < 20).all()
    with pytest.raises(ValueError, match="search"):
        match([case.images[0]], [case.templates[1]], [[0, 0]], search=windows)


def test_quality(case):
    result = match(case.images, case.templates, case.pairs[:2], quality=True)
    assert np.abs(result.subpixel - result.coords).max() <= 0.5
    assert np.array_equal(result.subpixel_offsets, result.subpixel - (result.coords - result.offsets))
    assert (result.curvature < 0).all()
    assert (np.abs(result.second_coords - result.coords).max(axis=1) > 10).all()
    assert (result.second_peaks < result.peaks).all()
    assert match(case.images, case.templates, case.pairs[:2]).subpixel is None


@pytest.mark.parametrize("small_px", [0, 256 * 256])
def test_same_bytes_with_any_threads(case, monkeypatch, small_px):
    monkeypatch.setattr("mpixcorr._batch.SMALL_PX", small_px)
    one, three = (match(case.images, case.templates, case.pairs, threads=n) for n in (1, 3))
    assert one.peaks.tobytes() == three.peaks.tobytes() and one.coords.tobytes() == three.coords.tobytes()


@pytest.mark.parametrize("slice_px", [50_000_000, 200_000])
def test_many_small_images_in_batches(case, monkeypatch, slice_px):
    monkeypatch.setattr("mpixcorr._batch.SLICE_PX", slice_px)
    images = [case.images[i % 3] for i in range(100)]
    result = match(images, case.templates, [(i, j) for i in range(100) for j in (0, 3)], threads=2)
    expected = match(case.images, case.templates, [(i, j) for i in range(3) for j in (0, 3)])
    assert np.array_equal(result.peaks, np.tile(expected.peaks, 34)[:200])
    assert np.array_equal(result.coords, np.tile(expected.coords, (34, 1))[:200])


def test_errors_of_the_library_are_raised(case, monkeypatch):
    def fail(*_):
        raise mpixcorr.MpixcorrError("out of memory")

    monkeypatch.setattr("mpixcorr._library.Matcher.match", fail)
    with pytest.raises(mpixcorr.MpixcorrError, match="out of memory"):
        match(case.images, case.templates, case.pairs, threads=3)


def test_many_templates_in_slices(case, monkeypatch):
    whole = match(case.images, case.templates, case.pairs)
    monkeypatch.setattr("mpixcorr._batch.SLICE_PX", 1)
    sliced = match(case.images, case.templates, case.pairs)
    assert whole.peaks.tobytes() == sliced.peaks.tobytes() and whole.coords.tobytes() == sliced.coords.tobytes()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"pairs": [[0, 6]]}, IndexError, "row 0 of the pairs names template 6"),
        ({"pairs": [[0, 0], [-2, 0]]}, IndexError, "row 1 of the pairs names image -2"),
        ({"pairs": [[0, 0.5]]}, ValueError, "fractions"),
        ({"pairs": [0, 1]}, ValueError, r"expected integers \[n, 2\]"),
        ({"crop": (-1, 0)}, ValueError, "no negative"),
        ({"crop": (1.5, 0)}, ValueError, "crop holds numbers with fractions"),
        ({"crop": (1, 2, 3)}, ValueError, r"crop is int64 \[1, 3\]"),
        ({"crop": "third"}, ValueError, "'half'"),
        ({"min_overlap": 1.5}, ValueError, "fraction"),
        ({"outside": "nothing"}, ValueError, "'zero' or 'ignore'"),
        ({"eps": -1.0}, ValueError, "0 or more"),
        ({"threads": 0}, ValueError, "1 or more"),
        ({"templates": [np.zeros(5)]}, ValueError, r"template 0 has shape \[5\]"),
        ({"templates": [np.zeros((3, 3), complex)]}, TypeError, "complex128"),
        ({"templates": [np.array([[2**60, 1]])]}, ValueError, "beyond 2"),
    ],
)
def test_refused(case, arguments, error, words):
    with pytest.raises(error, match=words):
        match(**{"images": case.images, "templates": case.templates, "pairs": [[0, 0]], **arguments})


def test_threads_come_from_the_environment(monkeypatch):
    monkeypatch.delenv("MPIXCORR_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "5,2")
    assert mpixcorr.default_threads() == 5
    monkeypatch.setenv("MPIXCORR_THREADS", "2")
    assert mpixcorr.default_threads() == 2
    monkeypatch.setenv("MPIXCORR_THREADS", "many")
    with pytest.raises(ValueError, match="many"):
        mpixcorr.default_threads()


def test_progress_bar_counts_pairs(case, monkeypatch, capsys):
    monkeypatch.setattr("mpixcorr._batch._Progress.DELAY_S", -1.0)
    match(case.images, case.templates, case.pairs, progress=True)
    assert "10/10" in capsys.readouterr().err
    match(case.images, case.templates, case.pairs)
    assert capsys.readouterr().err == ""
