"""match(): the engine for new code, in this process or as a job through files."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Callable, Literal, TypeVar, Union

import numpy as np
import numpy.typing as npt

from ._arrays import Arrays, as_arrays, as_pairs, as_pixels, as_windows, check_ids, describe
from ._library import RESULT, Matcher, Search, borrowed_matcher, default_threads

#: (X, Y) in pixels, or "half".
Crop = Union[tuple[int, int], Sequence[int], Literal["half"]]


_T = TypeVar("_T")


class Status(IntEnum):
    """Outcome of one pair; the values of the output file's ``/status``."""

    PENDING = 0
    OK = 1
    #: The template is flat, or every searched window is flat or below eps: peak 0 at the first position searched.
    FLAT = 2
    #: NaN or Inf in the pixels.
    NONFINITE = 3
    #: Pixels are missing (None).
    UNREADABLE = 4
    #: The best candidate that was evaluated; proof gave up. Ordinary data has none.
    UNCERTAIN = 5
    #: No pair (-1), or shapes that do not fit each other or the crop.
    INVALID = 6


@dataclass(frozen=True)
class Result:
    """Answers of n pairs, row i for pair i. Filter on ``status``: NaN passes ``<=`` cut-offs."""

    #: [n, 2] int64 (y, x) of the peak in the full, uncropped correlation, pixels: there the template's bottom-right
    #: pixel lies on image pixel (y, x). -1 for nonfinite, unreadable and invalid pairs.
    coords: np.ndarray
    #: [n] float64, the NCC there, in [-1, 1]. NaN where coords are -1.
    peaks: np.ndarray
    #: [n] uint8, see Status.
    status: np.ndarray
    #: [n, 2] int64 (y, x) of the template's top-left pixel in the image; may be negative. -1 where coords are -1.
    offsets: np.ndarray
    #: [n] float32, the fraction of the template's area inside the image there. NaN where coords are -1.
    overlap: np.ndarray
    #: With quality: [n, 2] float64 (y, x), coords refined by parabolas, pixels; NaN unless ok.
    subpixel: np.ndarray | None = None
    #: With quality: [n, 2] int64 (y, x) of the best position more than 10 px away; -1 where there is none.
    second_coords: np.ndarray | None = None
    #: With quality: [n] float64, the NCC there; NaN where there is none.
    second_peaks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.status)

    @property
    def ok(self) -> np.ndarray:
        """[n] bool: the pair has an answer that can be trusted (flat is one: blank resin is normal)."""
        return (self.status == Status.OK) | (self.status == Status.FLAT)


def match(
    images: Arrays,
    templates: Arrays,
    pairs: npt.ArrayLike | None = None,
    *,
    crop: Crop = (0, 0),
    search: npt.ArrayLike | None = None,
    normalize: bool = False,
    min_overlap: float = 0.0,
    eps: float = 0.0,
    quality: bool = False,
    threads: int | None = None,
    progress: bool = False,
    launcher: str | Sequence[str] | None = None,
    workdir: str | None = None,
    job_options: Sequence[str] = (),
) -> Result:
    """Finds each template of a pair on its image: the maximum of the float64 normalised cross-correlation (NCC).

    Images and templates are a stack [n, rows, cols], a sequence of 2-D arrays, or a dict of integer ids to 2-D arrays;
    None stands for pixels that are missing. Integers of 8 to 64 bits and floats of 16 to 64 bits; any byte order. They
    are never changed, and not copied where the pixels of a row are contiguous: slices of tiles make good templates.

    Args:
        images: what is searched.
        templates: what is sought; not larger than its image.
        pairs: [n, 2] integers (image id, template id); a row with -1 is no pair. None: image i with template i.
        crop: (X, Y) pixels: X columns left and right and Y rows top and bottom of the full correlation are not
            searched. "half": half of each template, so that its centre stays inside the image.
        search: [n, 4] integers (y0, x0, y1, x1), half-open, in coordinates of the full correlation: only there is
            the peak of each pair sought.
        normalize: subtract each image's and template's mean and divide by its standard deviation first, in a copy.
            Changes the NCC only where a template overhangs the image.
        min_overlap: ignore positions where less than this fraction of the template's area overlaps the image.
        eps: the response is 0 where sqrt(ssd(window) * ssd(template)) <= eps, in pixel units.
        quality: also find sub-pixel positions and second peaks.
        threads: CPU threads at most; None: ``MPIXCORR_THREADS``, else ``OMP_NUM_THREADS``, else the process's cores.
        progress: show a bar (tqdm) once it takes longer than a second.
        launcher: run as a job of the program ``mpixcorr`` (found in $MPIXCORR, else on the PATH) started by these
            words, for example "mpirun -n 8" or "srun". Needs h5py. None: in this process.
        workdir: folder for the job's files, seen by all its nodes; None: the current one.
        job_options: more options of ``mpixcorr run``, for example ("--device", "cpu").

    Returns:
        The answers in the order of the pairs. Bad pixels are a status of their pairs, not an exception.

    Raises:
        IndexError: a pair names an image or template that does not exist.
        ValueError, TypeError: arguments that make no sense.
        MpixcorrError: out of memory, or the job failed.
    """
    images, templates = as_arrays(images), as_arrays(templates)
    if pairs is None:
        if len(images) != len(templates):
            raise ValueError(f"{len(images)} images and {len(templates)} templates: say which belong together in pairs")
        pairs = np.array(list(zip(_ids(images), _ids(templates))), np.int64).reshape(-1, 2)
    rows = as_pairs(pairs)
    windows = as_windows(search, len(rows))
    check_ids(rows, images, templates)
    question = as_search(crop, normalize, min_overlap, eps, quality)
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}: expected 1 or more")
    if launcher is not None:
        from ._job import run_job

        return run_job(launcher, workdir, job_options, images, templates, rows, windows, question, threads, progress)
    results, shapes = match_here(images, templates, rows, windows, question, threads, progress)
    return _as_result(results, shapes, quality)


def _ids(arrays: Arrays) -> Sequence[int]:
    return sorted(arrays.keys()) if hasattr(arrays, "keys") else range(len(arrays))  # type: ignore[union-attr]


def as_search(crop: Crop, normalize: bool, min_overlap: float, eps: float, quality: bool) -> Search:
    """Checks what is asked."""
    half = isinstance(crop, str)
    if half and crop != "half":
        raise ValueError(f"crop is {crop!r}: expected (X, Y) in pixels, or 'half'")
    crop_x, crop_y = (0, 0) if half else (int(value) for value in crop)
    if crop_x < 0 or crop_y < 0:
        raise ValueError(f"crop is {crop!r}: expected no negative number")
    if not 0 <= min_overlap <= 1:
        raise ValueError(f"min_overlap is {min_overlap}: expected a fraction from 0 to 1")
    if not 0 <= eps < np.inf:
        raise ValueError(f"eps is {eps}: expected 0 or more")
    return Search(crop_y, crop_x, half, bool(normalize), float(eps), float(min_overlap), bool(quality))


def match_here(
    images: Arrays,
    templates: Arrays,
    pairs: np.ndarray,
    windows: np.ndarray | None,
    search: Search,
    threads: int | None,
    progress: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Matches in this process, image by image. Answers [n] RESULT and [n, 4] (image rows, cols, template rows, cols)."""
    results = np.empty(len(pairs), RESULT)
    shapes = np.ones((len(pairs), 4), np.int64)
    if len(pairs) == 0:
        return results, shapes
    order = np.argsort(pairs[:, 0], kind="stable")
    bounds = np.flatnonzero(np.diff(pairs[order, 0])) + 1
    most_threads = threads or default_threads()
    small: deque[_Group] = deque()
    with _Progress(len(pairs), progress) as bar:

        def match_small() -> None:
            _match_side_by_side(small, search, most_threads, results, shapes, bar.update)

        for rows in np.split(order, bounds):
            group = _Group(images, templates, pairs, windows, rows)
            if group.is_small:
                group.fetch_templates()
                small.append(group)
                if len(small) >= 16 * most_threads:
                    match_small()
            else:
                with borrowed_matcher(search, most_threads) as matcher:
                    group.match(matcher, results, shapes, bar.update)
        match_small()
    return results, shapes


def _match_side_by_side(
    groups: deque[_Group],
    search: Search,
    most_threads: int,
    results: np.ndarray,
    shapes: np.ndarray,
    done: Callable[[int], None],
) -> None:
    """Matches and removes groups, each by one thread: sharing an image's work costs more than it saves for them."""

    def work() -> None:
        with borrowed_matcher(search, 1) as matcher, contextlib.suppress(IndexError):
            while True:
                groups.popleft().match(matcher, results, shapes, done)

    helpers = min(most_threads, len(groups)) - 1
    if helpers < 1:
        if groups:
            work()
        return
    with ThreadPoolExecutor(helpers) as executor:
        started = [executor.submit(work) for _ in range(helpers)]
        try:
            work()
        finally:
            groups.clear()  # done, or given up
    for helper in started:
        helper.result()


class _Group:
    """The pairs of one image."""

    #: Images of fewer pixels are small.
    SMALL_PX = 256 * 256

    def __init__(
        self, images: Arrays, templates: Arrays, pairs: np.ndarray, windows: np.ndarray | None, rows: np.ndarray
    ) -> None:
        self._templates, self._windows = templates, windows
        self._fetched: dict[int, np.ndarray | None] | None = None
        self._image_id = int(pairs[rows[0], 0])
        self._image = None if self._image_id == -1 else as_pixels(images[self._image_id], f"image {self._image_id}")
        self._rows = list(zip(rows.tolist(), pairs[rows, 1].tolist()))

    @property
    def is_small(self) -> bool:
        return self._image is None or self._image.size < self.SMALL_PX

    def fetch_templates(self) -> None:
        """Now rather than one slice at a time: the caller's containers are asked by the caller's thread alone."""
        self._fetched = {i: self._template(i) for _, i in self._rows if i != -1}

    def _template(self, i: int) -> np.ndarray | None:
        return as_pixels(self._templates[i], f"template {i}") if self._fetched is None else self._fetched[i]

    def match(self, matcher: Matcher, results: np.ndarray, shapes: np.ndarray, done: Callable[[int], None]) -> None:
        """Fills the rows of this group, in slices."""
        image, key = self._image, matcher.new_key()
        for part in _slices(self._rows, 0 if image is None else image.size):
            found: list[np.ndarray] = []
            found_rows: list[int] = []
            for row, template_id in part:
                if self._image_id == -1 or template_id == -1:
                    results[row] = _no_answer(Status.INVALID)
                    continue
                template = self._template(template_id)
                if image is None or template is None:
                    results[row] = _no_answer(Status.UNREADABLE)
                    continue
                found.append(template)
                found_rows.append(row)
                shapes[row] = *image.shape, *template.shape
            if found and image is not None:
                windows = None if self._windows is None else self._windows[found_rows]
                results[found_rows] = matcher.match(key, describe([image]), describe(found), windows)
            done(len(part))


def _slices(rows: Sequence[_T], image_px: int) -> Iterator[Sequence[_T]]:
    """Parts of a group that take a fraction of a second each, so that progress shows and Ctrl-C works."""
    most = max(2, 50_000_000 // (image_px + 10_000))
    for start in range(0, len(rows), most):
        yield rows[start : start + most]


def _no_answer(status: Status) -> tuple[Any, ...]:
    nan = np.nan
    return ((-1, -1), nan, (nan, nan), (-1, -1), nan, int(status))


def _as_result(results: np.ndarray, shapes: np.ndarray, quality: bool) -> Result:
    coords = results["coords"].copy()
    answered = coords[:, 0] >= 0
    offsets = np.where(answered[:, None], coords - (shapes[:, 2:] - 1), -1)
    inside = np.minimum(offsets + shapes[:, 2:], shapes[:, :2]) - np.maximum(offsets, 0)
    overlap = np.where(answered, inside.prod(axis=1) / shapes[:, 2:].prod(axis=1), np.nan).astype(np.float32)
    names = ("subpixel", "second_coords", "second_peak") if quality else ()
    return Result(
        coords,
        results["peak"].copy(),
        results["status"].copy(),
        offsets,
        overlap,
        *(results[name].copy() for name in names),
    )


class _Progress:
    """A tqdm bar that appears after a second: most calls are shorter."""

    DELAY_S = 1.0

    def __init__(self, total: int, wanted: bool) -> None:
        self._total, self._wanted, self._done = total, wanted, 0
        self._bar: Any = None
        self._lock = threading.Lock()
        self._start = time.monotonic()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, n: int) -> None:
        with self._lock:
            self._done += n
            if self._bar is not None:
                self._bar.update(n)
            elif self._wanted and time.monotonic() - self._start > self.DELAY_S:
                from tqdm.auto import tqdm

                self._bar = tqdm(total=self._total, unit="pair")
                self._bar.start_t -= time.monotonic() - self._start
                self._bar.update(self._done)
