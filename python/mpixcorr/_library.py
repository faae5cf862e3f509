"""libmpixcorr by ctypes: its types as NumPy and ctypes see them, and matchers that are kept between calls.

Knows the C interface (mpixcorr.h) and nothing of lists, dicts or files. No thread starts before the first matcher.
"""

from __future__ import annotations

import contextlib
import ctypes
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

#: ncc_array, ncc_rect and ncc_result.
ARRAY = np.dtype(
    [("data", np.uintp), ("dtype", np.int32), ("rows", np.int64), ("cols", np.int64), ("row_stride", np.int64)],
    align=True,
)
RECT = np.dtype([("y0", np.int64), ("x0", np.int64), ("y1", np.int64), ("x1", np.int64)])
RESULT = np.dtype(
    [
        ("coords", np.int64, (2,)),
        ("peak", np.float64),
        ("subpixel", np.float64, (2,)),
        ("second_coords", np.int64, (2,)),
        ("second_peak", np.float64),
        ("status", np.uint8),
    ],
    align=True,
)


class Search(NamedTuple):
    """ncc_search: everything that may change a result."""

    crop_y: int = 0
    crop_x: int = 0
    crop_half: bool = False
    normalize: bool = False
    eps: float = 0.0
    min_overlap: float = 0.0
    quality: bool = False


class _CSearch(ctypes.Structure):
    _fields_ = [
        ("crop_y", ctypes.c_int64),
        ("crop_x", ctypes.c_int64),
        ("crop_half", ctypes.c_bool),
        ("normalize", ctypes.c_bool),
        ("eps", ctypes.c_double),
        ("min_overlap", ctypes.c_double),
        ("quality", ctypes.c_bool),
    ]


class _CConfig(ctypes.Structure):
    _fields_ = [
        ("engine", ctypes.c_void_p),
        ("threads", ctypes.c_int),
        ("memory_bytes", ctypes.c_int64),
        ("fft_effort", ctypes.c_int),
        ("stop", ctypes.c_void_p),
        ("device", ctypes.c_int),
        ("streams", ctypes.c_int),
        ("sharers", ctypes.c_int),
    ]


class _CCounters(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("pairs", "images", "candidates", "candidate_px", "second_tier", "cpu_fallback")
    ] + [
        (name, ctypes.c_double)
        for name in (
            "image_s",
            "template_s",
            "columns_s",
            "peak_s",
            "certify_s",
            "second_tier_s",
            "planning_s",
            "fft_floor_s",
        )
    ]


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
        "ncc_matcher_create": (status, [pointer, pointer, pointer]),
        "ncc_matcher_destroy": (None, [pointer]),
        "ncc_matcher_match": (status, [pointer, i64, pointer, i64, pointer, pointer, pointer]),
        "ncc_matcher_counters": (ctypes.POINTER(_CCounters), [pointer]),
        "ncc_wisdom_load": (status, [ctypes.c_char_p]),
        "ncc_wisdom_save": (status, [ctypes.c_char_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_ncc = _load()


def version() -> str:
    """Version of libmpixcorr, for example ``"0.1.0"``."""
    return _ncc.ncc_version().decode()


def _check(status: int) -> None:
    if status != 0:
        raise MpixcorrError(_ncc.ncc_error_message().decode())


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


class Matcher:
    """One ncc_matcher; used by one Python thread at a time."""

    def __init__(self, search: Search, threads: int) -> None:
        _load_wisdom()
        c_search, c_config = _CSearch(*search), _CConfig(threads=threads)
        self._handle = ctypes.c_void_p()
        self._keys = itertools.count()
        _check(_ncc.ncc_matcher_create(ctypes.byref(c_search), ctypes.byref(c_config), ctypes.byref(self._handle)))

    def destroy(self) -> None:
        _ncc.ncc_matcher_destroy(ctypes.byref(self._handle))

    def new_key(self) -> int:
        """A number for the pixels of one image; see ncc_matcher_match()."""
        return next(self._keys)

    def match(self, key: int, image: np.ndarray, templates: np.ndarray, windows: np.ndarray | None) -> np.ndarray:
        """Matches templates [n] ARRAY on image [1] ARRAY, in windows [n] RECT; answers [n] RESULT. Frees the GIL."""
        results = np.empty(len(templates), RESULT)
        _check(
            _ncc.ncc_matcher_match(
                self._handle,
                key,
                image.ctypes.data,
                len(templates),
                templates.ctypes.data,
                None if windows is None else windows.ctypes.data,
                results.ctypes.data,
            )
        )
        return results

    def planning_s(self) -> float:
        """Seconds spent on planning FFTs since creation."""
        return _ncc.ncc_matcher_counters(self._handle).contents.planning_s

    def counters(self) -> dict[str, float]:
        """Counts and seconds since creation, by the names of ncc_counters."""
        counters = _ncc.ncc_matcher_counters(self._handle).contents
        return {field[0]: getattr(counters, field[0]) for field in _CCounters._fields_}


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
    pid, surplus, planned_s = os.getpid(), [], matcher.planning_s()
    try:
        yield matcher
        if matcher.planning_s() > planned_s:
            _save_wisdom()
    finally:
        if os.getpid() == pid:
            with _lock:
                _idle.append((key, matcher))
                kinds = list(dict.fromkeys(k for k, _ in reversed(_idle)))
                for kind in kinds[_IDLE_KINDS:]:
                    surplus += [m for k, m in _idle if k == kind]
                    _idle[:] = [entry for entry in _idle if entry[0] != kind]
            for old in surplus:
                old.destroy()


def release() -> None:
    """Frees what is kept between calls: threads, and buffers of a few times the largest image's size."""
    with _lock:
        matchers = [matcher for _, matcher in _idle]
        _idle.clear()
    for matcher in matchers:
        matcher.destroy()
