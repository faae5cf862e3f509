"""Jobs: what a launcher or the program said is what the error says, and names are bytes."""

import os
import stat
import sys

import numpy as np
import pytest

from mpixcorr import MpixcorrError, match

h5py = pytest.importorskip("h5py")

PROGRAM = os.environ.get("MPIXCORR")
needs_program = pytest.mark.skipif(not PROGRAM, reason="no program mpixcorr is named in MPIXCORR")


@pytest.fixture
def launcher(tmp_path):
    """Makes a launcher of a few lines of Python; argv[1:] is the command that it was given."""

    def make(text, name="launcher"):
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\nimport os, signal, sys\n{text}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return [path]

    return make


def _error(case, launcher, tmp_path, monkeypatch, **options):
    monkeypatch.setenv("MPIXCORR", PROGRAM or "/bin/false")
    with pytest.raises(MpixcorrError) as error:
        match(case.images, case.templates, case.pairs, launcher=launcher, workdir=tmp_path, **options)
    text = str(error.value)
    assert text.isprintable(), "an error is one line without control characters"
    assert not [name for name in os.listdir(tmp_path) if name.startswith("mpixcorr-")], "the folder stays behind"
    return text


def test_all_that_a_launcher_said_is_told(case, launcher, tmp_path, monkeypatch):
    words = launcher(
        "sys.stderr.write('-' * 70 + '\\nThere are not enough slots:\\n\\n  mpixcorr\\n\\nAsk for less.\\n'"
        "+ '-' * 70 + '\\n'); sys.exit(1)"
    )
    text = _error(case, words, tmp_path, monkeypatch)
    assert text.endswith("exit code 1: There are not enough slots: mpixcorr Ask for less.")


@pytest.mark.parametrize("prefix", ["", "[1,0]<stderr>:", "[1,0]<stderr>: ", "0: "])
def test_the_program_comes_before_the_launcher(case, launcher, tmp_path, monkeypatch, prefix):
    lines = ["mpixcorr: warning: no locks", f"{prefix}mpixcorr: in.h5: no /pairs", "mpirun noticed a process exit"]
    words = launcher(f"sys.stderr.write({chr(10).join(lines)!r}); sys.exit(3)")
    assert _error(case, words, tmp_path, monkeypatch).endswith("exit code 3: mpixcorr: in.h5: no /pairs")


def test_a_warning_is_no_reason(case, launcher, tmp_path, monkeypatch):
    words = launcher("sys.stderr.write('mpixcorr: warning: no locks\\nrank 1 was killed\\n'); sys.exit(137)")
    assert _error(case, words, tmp_path, monkeypatch).endswith("mpixcorr: warning: no locks rank 1 was killed")


def test_bytes_that_are_no_utf8_and_controls_are_escaped(case, launcher, tmp_path, monkeypatch):
    words = launcher("sys.stderr.buffer.write(b'caf\\xe9 \\x1b[31mred \\xc3\\xa9\\n'); sys.exit(1)")
    assert _error(case, words, tmp_path, monkeypatch).endswith("caf\\xe9 \\x1b[31mred é")


def test_progress_passes_any_bytes_on(case, launcher, tmp_path, monkeypatch, capsys):
    words = launcher("sys.stderr.buffer.write(b'caf\\xe9\\n'); sys.exit(1)")
    _error(case, words, tmp_path, monkeypatch, progress=True)
    assert capsys.readouterr().err == "caf\\xe9\n"


def test_a_signal_and_silence_are_told(case, launcher, tmp_path, monkeypatch):
    words = launcher("os.kill(os.getpid(), signal.SIGKILL)")
    assert _error(case, words, tmp_path, monkeypatch).endswith("ended by signal 9: it said nothing")


def test_what_only_stdout_said_is_told(case, launcher, tmp_path, monkeypatch):
    words = launcher("print('header'); print('resume   stopped: time limit'); sys.exit(75)")
    assert _error(case, words, tmp_path, monkeypatch).endswith("exit code 75: resume   stopped: time limit")


def test_success_without_an_output_is_a_failure(case, launcher, tmp_path, monkeypatch):
    """mpirun returns 0 when a whole node vanishes."""
    words = launcher("sys.stderr.write('lost communication with a remote daemon\\n')")
    text = _error(case, words, tmp_path, monkeypatch)
    assert text.endswith("exit code 0: lost communication with a remote daemon")


@needs_program
@pytest.mark.parametrize("name", [b"with blank", b"new\nline", b"latin-\xe9"], ids=["blank", "newline", "latin"])
def test_any_name_of_a_folder_will_do(case, launcher, tmp_path, name):
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    program = folder / "the program"
    program.symlink_to(PROGRAM)
    words = launcher("os.execv(sys.argv[1], sys.argv[1:])", f"start in {os.fsdecode(name)}")
    expected = match(case.images, case.templates, case.pairs)
    for workdir in (folder, os.fsencode(folder)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MPIXCORR", str(program))
            found = match(case.images, case.templates, case.pairs, launcher=words, workdir=workdir)
        assert found.peaks.tobytes() == expected.peaks.tobytes()
        assert [entry.name for entry in folder.iterdir()] == ["the program"]


@needs_program
def test_a_name_is_printable_in_an_error(case, launcher, tmp_path, monkeypatch):
    words = launcher("sys.exit(9)", b"new\nline-\xe9".decode(errors="surrogateescape"))
    assert "new\\nline-\\udce9" in _error(case, words, tmp_path, monkeypatch)


def test_names_in_files_are_bytes(case, tmp_path):
    from mpixcorr import write_input

    names = ["blank and\nnewline", b"latin-\xe9", b"latin-\xe9".decode(errors="surrogateescape"), "µ"]
    path = os.path.join(os.fsencode(tmp_path), b"in-\xe9.h5")
    write_input(path, [case.images[0]] * 4, case.templates[:1], [(0, 0)], image_names=names)
    with h5py.File(path) as file:
        stored = file["image_names"]
        assert stored.dtype.kind == "S" and h5py.check_string_dtype(stored.dtype).encoding == "utf-8"
        assert stored[:].tolist() == [b"blank and\nnewline", b"latin-\xe9", b"latin-\xe9", "µ".encode()]


def test_integers_of_64_bits_are_the_same_in_a_job(case, tmp_path):
    from mpixcorr import write_input

    stack = np.rint(np.stack(case.images) * 50).astype(np.int64)
    write_input(tmp_path / "in.h5", stack, stack[:, 5:26, 7:31], [(i, i) for i in range(3)])
    with h5py.File(tmp_path / "in.h5") as file:
        assert file["images"].dtype == file["templates"].dtype == np.float64
        assert np.array_equal(file["images"][:], stack)
