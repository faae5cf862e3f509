"""write_input() and read_output(), and jobs of the program where it is there ($MPIXCORR)."""

import os
import shutil
import subprocess

import numpy as np
import pytest

import mpixcorr
from mpixcorr import MpixcorrError, match
from mpixcorr.xcorr import BatchXCorr

h5py = pytest.importorskip("h5py")

PROGRAM = os.environ.get("MPIXCORR") or shutil.which("mpixcorr")
needs_program = pytest.mark.skipif(
    not PROGRAM or not shutil.which("mpirun"), reason="the program mpixcorr or mpirun is not there"
)


def _same(a, b):
    for name in ("coords", "peaks", "status", "offsets", "overlap"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_input_file_holds_what_was_given(case, tmp_path):
    path = tmp_path / "input.h5"
    expected = ([[0, 1]] * 3, [0.5] * 3)
    mpixcorr.write_input(
        path,
        {7: case.images[0], 9: None},
        np.stack(case.templates),
        [[7, 0], [9, 0], [7, 2]],
        search=[[0, 0, 9, 9]] * 3,
        image_names=["seven", "nine"],
        expected=expected,
    )
    with h5py.File(path) as file:
        assert list(file["images"]) == ["7"]
        np.testing.assert_array_equal(file["images/7"], case.images[0])
        assert file["templates"].shape == (6, 21, 24)
        assert file["pairs"][:].tolist() == [[7, 0], [-1, -1], [7, 2]]
        assert file["search"].shape == (3, 4) and file["image_names"].asstr()[:].tolist() == ["seven", "nine"]
        assert file["expected/coords"][:].tolist() == expected[0] and file["expected/peaks"][:].tolist() == expected[1]


def test_not_an_output_file(case, tmp_path):
    path = tmp_path / "input.h5"
    mpixcorr.write_input(path, case.images, case.templates, case.pairs)
    with pytest.raises(ValueError, match="no /coords; expected an output file"):
        mpixcorr.read_output(path)


@needs_program
def test_program_reads_input_and_its_output_is_read(case, tmp_path):
    mpixcorr.write_input(tmp_path / "in.h5", case.images, case.templates, case.pairs)
    command = [PROGRAM, "run", tmp_path / "in.h5", tmp_path / "out.h5", "--progress", "none"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    _same(mpixcorr.read_output(tmp_path / "out.h5"), match(case.images, case.templates, case.pairs))


@needs_program
def test_job_gives_the_same_bytes(case, tmp_path):
    images = {i: image.astype(np.float32) for i, image in enumerate(case.images)}
    images[5] = None
    templates = [*case.templates, None, np.ones((62, 5))]
    pairs = [*case.pairs.tolist(), [5, 0], [0, 6], [-1, 0], [0, 7]]
    here = match(images, templates, pairs, crop=(30, 2), normalize=True, eps=0.5)
    job = match(
        images, templates, pairs, crop=(30, 2), normalize=True, eps=0.5, launcher="mpirun -n 2", workdir=str(tmp_path)
    )
    _same(here, job)
    assert not list(tmp_path.iterdir()), "the job's folder stays behind"


@needs_program
def test_job_through_the_old_interface(case, tmp_path):
    batch = BatchXCorr.BatchXCorr(
        case.images, case.templates, case.pairs, use_gpu=False, launcher="mpirun -n 2", workdir=str(tmp_path)
    )
    coords, peaks = batch.execute_batch()
    here = BatchXCorr.BatchXCorr(case.images, case.templates, case.pairs).execute_batch()
    np.testing.assert_array_equal(coords, here[0])
    np.testing.assert_array_equal(peaks, here[1])


@needs_program
def test_failed_jobs_say_why(case, tmp_path):
    options = {"workdir": str(tmp_path), "launcher": []}
    with pytest.raises(MpixcorrError, match="exit code 2: mpixcorr: .*nonsense"):
        match(case.images, case.templates, case.pairs, job_options=["--nonsense"], **options)
    with pytest.raises(MpixcorrError, match="no-such-launcher could not be started"):
        match(case.images, case.templates, case.pairs, workdir=str(tmp_path), launcher="no-such-launcher -n 2")
    assert not list(tmp_path.iterdir())


def test_known_answers_are_not_rounded(case, tmp_path):
    with pytest.raises(ValueError, match="expected holds numbers with fractions"):
        mpixcorr.write_input(tmp_path / "in.h5", case.images, case.templates, [(0, 0)], expected=([(1.5, 2)], [0.5]))


def test_a_refused_input_leaves_what_was_there(case, tmp_path):
    path = tmp_path / "in.h5"
    mpixcorr.write_input(path, case.images, case.templates, case.pairs)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="complex"):
        mpixcorr.write_input(path, [*case.images[:2], case.images[2] * 1j], case.templates, case.pairs)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_links_are_followed_and_sources_may_be_replaced(case, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    path, link = tmp_path / "elsewhere" / "in.h5", tmp_path / "link.h5"
    mpixcorr.write_input(path, np.stack(case.images), np.stack(case.templates), case.pairs)
    link.symlink_to(path)
    with h5py.File(link) as file:  # the file that is read is the one that is written
        mpixcorr.write_input(link, file["images"], file["templates"], file["pairs"][:3])
    assert link.is_symlink()
    with h5py.File(path) as file:
        assert file["pairs"].shape == (3, 2)
        np.testing.assert_array_equal(file["images/2"], case.images[2])


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_only_files_are_replaced(case, tmp_path, make):
    make(tmp_path / "there")
    with pytest.raises(ValueError, match="there: exists and is no file"):
        mpixcorr.write_input(tmp_path / "there", case.images, case.templates, case.pairs)
    assert os.listdir(tmp_path) == ["there"]
