"""What callers hand over: images, templates and pairs in their many forms, brought to what libmpixcorr takes.

Pixels are borrowed wherever the pixels of a row are contiguous, whatever the distance between rows; else one array at a
time is copied. Nothing of the caller's is ever written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ._library import ARRAY, PIXEL_TYPES, RECT

#: Images or templates: a stack [n, rows, cols]; a sequence of 2-D arrays or None; a mapping of integer ids to these.
Arrays = Union[np.ndarray, Sequence[Any], Mapping[int, Any]]


def as_arrays(arrays: Arrays) -> Arrays:
    """A single 2-D array is a stack of one."""
    return arrays[np.newaxis] if isinstance(arrays, np.ndarray) and arrays.ndim == 2 else arrays


def as_pairs(pairs: npt.ArrayLike) -> np.ndarray:
    """[n, 2] int64 (image id, template id)."""
    found = np.asarray(pairs)
    if found.size == 0:
        return np.zeros((0, 2), np.int64)
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iuf":
        raise ValueError(
            f"pairs are {found.dtype} {list(found.shape)}: expected integers [n, 2] (image id, template id)"
        )
    whole = found.astype(np.int64)
    if found.dtype.kind == "f" and not np.array_equal(whole, found):
        raise ValueError("pairs hold numbers with fractions: expected integers [n, 2] (image id, template id)")
    return whole


def as_windows(search: npt.ArrayLike | None, n: int) -> np.ndarray | None:
    """[n] RECT of [n, 4] integers (y0, x0, y1, x1)."""
    if search is None:
        return None
    found = np.asarray(search)
    if found.shape != (n, 4) or found.dtype.kind not in "iu":
        raise ValueError(f"search is {found.dtype} {list(found.shape)}: expected integers [{n}, 4] (y0, x0, y1, x1)")
    return np.ascontiguousarray(found, np.int64).view(RECT)[:, 0]


def known_ids(arrays: Arrays) -> Iterable[int]:
    """The ids that may be asked for, None or not."""
    return arrays.keys() if isinstance(arrays, Mapping) else range(len(arrays))


def check_ids(pairs: np.ndarray, images: Arrays, templates: Arrays) -> None:
    """Every id exists, or is -1 for a row without a pair. Raises IndexError before any work."""
    for column, (name, arrays) in enumerate((("image", images), ("template", templates))):
        known = known_ids(arrays)
        for i in np.unique(pairs[:, column]).tolist():
            if i != -1 and i not in known:
                row = int(np.flatnonzero(pairs[:, column] == i)[0])
                raise IndexError(f"row {row} of the pairs names {name} {i}, which does not exist")


def as_pixels(array: Any, what: str) -> np.ndarray | None:
    """[rows, cols] of a type and layout that libmpixcorr reads: a view, or a copy where it must be; None for None."""
    if array is None:
        return None
    pixels = np.asarray(array)
    if pixels.ndim != 2 or pixels.size == 0:
        raise ValueError(f"{what} has shape {list(pixels.shape)}: expected [rows, cols]")
    if pixels.dtype not in PIXEL_TYPES:
        pixels = _converted(pixels, what)
    size, (row_stride, col_stride) = pixels.dtype.itemsize, pixels.strides
    rows, cols = pixels.shape
    if (
        not pixels.flags.aligned
        or (cols > 1 and col_stride != size)
        or (rows > 1 and (row_stride % size or abs(row_stride) < cols * size))
    ):
        pixels = np.ascontiguousarray(pixels)
        if not pixels.flags.aligned:
            pixels = pixels.copy()
    return pixels


def _converted(pixels: np.ndarray, what: str) -> np.ndarray:
    """Other byte orders, and types whose values float64 holds exactly."""
    native = pixels.dtype.newbyteorder("=")
    if pixels.dtype == bool:
        return pixels.view(np.uint8)
    if native in PIXEL_TYPES:
        return pixels.astype(native)
    if pixels.dtype.kind in "iu":
        converted = pixels.astype(np.float64)
        if np.abs(converted).max() > 2**53:
            raise ValueError(f"{what} holds {pixels.dtype} beyond 2**53, which float64 cannot tell apart")
        return converted
    raise TypeError(f"{what} is {pixels.dtype}: expected integers or floats of at most 64 bits")


def describe(pixels: Sequence[np.ndarray]) -> np.ndarray:
    """[n] ARRAY, borrowing the pixels."""
    return np.array(
        [
            (
                p.__array_interface__["data"][0],
                PIXEL_TYPES[p.dtype],
                p.shape[0],
                p.shape[1],
                p.strides[0] // p.itemsize if p.shape[0] > 1 else p.shape[1],
            )
            for p in pixels
        ],
        ARRAY,
    )
