"""A batch of pairs matched in this process, image by image."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import numpy as np

from ._arrays import Arrays, as_pixels, describe
from ._library import ARRAY, RECT, RESULT, Matcher, Search, borrowed_matcher, default_threads
from ._result import Result, Status, warn

#: Images of fewer pixels are small: each is matched by one thread, as sharing its work costs more than it saves.
SMALL_PX = 256 * 256
#: Pixels of small images that are worth another thread, which takes as long to start as these to match.
PX_PER_THREAD = 1 << 17
#: What stands for pixels that are missing.
_MISSING = (0, 0, 1, 1, 1)


def match_here(
    images: Arrays,
    templates: Arrays,
    pairs: np.ndarray,
    where: dict[str, np.ndarray],
    search: Search,
    threads: int | None,
    progress: bool,
) -> Result:
    """Matches pairs [n, 2] of known ids, each where as_where() says."""
    batch = _Batch(images, templates, pairs, where)
    most_threads = threads or default_threads()
    small: deque[_Group] = deque()
    with _Progress(len(pairs), progress) as bar:
        for group in batch.groups():
            if group.image_px < SMALL_PX:
                group.fetch_all()
                small.append(group)
                if len(small) >= 16 * most_threads:
                    _match_side_by_side(small, search, most_threads, bar.update)
            else:
                with borrowed_matcher(search, most_threads) as matcher:
                    group.match(matcher, bar.update)
        _match_side_by_side(small, search, most_threads, bar.update)
    if batch.misleading:
        warn(f"{batch.misleading}; see normalize and min_overlap")
    return batch.result(search.quality)


def _match_side_by_side(groups: deque[_Group], search: Search, most_threads: int, done: Callable[[int], None]) -> None:
    """Matches and removes groups, each by one thread."""

    def work() -> None:
        with borrowed_matcher(search, 1) as matcher, contextlib.suppress(IndexError):
            while True:
                groups.popleft().match(matcher, done)

    helpers = min(most_threads - 1, len(groups) - 1, sum(group.work_px for group in groups) // PX_PER_THREAD)
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


class _Batch:
    """Pairs in the order of their images: tables side by side, a row for each pair, as the library wants them."""

    def __init__(self, images: Arrays, templates: Arrays, pairs: np.ndarray, where: dict[str, np.ndarray]) -> None:
        n = len(pairs)
        self.source_images, self.source_templates = images, templates
        self.order = np.argsort(pairs[:, 0], kind="stable")
        self.image_ids, self.template_ids = pairs[self.order].T.tolist()
        self.images, self.templates = np.empty(n, ARRAY), np.empty(n, ARRAY)
        self.windows = np.empty(n, RECT) if where else None
        self.near = where["near"][self.order] if "near" in where else None
        if self.windows is not None and "search" in where:
            self.windows["y0,x0,y1,x1"] = where["search"][self.order]
        self.results = np.zeros(n, RESULT)
        self.missing = np.zeros(n, np.uint8)  # the status of pairs without pixels, else 0
        self.misleading = ""  # why the first pair may be misled by zeros outside its image
        first = np.flatnonzero((pairs >= 0).all(1))[:1]
        self._first = int(np.flatnonzero(self.order == first)[0]) if first.size else -1
        tables = (self.images, self.templates, self.windows, self.results, self.near)
        self._addresses = [(None, 0) if t is None else (t.ctypes.data, t.strides[0]) for t in tables]

    def groups(self) -> Iterator[_Group]:
        """The pairs of one image after another."""
        ids, start = self.image_ids, 0
        while start < len(ids):
            end = start + 1
            while end < len(ids) and ids[end] == ids[start]:
                end += 1
            yield _Group(self, start, end)
            start = end

    def match(self, matcher: Matcher, key: int, start: int, end: int) -> None:
        """Matches rows start to end, which are of one image."""
        image, templates, windows, results, near = (a and a + start * size for a, size in self._addresses)
        if near:
            matcher.place_windows(end - start, image, templates, near, windows)
        if start <= self._first < end:
            shape, place = self.templates[self._first], (self._first - start) * RECT.itemsize
            self.misleading = matcher.why_misleading(
                self.image_ids[start], image, (shape["rows"], shape["cols"]), windows and windows + place
            )
        matcher.match(key, end - start, image, templates, windows, results)

    def result(self, quality: bool) -> Result:
        """The answers in the order in which the pairs were given."""
        bad = np.flatnonzero(self.missing)
        if bad.size:
            nan = np.nan
            self.results[bad] = np.array(((-1, -1), nan, (nan, nan), (-1, -1), nan, 0, 0), RESULT)
            self.results["status"][bad] = self.missing[bad]
        back = np.empty_like(self.order)
        back[self.order] = np.arange(len(self.order))
        results, images, templates = (table[back] for table in (self.results, self.images, self.templates))
        coords, answered = results["y,x"], results["y,x"][:, 0] >= 0
        sides = np.stack([templates["rows"], templates["cols"]], 1)
        offsets = np.where(answered[:, None], coords - sides + 1, -1)
        inside = np.minimum(offsets + sides, np.stack([images["rows"], images["cols"]], 1)) - np.maximum(offsets, 0)
        overlap = np.where(answered, inside.prod(1) / sides.prod(1), np.nan).astype(np.float32)
        names = ("subpixel_y,subpixel_x", "second_y,second_x", "second_peak") if quality else ()
        return Result(
            coords.copy(),
            results["peak"].copy(),
            results["status"].copy(),
            offsets,
            overlap,
            results["at_border"].astype(bool),
            *(results[name].copy() for name in names),
        )


class _Group:
    """The pairs of one image: rows start to end of a batch."""

    def __init__(self, batch: _Batch, start: int, end: int) -> None:
        self._batch, self._start, self._end = batch, start, end
        image_id = batch.image_ids[start]
        self._image = None if image_id == -1 else as_pixels(batch.source_images[image_id], f"image {image_id}")
        batch.images[start:end] = _MISSING if self._image is None else describe(self._image)
        self._no_image = Status.INVALID if image_id == -1 else Status.UNREADABLE if self._image is None else 0
        self.image_px = 0 if self._image is None else self._image.size
        self.work_px = self.image_px * (end - start)
        self._fetched: list[Any] | None = None

    def fetch_all(self) -> None:
        """Now rather than one slice at a time: the caller's containers are asked by the caller's thread alone."""
        self._fetched = self._fetch(self._start, self._end)

    def _fetch(self, start: int, end: int) -> list[Any]:
        """Describes the templates of these rows. Answers what must live until they are matched."""
        batch, ids = self._batch, self._batch.template_ids[start:end]
        pixels, described = {}, {-1: _MISSING}
        for i in ids:
            if i not in described:
                pixels[i] = as_pixels(batch.source_templates[i], f"template {i}")
                described[i] = _MISSING if pixels[i] is None else describe(pixels[i])
        batch.templates[start:end] = [described[i] for i in ids]
        if self._no_image or -1 in ids or any(p is None for p in pixels.values()):
            batch.missing[start:end] = [
                Status.INVALID if i == -1 else self._no_image or (Status.UNREADABLE if pixels[i] is None else 0)
                for i in ids
            ]
        return list(pixels.values())

    def match(self, matcher: Matcher, done: Callable[[int], None]) -> None:
        """Fills the rows of this group, in slices."""
        key = matcher.new_key()
        for start, end in _slices(self._start, self._end, self.image_px):
            alive = self._fetched or self._fetch(start, end)
            if alive and self._image is not None:
                self._batch.match(matcher, key, start, end)
            done(end - start)


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
