"""Where a pair is sought, and what is told of it: near, at_border, the warning of zeros outside."""

import os
import warnings

import numpy as np
import pytest

from mpixcorr import Status, match, read_output, write_input
from mpixcorr.xcorr import BatchXCorr

NOTHING = -(2**63)
needs_program = pytest.mark.skipif(not os.environ.get("MPIXCORR"), reason="no program mpixcorr is named in MPIXCORR")


def _at(case, *near, **options):
    """Template 1, cut at (30, 40) of image 0: what is found near a prediction."""
    return match(
        [case.images[0]], [case.templates[1]] * len(near), [(0, i) for i in range(len(near))], near=near, **options
    )


def test_near_restricts_offsets(case):
    found = _at(case, (28, 43, 2, 3), (28, 43, 1, 3), (0, 0, 4, 4), (30, 40, 0, 0))
    assert found.offsets[0].tolist() == [30, 40] and found.peaks[0] > 0.9
    assert found.offsets[1].tolist() != [30, 40] and (np.abs(found.offsets[1] - [28, 43]) <= [1, 3]).all()
    assert (np.abs(found.offsets[2]) <= 4).all()
    assert found.offsets[3].tolist() == [30, 40]


def test_near_is_the_search_window_of_its_offsets(case):
    windows = [[28 - 2 + 20, 43 - 3 + 23, 28 + 2 + 21, 43 + 3 + 24]]
    near = _at(case, (28, 43, 2, 3))
    window = match([case.images[0]], [case.templates[1]], search=windows)
    assert near.peaks.tobytes() == window.peaks.tobytes() and near.coords.tolist() == window.coords.tolist()


def test_near_of_any_numbers(case):
    most = 2**63 - 1
    found = _at(case, (0, 0, -1, 5), (5, 5, most, most), (most, most, 3, 3), (NOTHING, 0, 9, 9), (-3, -3, most, most))
    whole = match([case.images[0]], [case.templates[1]])
    for row in (0, 1, 4):
        assert found.coords[row].tolist() == whole.coords[0].tolist()
    assert found.status[2:4].tolist() == [Status.INVALID] * 2


def test_near_in_any_order_with_missing_pixels_and_small_slices(case, monkeypatch):
    images, templates = [*case.images, None], [*case.templates, None]
    near = [(*case.places[j][1:], 1, 1) if j < 6 else (0, 0, 1, 1) for _, j in case.pairs]
    pairs = [*case.pairs.tolist(), [3, 0], [0, 6], [-1, 0]]
    near += [(0, 0, 1, 1)] * 3
    found = match(images, templates, pairs, near=near)
    assert found.status[-3:].tolist() == [Status.UNREADABLE, Status.UNREADABLE, Status.INVALID]
    for (i, j), offset in zip(case.pairs.tolist(), found.offsets.tolist()):
        if case.places[j][0] == i:
            assert offset == list(case.places[j][1:])
    monkeypatch.setattr("mpixcorr._batch.SMALL_PX", 0)
    monkeypatch.setattr("mpixcorr._batch.SLICE_PX", 1)
    assert match(images, templates, pairs, near=near).peaks.tobytes() == found.peaks.tobytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"near": [[0, 0, 1]]}, r"near is int64 \[1, 3\]: expected integers \[1, 4\]"),
        ({"near": [[0, 0, 1, 1.5]]}, "near holds numbers with fractions"),
        ({"near": [[0, 0, 1, 1]] * 2}, r"expected integers \[1, 4\]"),
        ({"near": [[0, 0, 1, 1]], "search": [[0, 0, 9, 9]]}, "at most one"),
    ],
)
def test_refused(case, tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words):
        match([case.images[0]], [case.templates[0]], **arguments)
    with pytest.raises(ValueError, match=words):
        write_input(tmp_path / "in.h5", [case.images[0]], [case.templates[0]], [(0, 0)], **arguments)
    assert not (tmp_path / "in.h5").exists()


def test_at_border(case):
    image, template = [case.images[0]], [case.templates[1]]  # its place is (50, 63) of the full correlation
    assert match(image, template).at_border.tolist() == [False]
    assert match(image, template, min_overlap=1.0).at_border.tolist() == [False]
    for window, expected in (((49, 62, 52, 65), False), ((50, 60, 60, 70), True), ((40, 60, 51, 70), True)):
        assert match(image, template, search=[window]).at_border.tolist() == [expected], window
    assert match(image, template, crop=(0, 50)).at_border.dtype == bool
    assert _at(case, (30, 40, 1, 1), (29, 40, 1, 1)).at_border.tolist() == [False, True]
    batch = BatchXCorr.BatchXCorr(image, template, [[0, 0]], crop_output=(20, 30))
    batch.execute_batch()
    assert batch.at_border.tolist() == [True]


def test_peaks_at_the_border_are_counted(case):
    def found(call):
        return [str(w.message) for w in _warnings(call, "border")]

    words = "at the border of what was searched: a better match may lie beyond; see at_border"
    assert found(lambda: _at(case, (30, 40, 1, 1), (29, 40, 1, 1))) == [f"1 peak lies {words}"]
    assert found(lambda: _at(case, (29, 40, 1, 1), (29, 40, 1, 1))) == [f"2 peaks lie {words}"]
    assert found(lambda: _at(case, (30, 40, 1, 1), (0, 0, -1, -1))) == []


def test_at_border_is_read_from_files(case, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "out.h5", "w") as file:
        for name, value in (("coords", [[1, 1]]), ("offsets", [[0, 0]]), ("peaks", [1.0]), ("overlap", [1.0])):
            file[name] = value
        file["status"] = np.array([1], np.uint8)
    assert read_output(tmp_path / "out.h5").at_border is None
    with h5py.File(tmp_path / "out.h5", "a") as file:
        file["at_border"] = np.array([1], np.uint8)
    assert read_output(tmp_path / "out.h5").at_border.tolist() == [True]


def _warnings(call, words="has mean"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [w for w in caught if words in str(w.message)]


def test_zeros_outside_raw_images_are_warned_of(case):
    raw = [image * 20 + 128 for image in case.images]
    caught = _warnings(lambda: match(raw, case.templates, case.pairs))
    assert len(caught) == 1 and caught[0].category is RuntimeWarning and caught[0].filename == __file__
    text = str(caught[0].message)
    assert text.startswith("image 2 has mean 1") and text.endswith("see normalize and min_overlap")
    caught = _warnings(lambda: BatchXCorr.BatchXCorr(raw, case.templates, case.pairs).execute_batch())
    assert [str(w.message) for w in caught] == [text] and caught[0].filename == __file__


@pytest.mark.parametrize(
    "options", [{"min_overlap": 1.0}, {"normalize": True}, {"crop": (23, 20)}, {"search": [[20, 23, 60, 70]] * 10}]
)
def test_no_warning_where_zeros_take_no_part(case, options):
    raw = [image * 20 + 128 for image in case.images]
    assert not _warnings(lambda: match(raw, case.templates, case.pairs, **options))
    assert not _warnings(lambda: match(case.images, case.templates, case.pairs))


def test_the_first_pair_decides_wherever_it_lies(case):
    images = [case.images[0], case.images[1] + 50, None]
    assert _warnings(lambda: match(images, case.templates, [[-1, 0], [1, 0], [0, 0]]))
    assert not _warnings(lambda: match(images, case.templates, [[0, 0], [1, 0]]))
    assert not _warnings(lambda: match(images, case.templates, [[2, 0], [1, 0]]))


@needs_program
def test_a_job_warns_in_the_same_words(case, tmp_path):
    pytest.importorskip("h5py")
    raw = [image * 20 + 128 for image in case.images]
    here, job = (
        _warnings(lambda: match(raw, case.templates, case.pairs, launcher=launcher, workdir=tmp_path))
        for launcher in (None, [])
    )
    assert [w.category for w in job] == [RuntimeWarning] and job[0].filename == __file__
    assert str(job[0].message) == str(here[0].message).replace("normalize and min_", "--normalize and --min-")


@needs_program
def test_near_in_a_job(case, tmp_path):
    pytest.importorskip("h5py")
    near = [(28, 43, 2, 3), (29, 40, 1, 1), (0, 0, -1, 0), (NOTHING, 0, 9, 9)]
    results = []

    def at(launcher):
        caught = _warnings(
            lambda: results.append(_at(case, *near, launcher=launcher, workdir=tmp_path)), "at the border"
        )
        return [str(w.message) for w in caught]

    assert at(None) == [text.replace("/at_border", "at_border") for text in at([])] != []
    here, job = results
    for name in ("coords", "peaks", "status", "offsets", "overlap", "at_border"):
        np.testing.assert_array_equal(getattr(here, name), getattr(job, name), err_msg=name)
