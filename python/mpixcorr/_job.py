"""A match as a job of the program ``mpixcorr`` under mpirun or srun, through files in a folder of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ._arrays import Arrays, Masks
from ._files import Path, new_file, read_output, write_pairs
from ._library import MpixcorrError, Search
from ._result import Result, Status, warn

#: Exit codes of the program that come with a complete output.
_DONE = (0, 6)
#: Lines that are kept to say why a job failed.
_LAST_LINES = 50


def find_program() -> str:
    """The program: $MPIXCORR, else ``mpixcorr`` on the PATH."""
    program = os.environ.get("MPIXCORR") or shutil.which("mpixcorr")
    if not program:
        raise MpixcorrError("the program mpixcorr is not on the PATH; name it in MPIXCORR")
    return program


def run_job(
    launcher: str | Sequence[Path],
    workdir: Path | None,
    job_options: Sequence[str],
    files: tuple[Arrays, Arrays, np.ndarray, dict[str, np.ndarray], tuple[Masks, Masks] | None],
    search: Search,
    threads: int | None,
    progress: bool,
) -> Result:
    """Writes an input file, runs the job and reads its output; the folder is removed, whatever happens.

    `files` are images, templates, pairs, what as_where() says and masks. What the program warns of is a warning here.
    """
    words = shlex.split(launcher) if isinstance(launcher, str) else [os.fsdecode(word) for word in launcher]
    command = [*words, find_program(), "run"]
    images, templates, pairs, where, masks = files
    with tempfile.TemporaryDirectory(prefix="mpixcorr-", dir=os.fsdecode(workdir or os.getcwd())) as folder:
        input_file, output_file = os.path.join(folder, "input.h5"), os.path.join(folder, "output.h5")
        with new_file(input_file) as file:
            write_pairs(file, images, templates, pairs, where, masks)
        arguments = [input_file, output_file, *_options(search, threads, progress), *job_options]
        with open(os.path.join(folder, "said"), "wb") as said:
            code, errors = _run([*command, *arguments], said, progress)
        if code not in _DONE or not os.path.exists(output_file):
            how = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
            raise MpixcorrError(f"{_printable(shlex.join(command))}: {how}: {_reason(errors, said.name)}")
        with open(said.name, encoding="utf-8", errors="backslashreplace") as file:
            for line in file:
                if line.startswith("warning  "):
                    warn(_printable(line[9:].strip()))
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
    if search.ignore_outside:
        options += ["--outside", "ignore"]
    if search.min_overlap or search.ignore_outside:
        options += ["--min-overlap", repr(search.min_overlap)]
    if search.filter:
        options += ["--filter", search.filter]
    if search.quality:
        options += ["--quality"]
    if search.rotate[2]:
        options += ["--rotate=" + ":".join(_degrees(micro) for micro in search.rotate)]
    if search.peaks:
        options += ["--peaks", str(search.peaks)]
    if search.separation:
        options += ["--separation", str(search.separation)]
    if threads:
        options += ["--threads", str(threads)]
    return options


def _degrees(micro: int) -> str:
    """1e-6 degrees as the program takes them: -500000 is "-0.5"."""
    sign, size = "-" * (micro < 0), abs(micro)
    return f"{sign}{size // 10**6}.{size % 10**6:06}"


def _run(command: list[str], stdout: Any, progress: bool) -> tuple[int, deque[str]]:
    """Runs a command. Answers its exit code and the last lines of its stderr, which is passed on if `progress`.

    What programs print is bytes, mostly UTF-8: others are shown as escapes.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        process = subprocess.Popen(
            command, stdout=stdout, stderr=subprocess.PIPE, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        raise MpixcorrError(f"{_printable(command[0])} could not be started: {error.strerror}") from None
    with process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                last.append(line.strip())
                if progress:
                    sys.stderr.write(line)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, last


def _reason(errors: Sequence[str], said: str) -> str:
    """Why a job failed, in one line: the program's own error, else all that the launcher said, else the last word."""
    for line in errors:
        # Launchers may put the rank before a line: "[1,0]<stderr>:", "0: "
        own = re.search(r"(?:^|: ?)(mpixcorr: (?!warning: |note: ).*)", line)
        if own:
            return _printable(own[1])
    words = [line for line in errors if re.search(r"\w", line)]  # not the rules that frame them
    if not words:
        with open(said, encoding="utf-8", errors="backslashreplace") as file:
            words = [line.strip() for line in deque(file, 1)]
    return _printable(" ".join(words)) or "it said nothing"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _with_missing(status: np.ndarray, images: Arrays, templates: Arrays, pairs: np.ndarray) -> np.ndarray:
    """Pairs whose pixels are None went into the file as no pairs; in this process they are `unreadable`."""
    status = status.copy()
    for row in np.flatnonzero((status == Status.INVALID) & (pairs >= 0).all(axis=1)):
        image, template = images[int(pairs[row, 0])], templates[int(pairs[row, 1])]
        if image is None or template is None:
            status[row] = Status.UNREADABLE
    return status
