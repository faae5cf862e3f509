"""A batch of pairs matched in this process, image by image."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, NamedTuple

import numpy as np

from ._arrays import Arrays, Masks, as_pixels, describe
from ._library import ARRAY, PEAK, RECT, RESULT, Matcher, Search, borrowed_matcher, default_threads
from ._result import Result, Status, warn

#: Images of fewer pixels are small: each is matched by one thread, as sharing its work costs more than it saves.
SMALL_PX = 256 * 256
#: Pixels of small images that are worth another thread: its start takes 0.15 ms, these several times that.
PX_PER_THREAD = 1 << 17


def match_here(
    images: Arrays,
    templates: Arrays,
    pairs: np.ndarray,
    where: dict[str, np.ndarray],
    search: Search,
    threads: int | None,
    progress: bool,
    masks: tuple[Masks, Masks] | None = None,
) -> Result:
    """Matches pairs [n, 2] of known ids, each where as_where() says; masks of images and templates, or None: none."""
    batch = _Batch(images, templates, pairs, where, search, masks)
    most_threads = threads or default_threads()
    small: list[_Group] = []  # neighbours
    with _Progress(len(pairs), progress) as bar:
        for group in batch.groups():
            if group.px < SMALL_PX:
                small.append(group)
                if len(small) < 16 * most_threads:
                    continue
            _match_side_by_side(batch, small, search, most_threads, bar.update)
            small = []
            if group.px >= SMALL_PX:
                with borrowed_matcher(search, most_threads) as matcher:
                    batch.match(matcher, group, bar.update)
        _match_side_by_side(batch, small, search, most_threads, bar.update)
    if batch.misleading:
        warn(f"{batch.misleading}; see normalize and min_overlap")
    result = batch.result()
    at_border = np.count_nonzero(result.at_border)
    if at_border:
        lie = " lies" if at_border == 1 else "s lie"
        warn(f"{at_border} peak{lie} at the border of what was searched: a better match may lie beyond; see at_border")
    return result


def _match_side_by_side(
    batch: _Batch, groups: list[_Group], search: Search, most_threads: int, done: Callable[[int], None]
) -> None:
    """Matches neighbouring groups, each by one thread."""
    if not groups:
        return
    # Now rather than by each thread: the caller's containers are asked by the caller's thread alone.
    alive = batch.fetch(groups, groups[0].start, groups[-1].end)
    left = deque(groups)

    def work() -> None:
        with borrowed_matcher(search, 1) as matcher, contextlib.suppress(IndexError):
            while True:
                batch.match(matcher, left.popleft(), done, alive)

    work_px = sum(group.px * (group.end - group.start) for group in groups)
    helpers = min(most_threads - 1, len(groups) - 1, work_px // PX_PER_THREAD)
    if helpers < 1:
        work()
        return
    with ThreadPoolExecutor(helpers) as executor:
        started = [executor.submit(work) for _ in range(helpers)]
        try:
            work()
        finally:
            left.clear()  # done, or given up
    for helper in started:
        helper.result()


class _Group(NamedTuple):
    """The pairs of one image: rows start to end of a batch."""

    start: int
    end: int
    pixels: np.ndarray | None
    px: int
    mask: np.ndarray | None


class _Batch:
    """Pairs in the order of their images: tables side by side, a row for each pair, as the library wants them."""

    def __init__(
        self,
        images: Arrays,
        templates: Arrays,
        pairs: np.ndarray,
        where: dict[str, np.ndarray],
        search: Search,
        masks: tuple[Masks, Masks] | None,
    ) -> None:
        n = len(pairs)
        self._search = search
        self._peaks = np.empty((n, search.peaks), PEAK)
        self._images, self._templates, self._masks = images, templates, masks
        self._overlap = np.full(n, np.nan)  # of masked pairs
        self._order = np.argsort(pairs[:, 0], kind="stable")
        self._image_ids, self._template_ids = pairs[self._order].T.tolist()
        self._image_table, self._template_table = np.empty(n, ARRAY), np.empty(n, ARRAY)
        self._results = np.empty(n, RESULT)
        self._missing = np.zeros(n, np.uint8)  # the status of pairs without pixels, else 0
        windows = np.empty(n, RECT) if where else None
        near = where["near"][self._order] if "near" in where else None
        if windows is not None and "search" in where:
            windows["y0,x0,y1,x1"] = where["search"][self._order]
        self._tables = (self._image_table, self._template_table, windows, self._results, near)
        self._addresses = [(None, 0) if t is None else (t.ctypes.data, t.strides[0]) for t in self._tables]
        self.misleading = ""  # why the first pair may be misled by zeros outside its image
        is_pair = (pairs[:, 0] >= 0) & (pairs[:, 1] >= 0)
        first = is_pair.argmax() if n else 0
        self._first = int((self._order == first).argmax()) if n and is_pair[first] else -1

    def groups(self) -> Iterator[_Group]:
        """The pairs of one image after another."""
        ids, start = self._image_ids, 0
        while start < len(ids):
            i, end = ids[start], start + 1
            while end < len(ids) and ids[end] == i:
                end += 1
            pixels, mask = self._pixels(0, i)
            yield _Group(start, end, pixels, 0 if pixels is None else pixels.size, mask)
            start = end

    def _pixels(self, kind: int, i: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Pixels and mask of image (0) or template (1) i."""
        array, mask = None if i == -1 else (self._images, self._templates)[kind][i], None
        if self._masks is not None and array is not None:
            array, mask = self._masks[kind].of(i, array)
        return as_pixels(array, f"{('image', 'template')[kind]} {i}"), mask

    def fetch(self, groups: Sequence[_Group], start: int, end: int) -> Any:
        """Describes rows start to end, of these groups. Answers what must live until they are matched."""
        images: list[Any] = []
        for group in groups:
            images += [describe(group.pixels)] * (min(group.end, end) - max(group.start, start))
        ids = self._template_ids[start:end]
        pixels: dict[int, np.ndarray | None] = {-1: None}
        masks: dict[int, np.ndarray | None] = {-1: None}
        for i in ids:
            if i not in pixels:
                pixels[i], masks[i] = self._pixels(1, i)
        described = {i: describe(array) for i, array in pixels.items()}
        self._image_table[start:end] = images
        self._template_table[start:end] = [described[i] for i in ids]
        for row, (image, i) in enumerate(zip(images, ids), start):
            if not image[0] or pixels[i] is None:
                self._missing[row] = Status.INVALID if -1 in (self._image_ids[row], i) else Status.UNREADABLE
        return pixels, masks

    def match(self, matcher: Matcher, group: _Group, done: Callable[[int], None], fetched: Any = None) -> None:
        """Fills the rows of a group, in slices; fetches their templates where that is not done."""
        key = matcher.new_key()
        for start, end in _slices(group.start, group.end, group.px):
            alive = fetched or self.fetch([group], start, end)
            if alive and group.pixels is not None:
                self._match(matcher, key, start, end, group, alive[1])
            done(end - start)

    def _match(
        self,
        matcher: Matcher,
        key: int,
        start: int,
        end: int,
        group: _Group,
        template_masks: dict[int, np.ndarray | None],
    ) -> None:
        image, templates, windows, results, near = (a and a + start * size for a, size in self._addresses)
        if near:
            matcher.place_windows(end - start, image, templates, near, windows)
        if start <= self._first < end:
            shape = self._template_table["rows,cols"][self._first].tolist()
            window = windows and windows + (self._first - start) * RECT.itemsize
            self.misleading = matcher.why_misleading(self._image_ids[start], image, shape, window)
        of_templates = [template_masks[i] for i in self._template_ids[start:end]]
        masked = group.mask is not None or any(mask is not None for mask in of_templates)
        tables = [np.array([describe(mask) for mask in masks], ARRAY) for masks in ([group.mask], of_templates)]
        addresses = (tables[0].ctypes.data, tables[1].ctypes.data) if masked else (None, None)
        matcher.match(key, end - start, image, templates, windows, results, addresses)
        if self._search.peaks:
            matcher.copy_peaks(end - start, self._peaks[start:].ctypes.data)
        for row, mask in enumerate(of_templates, start):
            if group.mask is not None or mask is not None:
                self._overlap[row] = self._valid_overlap(row, group.mask, mask)

    def _valid_overlap(self, row: int, mask: np.ndarray | None, template_mask: np.ndarray | None) -> float:
        """The fraction of the template's valid pixels that meet valid ones at the peak."""
        (y, x), (rows, cols) = self._results["y,x"][row].tolist(), self._template_table["rows,cols"][row].tolist()
        if y < 0:
            return np.nan
        valid = np.ones(self._image_table["rows,cols"][row], bool) if mask is None else mask != 0
        mine = np.ones((rows, cols), bool) if template_mask is None else template_mask != 0
        top, left = y - rows + 1, x - cols + 1
        part = valid[max(top, 0) : y + 1, max(left, 0) : x + 1]
        met = part & mine[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
        return np.count_nonzero(met) / np.count_nonzero(mine)

    def result(self) -> Result:
        """The answers in the order in which the pairs were given."""
        bad = np.flatnonzero(self._missing)
        if bad.size:
            nan = np.nan
            self._results[bad] = np.array(((-1, -1), nan, (nan, nan), (nan, nan), (-1, -1), nan, 0, 0), RESULT)
            self._results["status"][bad] = self._missing[bad]
            self._peaks[bad] = np.array(((-1, -1), nan), PEAK)
        n = len(self._order)
        results, image_sides, sides = np.empty(n, RESULT), np.empty((n, 2), np.int64), np.empty((n, 2), np.int64)
        results[self._order] = self._results
        image_sides[self._order] = self._image_table["rows,cols"]
        sides[self._order] = self._template_table["rows,cols"]
        coords = results["y,x"].copy()
        offsets = coords - sides + 1
        inside = np.minimum(offsets + sides, image_sides) - np.maximum(offsets, 0)
        overlap = (inside[:, 0] * inside[:, 1] / (sides[:, 0] * sides[:, 1])).astype(np.float32)
        of_masked = np.empty(n)
        of_masked[self._order] = self._overlap
        overlap = np.where(np.isnan(of_masked), overlap, of_masked).astype(np.float32)
        unanswered = coords[:, 0] < 0
        offsets[unanswered] = -1
        overlap[unanswered] = np.nan
        more: dict[str, np.ndarray] = {}
        if self._search.peaks:
            peaks = np.empty_like(self._peaks)
            peaks[self._order] = self._peaks
            more["top_coords"], more["top_peaks"] = peaks["y,x"].copy(), peaks["value"].copy()
        if self._search.quality:
            more["subpixel"] = results["subpixel_y,subpixel_x"].copy()
            more["subpixel_offsets"] = more["subpixel"] - (sides - 1)
            more["curvature"] = results["curvature_y,curvature_x"].copy()
            more["second_coords"] = results["second_y,second_x"].copy()
            more["second_peaks"] = results["second_peak"].copy()
        return Result(
            coords,
            results["peak"].copy(),
            results["status"].copy(),
            offsets,
            overlap,
            results["at_border"].astype(bool),
            **more,
        )


def _slices(start: int, end: int, image_px: int) -> Iterator[tuple[int, int]]:
    """Parts of a group that take a fraction of a second each, so that progress shows and Ctrl-C works."""
    most = max(2, 50_000_000 // (image_px + 10_000))
    for i in range(start, end, most):
        yield i, min(i + most, end)


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
