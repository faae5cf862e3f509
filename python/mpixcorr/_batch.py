"""A batch of pairs matched in this process, image by image."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ._arrays import Arrays, Masks, as_pixels, describe, describe_stack
from ._library import ARRAY, GROUP, PEAK, RECT, RESULT, Matcher, Search, borrowed_matcher, default_threads, new_key
from ._result import Result, Status, warn

#: Images of fewer pixels are small: they are matched many at a time, so that threads can take one each.
SMALL_PX = 256 * 256
#: Pixels of small images that are worth other threads.
PX_FOR_THREADS = 1 << 17
#: Pixels, each as often as it is searched, that take a fraction of a second: so long progress and Ctrl-C may wait.
SLICE_PX = 50_000_000
#: What a pair costs beside its pixels.
PAIR_PX = 10_000


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
    with _Progress(len(pairs), progress) as bar:
        for groups in batch.groups():
            large = groups[0].px >= SMALL_PX or sum(g.px * (g.end - g.start) for g in groups) >= PX_FOR_THREADS
            with borrowed_matcher(search, most_threads if large else 1) as matcher:
                batch.match(matcher, groups)
            bar.update(groups[-1].end - groups[0].start)
    if batch.misleading:
        warn(f"{batch.misleading}; see normalize and min_overlap")
    result = batch.result()
    at_border = np.count_nonzero(result.at_border)
    if at_border:
        lie = " lies" if at_border == 1 else "s lie"
        warn(f"{at_border} peak{lie} at the border of what was searched: a better match may lie beyond; see at_border")
    return result


class _Group(NamedTuple):
    """Pairs of one image: rows start to end of a batch."""

    start: int
    end: int
    key: int
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
        self._search, self._pairs = search, pairs
        self._peaks = np.empty((n, search.peaks), PEAK) if search.peaks else None
        self._images, self._templates, self._masks = images, templates, masks
        #: What is turned in from beyond a template is masked, and no mean.
        self._rims_masked = bool(masks and search.rotate[2]) and any(
            m.given(arrays, set(pairs[:, kind].tolist()) - {-1})
            for kind, (m, arrays) in enumerate(zip(masks or (), (images, templates)))
        )
        ids = pairs[:, 0]
        order: Any = slice(None)
        self._place: Any = order  # of the pairs, in the order in which they were given
        if (ids[1:] < ids[:-1]).any():
            order, self._place = np.argsort(ids, kind="stable"), np.empty(n, np.int64)
            self._place[order] = np.arange(n)
        self._ids = pairs[order]
        self._image_ids, self._template_ids = self._ids.T.tolist()
        self._image_table, self._template_table = np.empty(n, ARRAY), np.empty(n, ARRAY)
        #: Images and templates whose tables are complete: those of stacks.
        self._described = tuple(
            masks is None and describe_stack(arrays, column, table)
            for arrays, column, table in (
                (images, self._ids[:, 0], self._image_table),
                (templates, self._ids[:, 1], self._template_table),
            )
        )
        gaps = pairs < 0
        self._complete = not gaps.any()  # every row is a pair
        if not self._complete:
            for kind, table in enumerate((self._image_table, self._template_table)):
                table["data"][self._ids[:, kind] < 0] = 0
        self._results = np.empty(n, RESULT)
        self._missing = np.zeros(n, np.uint8)  # the status of pairs without pixels, else 0
        windows = np.empty(n, RECT) if where else None
        self._near = np.ascontiguousarray(where["near"][order]) if "near" in where else None
        if windows is not None and "search" in where:
            windows["y0,x0,y1,x1"] = where["search"][order]
        self._windows = windows
        tables = {
            "image": self._image_table,
            "templates": self._template_table,
            "windows": windows,
            "results": self._results,
            "peaks": self._peaks,
        }
        #: The first row of each table and the bytes of a row, by its field in GROUP.
        self._addresses = {name: (t.ctypes.data, t.strides[0]) for name, t in tables.items() if t is not None}
        self.misleading = ""  # why the first pair may be misled by zeros outside its image
        first = 0 if self._complete else int(gaps.any(axis=1).argmin())
        place = first if isinstance(order, slice) else int(self._place[first])
        self._first = -1 if n == 0 or gaps[first].any() else place

    def groups(self) -> Iterator[list[_Group]]:
        """Neighbouring groups to be matched by one call: one of a large image, or a slice of it, or many small ones."""
        together: list[_Group] = []
        work = 0
        for group in self._slices():
            more, large = (group.px + PAIR_PX) * (group.end - group.start), group.px >= SMALL_PX
            if together and (large or work + more > SLICE_PX):
                yield together
                together, work = [], 0
            if large:
                yield [group]  # before the next one is read
                continue
            together.append(group)
            work += more
        if together:
            yield together

    def _slices(self) -> Iterator[_Group]:
        """The pairs of one image after another, in slices where they are many."""
        ids, start = self._image_ids, 0
        while start < len(ids):
            i, end = ids[start], start + 1
            while end < len(ids) and ids[end] == i:
                end += 1
            pixels, mask = self._pixels(0, i)
            key, px = new_key(), 0 if pixels is None else pixels.size
            most = max(2, SLICE_PX // (px + PAIR_PX))
            for first in range(start, end, most):
                yield _Group(first, min(first + most, end), key, pixels, px, mask)
            start = end

    def _pixels(self, kind: int, i: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Pixels and mask of image (0) or template (1) i."""
        array, mask = None if i == -1 else (self._images, self._templates)[kind][i], None
        if self._described[kind]:
            return array, None
        if self._masks is not None and array is not None:
            array, mask = self._masks[kind].of(i, array)
        return as_pixels(array, f"{('image', 'template')[kind]} {i}"), mask

    def _fetch(self, groups: Sequence[_Group]) -> tuple[Any, dict[int, np.ndarray | None]]:
        """Describes the rows of these groups. Answers what must live until they are matched, and templates' masks."""
        rows = slice(groups[0].start, groups[-1].end)
        pixels: dict[int, np.ndarray | None] = {}
        masks: dict[int, np.ndarray | None] = {}
        if not self._described[0]:
            images: list[Any] = []
            for group in groups:
                images += [describe(group.pixels)] * (group.end - group.start)
            self._image_table[rows] = images
        if not self._described[1]:
            for i in self._template_ids[rows]:
                if i not in pixels:
                    pixels[i], masks[i] = self._pixels(1, i)
            described = {i: describe(array) for i, array in pixels.items()}
            self._template_table[rows] = [described[i] for i in self._template_ids[rows]]
        if self._complete and all(self._described):
            return pixels, masks
        absent = (self._image_table["data"][rows] == 0) | (self._template_table["data"][rows] == 0)
        if absent.any():
            invalid = (self._ids[rows] == -1).any(1)
            self._missing[rows][absent] = np.where(invalid, Status.INVALID, Status.UNREADABLE)[absent]
        return pixels, masks

    def match(self, matcher: Matcher, groups: Sequence[_Group]) -> None:
        """Fills the rows of neighbouring groups."""
        alive, of_templates = self._fetch(groups)
        groups = [g for g in groups if g.pixels is not None]
        table = np.zeros(len(groups), GROUP)
        of_groups = np.array([(g.start, g.end - g.start, g.key) for g in groups], np.int64).reshape(-1, 3)
        starts, table["n"], table["image_key"] = of_groups.T
        for field, (address, size) in self._addresses.items():
            table[field] = address + starts * size
        if self._near is not None:
            near = self._near.ctypes.data + starts * self._near.strides[0]
            for row, address in zip(table, near.tolist()):
                n, image, templates, windows = row[["n", "image", "templates", "windows"]].tolist()
                matcher.place_windows(n, image, templates, address, windows)
        masks = [] if self._masks is None else [self._mask_tables(g, of_templates) for g in groups]
        for row, both in zip(table, masks):
            if both:
                row["image_mask"], row["template_masks"] = both[0].ctypes.data, both[1].ctypes.data
        if matcher.may_mislead and groups and groups[0].start <= self._first < groups[-1].end:
            self.misleading = self._why_misleading(matcher)
        matcher.match(table)

    def _why_misleading(self, matcher: Matcher) -> str:
        """Of the first pair, empty where it is not."""
        row, shape = self._first, self._template_table["rows,cols"][self._first].tolist()
        image = self._image_table.ctypes.data + row * ARRAY.itemsize
        window = 0 if self._windows is None else self._windows.ctypes.data + row * RECT.itemsize
        return matcher.why_misleading(self._image_ids[row], image, shape, window)

    def _mask_tables(
        self, group: _Group, of_templates: dict[int, np.ndarray | None]
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The mask of a group's image and those of its templates; None where nothing is masked."""
        masks = [of_templates[i] for i in self._template_ids[group.start : group.end]]
        if group.mask is None and all(mask is None for mask in masks) and not self._rims_masked:
            return None
        return np.array([describe(group.mask)], ARRAY), np.array([describe(mask) for mask in masks], ARRAY)

    def result(self) -> Result:
        """The answers in the order in which the pairs were given."""
        if self._missing.any():
            bad = np.flatnonzero(self._missing)
            none, nan = (-1, -1), np.nan
            self._results[bad] = np.array((none, nan, (nan, nan), (nan, nan), none, nan, nan, nan, 0, 0), RESULT)
            self._results["status"][bad] = self._missing[bad]
            if self._peaks is not None:
                self._peaks[bad] = np.array(((-1, -1), nan), PEAK)
        results = self._results[self._place]
        sides = self._template_table["rows,cols"][self._place]
        coords = results["y,x"].copy()
        offsets = coords + 1 - sides
        offsets[coords[:, 0] < 0] = -1
        more: dict[str, np.ndarray] = {}
        if self._peaks is not None:
            peaks = self._peaks[self._place]
            more["top_coords"], more["top_peaks"] = peaks["y,x"].copy(), peaks["value"].copy()
        if self._search.rotate[2]:
            more["angles"] = results["angle"].copy()
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
            results["overlap"].astype(np.float32),
            results["at_border"].astype(bool),
            pairs=self._pairs,
            **more,
        )


class _Progress:
    """A tqdm bar that appears after a second: most calls are shorter."""

    DELAY_S = 1.0

    def __init__(self, total: int, wanted: bool) -> None:
        self._total, self._wanted, self._done = total, wanted, 0
        self._bar: Any = None
        self._start = time.monotonic()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, n: int) -> None:
        self._done += n
        if self._bar is not None:
            self._bar.update(n)
        elif self._wanted and time.monotonic() - self._start > self.DELAY_S:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self._total, unit="pair")
            self._bar.start_t -= time.monotonic() - self._start
            self._bar.update(self._done)
