"""A match as a job of the program ``mpixcorr`` under mpirun or srun, through files in a folder of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ._arrays import Arrays
from ._files import read_output, write_input
from ._library import MpixcorrError, Search
from ._match import Result, Status

#: Exit codes of the program that come with a complete output.
_DONE = (0, 6)


def find_program() -> str:
    """The program: $MPIXCORR, else ``mpixcorr`` on the PATH."""
    program = os.environ.get("MPIXCORR") or shutil.which("mpixcorr")
    if not program:
        raise MpixcorrError("the program mpixcorr is not on the PATH; name it in MPIXCORR")
    return program


def run_job(
    launcher: str | Sequence[str],
    workdir: str | None,
    job_options: Sequence[str],
    images: Arrays,
    templates: Arrays,
    pairs: np.ndarray,
    windows: np.ndarray | None,
    search: Search,
    threads: int | None,
    progress: bool,
) -> Result:
    """Writes an input file, runs the job and reads its output; the folder is removed, whatever happens."""
    words = shlex.split(launcher) if isinstance(launcher, str) else list(launcher)
    command = [*words, find_program(), "run"]
    with tempfile.TemporaryDirectory(prefix="mpixcorr-", dir=workdir or os.getcwd()) as folder:
        input_file, output_file = os.path.join(folder, "input.h5"), os.path.join(folder, "output.h5")
        write_input(
            input_file,
            images,
            templates,
            pairs,
            search=None if windows is None else windows.view(np.int64).reshape(-1, 4),
        )
        command += [input_file, output_file, *_options(search, threads, progress), *job_options]
        _run(command, progress)
        result = read_output(output_file)
    return replace(result, status=_with_missing(result.status, images, templates, pairs))


def _options(search: Search, threads: int | None, progress: bool) -> list[str]:
    options = ["--on-bad-pair", "skip", "--progress", "auto" if progress else "none"]
    if search.crop_half:
        options += ["--crop", "half"]
    elif search.crop_x or search.crop_y:
        options += ["--crop", f"{search.crop_x},{search.crop_y}"]
    if search.normalize:
        options += ["--normalize"]
    if search.eps:
        options += ["--eps", repr(search.eps)]
    if search.min_overlap:
        options += ["--min-overlap", repr(search.min_overlap)]
    if search.quality:
        options += ["--quality"]
    if threads:
        options += ["--threads", str(threads)]
    return options


def _run(command: list[str], progress: bool) -> None:
    """Runs the job; its stderr is passed on where progress is wanted, and its last lines are what an error says."""
    last: deque[str] = deque(maxlen=50)
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        raise MpixcorrError(f"{command[0]} could not be started: {error.strerror}") from None
    with process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                last.append(line.rstrip())
                if progress:
                    sys.stderr.write(line)
        except BaseException:
            process.terminate()
            raise
    if process.returncode not in _DONE:
        said = (
            [line for line in last if line.startswith("mpixcorr: ")] or [line for line in last if line] or ["nothing"]
        )
        raise MpixcorrError(f"{shlex.join(command[:-2])}: exit code {process.returncode}: {said[0]}")


def _with_missing(status: np.ndarray, images: Arrays, templates: Arrays, pairs: np.ndarray) -> np.ndarray:
    """Pairs whose pixels are None went into the file as no pairs; in this process they are `unreadable`."""
    status = status.copy()
    for row in np.flatnonzero((status == Status.INVALID) & (pairs >= 0).all(axis=1)):
        image, template = images[int(pairs[row, 0])], templates[int(pairs[row, 1])]
        if image is None or template is None:
            status[row] = Status.UNREADABLE
    return status
