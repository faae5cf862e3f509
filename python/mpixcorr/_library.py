"""libmpixcorr by ctypes: its types as NumPy and ctypes see them, and matchers that are kept between calls.

Knows the C interface (mpixcorr.h) and nothing of lists, dicts or files. No thread starts before the first matcher.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class MpixcorrError(RuntimeError):
    """What libmpixcorr or the program said; one line."""


#: ncc_dtype of each pixel type that needs no conversion.
PIXEL_TYPES: dict[np.dtype, int] = {
    np.dtype(name): code for code, name in enumerate(("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"))
}


class Search(NamedTuple):
    """ncc_search: everything that may change a result."""

    crop_y: int = 0
    crop_x: int = 0
    crop_half: bool = False
    normalize: bool = False
    eps: float = 0.0
    min_overlap: float = 0.0
    quality: bool = False
    #: A chain as the command line has it, "median:3,log:1.5"; "": none.
    filter: str = ""
    #: Nothing lies outside the image, in place of zeros.
    ignore_outside: bool = False
    #: Best peaks listed for each pair; 0: no list.
    peaks: int = 0
    #: What separates peaks, pixels; 0: the library's choice.
    separation: int = 0
    #: First and last angle and the step between, in 1e-6 degree; step 0: templates are not turned.
    rotate: tuple[int, int, int] = (0, 0, 0)


def _load() -> ctypes.CDLL:
    path = os.environ.get("MPIXCORR_LIBRARY") or str(Path(__file__).with_name("libmpixcorr.so"))
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"libmpixcorr was not found at {path}: install the package with `pip install ./python`, "
            f"or name the library in MPIXCORR_LIBRARY ({error})"
        ) from None
    pointer, i64, status = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "ncc_version": (ctypes.c_char_p, []),
        "ncc_error_message": (ctypes.c_char_p, []),
        "ncc_layout": (i64, [ctypes.c_char_p]),
        "ncc_filter_parse": (status, [ctypes.c_char_p, pointer, pointer]),
        "ncc_matcher_create": (status, [pointer, pointer, pointer]),
        "ncc_matcher_destroy": (None, [pointer]),
        "ncc_windows_near": (status, [pointer, pointer, i64, pointer, pointer, pointer]),
        "ncc_overhang_misleads": (
            ctypes.c_bool,
            [pointer, pointer, pointer, i64, i64, i64, ctypes.c_char_p, ctypes.c_size_t],
        ),
        "ncc_matcher_match_groups": (status, [pointer, i64, pointer]),
        "ncc_matcher_counters": (pointer, [pointer]),
        "ncc_verdict_name": (ctypes.c_char_p, [ctypes.c_int]),
        "ncc_displacements_judge": (
            status,
            [i64, pointer, pointer, pointer, ctypes.c_double, ctypes.c_double, pointer, pointer, pointer, pointer],
        ),
        "ncc_wisdom_load": (status, [ctypes.c_char_p]),
        "ncc_wisdom_save": (status, [ctypes.c_char_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name, None)
        if function is None:
            raise ImportError(f"{path} is not of this package's release: it has no {name}()")
        function.restype, function.argtypes = result, arguments
    return library


_ncc = _load()


@functools.lru_cache(None)
def _layout(name: str) -> int:
    """Bytes of a C struct, or the offset of its field, as the library has it: nothing is laid out by Python."""
    told = _ncc.ncc_layout(name.encode())
    if told < 0:
        raise ImportError(f"{_ncc._name} is not of this package's release: it has no {name}")
    return told


def _struct(name: str, fields: dict[str, Any]) -> np.dtype:
    """A C struct for NumPy, of {field: type}; "y,x" are two neighbours of one type. Other fields are zeros, defaults."""
    offsets, formats = [], []
    for field, kind in fields.items():
        first, *others = (_layout(f"{name}.{part}") for part in field.split(","))
        size = np.dtype(kind).itemsize
        if any(other != first + (i + 1) * size for i, other in enumerate(others)):
            raise ImportError(f"{_ncc._name} is not of this package's release: {name} has {field} apart")
        offsets.append(first)
        formats.append((kind, 1 + len(others)) if others else kind)
    layout = {"names": list(fields), "formats": formats, "offsets": offsets, "itemsize": _layout(name)}
    return np.dtype(layout)  # type: ignore[call-overload]


_I64, _F64 = np.int64, np.float64
ARRAY = _struct("ncc_array", {"data": np.uintp, "dtype": np.int32, "rows,cols": _I64, "row_stride": _I64})
RECT = _struct("ncc_rect", {"y0,x0,y1,x1": _I64})
RESULT = _struct(
    "ncc_result",
    {
        "y,x": _I64,
        "peak": _F64,
        "subpixel_y,subpixel_x": _F64,
        "curvature_y,curvature_x": _F64,
        "second_y,second_x": _I64,
        "second_peak": _F64,
        "angle": _F64,
        "overlap": _F64,
        "status": np.uint8,
        "at_border": np.uint8,
    },
)
_ROTATE = "rotate_from,rotate_to,rotate_step"
_SEARCH = _struct(
    "ncc_search",
    {
        "crop_y": _I64,
        "crop_x": _I64,
        "crop_half": np.bool_,
        "normalize": np.bool_,
        "eps": _F64,
        "min_overlap": _F64,
        "quality": np.bool_,
        "n_filters": np.int32,
        "outside": np.int32,
        "peaks": np.int32,
        "separation": np.int32,
        _ROTATE: _I64,
    },
)
PEAK = _struct("ncc_peak", {"y,x": _I64, "value": _F64})
GROUP = _struct(
    "ncc_group",
    {
        "image_key": _I64,
        "image": np.uintp,
        "image_mask": np.uintp,
        "n": _I64,
        "templates": np.uintp,
        "template_masks": np.uintp,
        "around": np.uintp,
        "windows": np.uintp,
        "results": np.uintp,
        "peaks": np.uintp,
        "turned": np.uintp,
    },
)
_CONFIG = _struct("ncc_config", {"threads": np.int32})


def c_search(search: Search) -> np.ndarray:
    """An ncc_search. ValueError: filters that the library does not know."""
    out = np.zeros((), _SEARCH)
    for name in set(_SEARCH.names or ()) - {"n_filters", "outside", _ROTATE}:
        out[name] = getattr(search, name)
    out[_ROTATE] = search.rotate
    out["outside"] = search.ignore_outside
    if search.filter:
        at = out.ctypes.data
        chain, n = at + _layout("ncc_search.filters"), at + _layout("ncc_search.n_filters")
        if _ncc.ncc_filter_parse(search.filter.encode(), chain, n) != 0:
            raise ValueError(_ncc.ncc_error_message().decode(errors="backslashreplace"))
    return out


def version() -> str:
    """Version of libmpixcorr, for example ``"0.1.0"``."""
    return _ncc.ncc_version().decode()


def _check(status: int) -> None:
    if status != 0:
        raise MpixcorrError(_ncc.ncc_error_message().decode(errors="backslashreplace"))


def default_threads() -> int:
    """CPU threads of a call: ``MPIXCORR_THREADS``, else ``OMP_NUM_THREADS``, else the cores this process may use."""
    for name in ("MPIXCORR_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "").split(",")[0].strip()
        if text.isdecimal() and int(text) > 0:
            return int(text)
        if text and name == "MPIXCORR_THREADS":
            raise ValueError(f"MPIXCORR_THREADS is {text!r}: expected a number of threads, 1 or more")
    return len(os.sched_getaffinity(0))


# Planning the FFTs of a new geometry takes longer than many a call: what was learnt is kept in the user's cache folder,
# as the program does, too. Nothing depends on it, so that a cache that cannot be read or written is no error.
_wisdom_loaded = False


def _load_wisdom() -> None:
    global _wisdom_loaded
    if not _wisdom_loaded:
        _wisdom_loaded = True
        _ncc.ncc_wisdom_load(None)


def _save_wisdom() -> None:
    with _lock:
        _ncc.ncc_wisdom_load(None)  # what other processes learnt meanwhile is kept
        _ncc.ncc_wisdom_save(None)


#: Numbers for the pixels of images, none of them twice; see ncc_matcher_match().
new_key = itertools.count().__next__


class Matcher:
    """One ncc_matcher; used by one Python thread at a time."""

    def __init__(self, search: Search, threads: int) -> None:
        _load_wisdom()
        self._search, config = c_search(search), np.zeros((), _CONFIG)
        #: Zeros outside images may outweigh true peaks; hardly one filter leaves pixels far from zero.
        self.may_mislead = search.min_overlap < 1 and not (search.filter or search.normalize or search.ignore_outside)
        config["threads"] = threads
        self._handle = ctypes.c_void_p()
        _check(_ncc.ncc_matcher_create(self._search.ctypes.data, config.ctypes.data, ctypes.byref(self._handle)))

    def destroy(self) -> None:
        _ncc.ncc_matcher_destroy(ctypes.byref(self._handle))

    def why_misleading(self, image_id: int, image: int, template_shape: tuple[int, int], window: int) -> str:
        """Why zeros outside the image, an address of ARRAY, may outweigh true peaks: one line, empty where not."""
        text = ctypes.create_string_buffer(400)
        _ncc.ncc_overhang_misleads(self._search.ctypes.data, window, image, *template_shape, image_id, text, len(text))
        return text.value.decode()

    def place_windows(self, n: int, image: int, templates: int, near: int, windows: int) -> None:
        """Fills RECT [n], an address, from predictions [n, 4] int64 (y, x, radius_y, radius_x)."""
        _check(_ncc.ncc_windows_near(self._search.ctypes.data, image, n, templates, near, windows))

    def match(self, groups: np.ndarray) -> None:
        """Matches GROUP [n], which hold addresses, and fills the RESULT and PEAK that they name. Frees the GIL."""
        _check(_ncc.ncc_matcher_match_groups(self._handle, len(groups), groups.ctypes.data))

    def seconds(self, counter: str) -> float:
        """Seconds since creation, by their name in ncc_counters."""
        counters = _ncc.ncc_matcher_counters(self._handle)
        return ctypes.c_double.from_address(counters + _layout(f"ncc_counters.{counter}")).value


# Matchers that nobody uses at the moment, most recent last. Creating one starts threads and allocates buffers, so that a
# thousand small calls would mostly do that. A forked child has none of the parent's threads and begins afresh: it must
# not even destroy what it inherited, as that would wait for threads which do not exist.
_IDLE_KINDS = 4
_idle: list[tuple[tuple[Search, int], Matcher]] = []
_lock = threading.Lock()


def _forget_after_fork() -> None:
    global _idle, _lock
    _idle, _lock = [], threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)


@contextlib.contextmanager
def borrowed_matcher(search: Search, threads: int) -> Iterator[Matcher]:
    """A matcher for this question, kept from an earlier call where there is one."""
    key, matcher = (search, threads), None
    with _lock:
        for i in reversed(range(len(_idle))):
            if _idle[i][0] == key:
                matcher = _idle.pop(i)[1]
                break
    if matcher is None:
        matcher = Matcher(search, threads)
    pid, surplus, planned_s = os.getpid(), [], matcher.seconds("planning_s")
    try:
        yield matcher
        if matcher.seconds("planning_s") > planned_s:
            _save_wisdom()
    finally:
        if os.getpid() == pid:
            with _lock:
                _idle.append((key, matcher))
                kinds = dict.fromkeys(k for k, _ in reversed(_idle)) if len(_idle) > _IDLE_KINDS else ()
                for kind in list(kinds)[_IDLE_KINDS:]:
                    surplus += [m for k, m in _idle if k == kind]
                    _idle[:] = [entry for entry in _idle if entry[0] != kind]
            for old in surplus:
                old.destroy()


def judge(
    at: np.ndarray, moved: np.ndarray, counts: np.ndarray, px: float, fraction: float
) -> tuple[np.ndarray, str, np.ndarray, float]:
    """Which displacements agree [n], the verdict in a word, their median (y, x) and the greatest distance from it."""
    at, moved = (np.ascontiguousarray(a, np.float64) for a in (at, moved))
    counts = np.ascontiguousarray(counts, np.uint8)
    agrees, middle = np.zeros(len(at), np.uint8), np.zeros(2)
    verdict, spread = ctypes.c_int(), ctypes.c_double()
    status = _ncc.ncc_displacements_judge(
        len(at),
        at.ctypes.data,
        moved.ctypes.data,
        counts.ctypes.data,
        px,
        fraction,
        agrees.ctypes.data,
        ctypes.byref(verdict),
        middle.ctypes.data,
        ctypes.byref(spread),
    )
    if status:
        raise MpixcorrError(_ncc.ncc_error_message().decode(errors="replace"))
    return agrees.astype(bool), _ncc.ncc_verdict_name(verdict).decode(), middle, spread.value


def release() -> None:
    """Frees what is kept between calls: threads, and buffers of a few times the largest image's size."""
    with _lock:
        matchers = [matcher for _, matcher in _idle]
        _idle.clear()
    for matcher in matchers:
        matcher.destroy()
