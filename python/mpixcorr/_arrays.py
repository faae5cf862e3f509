"""What callers hand over: images, templates and pairs in their many forms, brought to what libmpixcorr takes, or refused.

Pixels are borrowed wherever the pixels of a row are contiguous, whatever the distance between rows; else one array at a
time is copied. Nothing of the caller's is ever written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ._library import PIXEL_TYPES

#: Images or templates: a stack [n, rows, cols]; a sequence of 2-D arrays or None; a mapping of integer ids to these.
#: An array is what has shape, dtype and slicing: of NumPy, HDF5, Zarr, and what is read as it is asked for.
Arrays = Union[np.ndarray, Sequence[Any], Mapping[int, Any]]

#: Channels of colour pictures, and the least width of a picture that is taken for one.
_CHANNELS, _COLOUR_COLS = (3, 4), 32


def as_arrays(arrays: Arrays, what: str) -> Arrays:
    """Stacks, sequences and mappings as they are; a single 2-D array is a stack of one."""
    shape = getattr(arrays, "shape", None)
    if shape is None or (len(shape) == 1 and arrays.dtype == object):  # type: ignore[union-attr]
        return arrays
    if len(shape) == 2:
        return arrays[np.newaxis] if isinstance(arrays, np.ndarray) else [arrays]
    if len(shape) != 3:
        raise ValueError(f"{what} have shape {list(shape)}: expected a stack [n, rows, cols], or 2-D arrays")
    if shape[2] in _CHANNELS and shape[1] >= _COLOUR_COLS:
        raise ValueError(
            f"{what} have shape {list(shape)}: a picture in colour, not a stack [n, rows, cols]; make it grey first"
        )
    return arrays


def as_integers(values: npt.ArrayLike, what: str, expected: str, shape: tuple[int | None, int]) -> np.ndarray:
    """[n, k] int64 of any numbers without fractions; a limit beyond int64 is its largest."""
    found = np.asarray(values)
    if found.size == 0 and shape[0] in (0, None):
        return np.zeros((0, shape[1]), np.int64)
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(f"{what} has masked entries: expected {expected}")
    if found.ndim != 2 or found.shape[1] != shape[1] or len(found) != (shape[0] or len(found)):
        raise ValueError(f"{what} is {found.dtype} {list(found.shape)}: expected {expected}")
    if found.dtype.kind == "u":
        return np.minimum(found.astype(np.uint64), np.uint64(2**63 - 1)).astype(np.int64)
    if found.dtype.kind == "i":
        return found.astype(np.int64, copy=False)
    if found.dtype.kind != "f":
        raise ValueError(f"{what} is {found.dtype} {list(found.shape)}: expected {expected}")
    with np.errstate(invalid="ignore"):
        whole = found.astype(np.int64)
    if not np.array_equal(whole, found):
        raise ValueError(f"{what} holds numbers with fractions: expected {expected}")
    return whole


def as_pairs(pairs: npt.ArrayLike) -> np.ndarray:
    """[n, 2] int64 (image id, template id)."""
    return as_integers(pairs, "pairs", "integers [n, 2] (image id, template id)", (None, 2))


def as_where(search: npt.ArrayLike | None, near: npt.ArrayLike | None, n: int) -> dict[str, np.ndarray]:
    """What says where each pair is sought, [n, 4] int64, by the name of its dataset: at most one."""
    if search is not None and near is not None:
        raise ValueError("search and near: expected at most one of them")
    where = {}
    if search is not None:
        where["search"] = as_integers(search, "search", f"integers [{n}, 4] (y0, x0, y1, x1)", (n, 4))
    if near is not None:
        where["near"] = as_integers(near, "near", f"integers [{n}, 4] (y, x, radius_y, radius_x)", (n, 4))
    return where


def known_ids(arrays: Arrays) -> Iterable[int]:
    """The ids that may be asked for, None or not."""
    if isinstance(arrays, Mapping):
        return arrays.keys()
    shape = getattr(arrays, "shape", None)  # what is read as it is asked for need not have a length
    return range(len(arrays) if shape is None else shape[0])


def pairs_of(images: Arrays, templates: Arrays) -> np.ndarray:
    """[n, 2] int64: the images with the templates, in the order of their ids."""
    known = map(known_ids, (images, templates))
    ids = [np.arange(len(k)) if isinstance(k, range) else sorted(k) for k in known]
    if len(ids[0]) != len(ids[1]):
        raise ValueError(f"{len(ids[0])} images and {len(ids[1])} templates: say which belong together in pairs")
    pairs = np.empty((len(ids[0]), 2), np.int64)
    pairs[:, 0], pairs[:, 1] = ids
    return pairs


def check_ids(pairs: np.ndarray, images: Arrays, templates: Arrays) -> None:
    """Every id exists, or is -1 for a row without a pair. Raises IndexError before any work."""
    if len(pairs) == 0:
        return
    lowest, highest = pairs.min(0).tolist(), pairs.max(0).tolist()
    for column, (name, arrays) in enumerate((("image", images), ("template", templates))):
        known, ids = known_ids(arrays), pairs[:, column]
        asked = {lowest[column], highest[column]} if isinstance(known, range) else set(ids.tolist())
        unknown = [i for i in asked if i != -1 and i not in known]  # of a range both ends tell
        if unknown:
            row = int(np.flatnonzero(np.isin(ids, unknown))[0])
            raise IndexError(f"row {row} of the pairs names {name} {ids[row]}, which does not exist")


class Masks:
    """Which pixels are valid: of one mask for all, of masks by id, and of masked arrays, where True means masked."""

    def __init__(self, given: Any, what: str) -> None:
        shape = getattr(given, "shape", None)
        #: One for all, or None.
        self._all = np.asarray(given) if shape is not None and len(shape) == 2 else None
        self._given = None if self._all is not None else given
        self._what = what

    def of(self, i: int, array: Any) -> tuple[Any, np.ndarray | None]:
        """Pixels without a mask of their own, and bytes [rows, cols], 1 valid and 0 not; None where there is no mask."""
        mask = self._given_for(i)
        valid = None if mask is None else np.asarray(mask) != 0
        if array is not None and valid is not None and valid.shape != np.shape(array):
            raise ValueError(f"{self._what} {i} has shape {list(valid.shape)}, its pixels {list(np.shape(array))}")
        if isinstance(array, np.ma.MaskedArray):
            own = ~np.ma.getmaskarray(array)
            valid = own if valid is None else valid & own
            array = array.data
        if array is None or valid is None:
            return array, None
        return array, np.ascontiguousarray(valid, np.uint8)

    def given(self, arrays: Arrays, ids: Iterable[int]) -> bool:
        """Whether any of these arrays has a mask."""
        return any(self._given_for(i) is not None for i in ids) or _some_masked(arrays, ids)

    def _given_for(self, i: int) -> Any:
        if self._all is not None or self._given is None:
            return self._all
        return self._given.get(i) if isinstance(self._given, Mapping) else self._given[i]


def _some_masked(arrays: Arrays, ids: Iterable[int]) -> bool:
    """Whether any of these is one of NumPy's masked arrays."""
    if getattr(arrays, "dtype", object) != object:  # what is read as it is asked for is none of these
        return isinstance(arrays, np.ma.MaskedArray)
    return any(isinstance(arrays[i], np.ma.MaskedArray) for i in ids)


def _is_plain(array: np.ndarray) -> bool:
    """Libmpixcorr reads it as it is: most arrays, of which no more need be asked."""
    flags = array.flags
    return array.ndim == 2 and array.dtype in PIXEL_TYPES and flags.c_contiguous and flags.aligned and array.size > 0


def as_pixels(array: Any, what: str) -> np.ndarray | None:
    """[rows, cols] of a type and layout that libmpixcorr reads: a view, or a copy where it must be; None for None."""
    if array is None or (type(array) is np.ndarray and _is_plain(array)):
        return array
    lazy = not isinstance(array, np.ndarray) and hasattr(array, "dtype") and hasattr(array, "shape")
    pixels = np.asarray(array[(slice(None),) * len(array.shape)] if lazy and len(array.shape) else array)
    if pixels is not array and np.ma.is_masked(array):
        raise ValueError(f"{what} has masked pixels, which would take part in the match: say outside='ignore' to leave them out")
    if pixels.ndim != 2 or pixels.size == 0:
        colour = pixels.ndim == 3 and pixels.shape[2] in _CHANNELS
        grey = ", in grey" if colour else ""
        raise ValueError(f"{what} has shape {list(pixels.shape)}: expected [rows, cols]{grey}")
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


def pixel_type(dtype: np.dtype, what: str) -> np.dtype:
    """The type in which libmpixcorr and the program take such pixels: native, and float64 for integers of 64 bits."""
    native = dtype.newbyteorder("=")
    if native in PIXEL_TYPES:
        return native
    if dtype.kind in "biu":
        return np.dtype(np.uint8 if dtype.kind == "b" else np.float64)
    raise TypeError(f"{what} is {dtype}: expected integers or floats of at most 64 bits")


def _converted(pixels: np.ndarray, what: str) -> np.ndarray:
    target = pixel_type(pixels.dtype, what)
    if pixels.dtype.kind in "iu" and target.kind == "f" and max(-int(pixels.min()), int(pixels.max())) > 2**53:
        raise ValueError(f"{what} holds {pixels.dtype} beyond 2**53, which float64 cannot tell apart")
    return pixels.astype(target)


def describe(pixels: np.ndarray | None) -> tuple[Any, ...]:
    """One ARRAY, borrowing the pixels; for None one without pixels."""
    if pixels is None:
        return 0, 0, (1, 1), 1
    rows, cols = shape = pixels.shape
    stride = pixels.strides[0] // pixels.itemsize if rows > 1 else cols
    return pixels.ctypes.data, PIXEL_TYPES[pixels.dtype], shape, stride


def describe_stack(stack: Any, ids: np.ndarray, table: np.ndarray) -> bool:
    """Fills ARRAY [n] by the planes with these ids, borrowing their pixels; those of -1 lie nowhere. Whether it could,
    which of all kinds of images is what a stack of plain planes allows."""
    if type(stack) is not np.ndarray or stack.ndim != 3 or not len(stack) or not _is_plain(stack[0]):
        return False
    (stride, _, size), (_, rows, cols) = stack.strides, stack.shape
    if stride % size:
        return False
    table["data"] = ids * stride + stack.ctypes.data
    table["dtype"], table["rows,cols"], table["row_stride"] = PIXEL_TYPES[stack.dtype], (rows, cols), cols
    return True
