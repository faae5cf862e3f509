"""rcc-xcorr's interface on mpixcorr's engine: a pipeline switches by its import line.

What differs in meaning is in docs/emalign.md: exact float64 peaks, inputs are never changed, any pixel type, ``None``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .._arrays import Arrays
from .._files import Path
from .._library import default_threads
from .._match import match
from .._result import Result, Status

#: By status: the pair has coordinates and a peak.
_ANSWERED = np.isin([int(s) for s in Status], [Status.OK, Status.FLAT, Status.UNCERTAIN])


class BatchXCorr:
    """Correlates pairs of images and templates; the arguments are rcc-xcorr's, in its order, with its defaults.

    Args:
        images: stack [n, rows, cols], sequence of 2-D arrays or None, or dict of ids to these. Never changed.
        templates: likewise; each not larger than its images.
        correlations: [n, 2] integers (image id, template id); a row with -1 is no pair.
        normalize_input: subtract means and divide by standard deviations first, in copies.
        group_correlations: a hint; work is always grouped by image.
        crop_output: (X, Y) pixels: X columns left and right, Y rows top and bottom of the full correlation that are
            not searched. Coordinates are those of the uncropped correlation.
        use_gpu: a hint: False keeps a job off the GPUs. In this process the CPU engine gives the same bytes.
        num_gpus: a hint.
        num_workers: a hint; threads are ``MPIXCORR_THREADS``, else ``OMP_NUM_THREADS``, else the process's cores.
        override_eps: use custom_eps. False: only windows whose pixels are all equal count as flat.
        custom_eps: the response is 0 where sqrt(ssd(window) * ssd(template)) <= custom_eps, in pixel units.
        disable_pbar: no progress bar (tqdm).
        launcher: run as a job through files: "mpirun -n 8" or "srun"; see mpixcorr.match().
        workdir: folder for the job's files; None: the current one.
    """

    #: [n] uint8 after execute_batch(), see mpixcorr.Status; None before.
    status: np.ndarray | None
    #: [n] bool after execute_batch(): the peak lies beside what the crop left out; None before.
    at_border: np.ndarray | None

    def __init__(
        self,
        images: Arrays,
        templates: Arrays,
        correlations: npt.ArrayLike,
        normalize_input: bool = False,
        group_correlations: bool = False,
        crop_output: Sequence[int] = (0, 0),
        use_gpu: bool = True,
        num_gpus: int = 4,
        num_workers: int = 4,
        override_eps: bool = False,
        custom_eps: float = 1e-6,
        disable_pbar: bool = False,
        *,
        launcher: str | Sequence[Path] | None = None,
        workdir: Path | None = None,
    ) -> None:
        self.images = images
        self.templates = templates
        self.correlations = correlations
        self.normalize_input = normalize_input
        self.group_correlations = group_correlations
        self.crop_output = crop_output
        self.use_gpu = use_gpu
        self.num_gpus = num_gpus
        self.num_workers = num_workers
        self.override_eps = override_eps
        self.custom_eps = custom_eps
        self.disable_pbar = disable_pbar
        self.launcher = launcher
        self.workdir = workdir
        self.status = self.at_border = None

    def description(self) -> str:
        """What will do the work, in one line."""
        if self.launcher is not None:
            words = self.launcher if isinstance(self.launcher, str) else " ".join(map(os.fsdecode, self.launcher))
            return f"BatchXCorr(launcher: {words}, use_gpu: {self.use_gpu})"
        return f"BatchXCorr(engine: cpu, threads: {default_threads()})"

    def execute_batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Finds the peak of every pair.

        Returns:
            coords: [n, 2] int64 (y, x) of the peaks in the full, uncropped correlation, pixels.
            peaks: [n, 1] float64, the NCC there, in [-1, 1].
            Both in the order of the correlations. Pairs without an answer (None, NaN or Inf, no such pair) have (0, 0)
            and 0; one RuntimeWarning counts them, and ``status`` tells them apart.
        """
        result = match(
            self.images,
            self.templates,
            self.correlations,
            crop=self.crop_output,
            normalize=self.normalize_input,
            eps=self.custom_eps if self.override_eps else 0.0,
            progress=not self.disable_pbar,
            launcher=self.launcher,
            workdir=self.workdir,
            job_options=() if self.use_gpu else ("--device", "cpu"),
        )
        self.status, self.at_border = result.status, result.at_border
        if not result.ok.all():
            warnings.warn(_describe_failed(result), RuntimeWarning, stacklevel=2)
        answered = _ANSWERED[result.status]
        coords = np.where(answered[:, np.newaxis], result.coords, 0)
        peaks = np.where(answered, result.peaks, 0.0)[:, np.newaxis]
        return coords, peaks


def _describe_failed(result: Result) -> str:
    codes, counts = np.unique(result.status[~result.ok], return_counts=True)
    failed = ", ".join(f"{n} {Status(code).name.lower()}" for code, n in zip(codes.tolist(), counts.tolist()))
    return f"{failed} of {len(result)} pairs: see .status; pairs without an answer return (0, 0) and peak 0"
