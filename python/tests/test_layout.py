"""Python lays out no C struct itself: the library tells, every field stands in what it tells, and types agree."""

import re
from pathlib import Path

import numpy as np
import pytest

from mpixcorr import Status, _library
from mpixcorr._library import _layout, _struct

HEADER = Path(__file__).parents[2] / "src" / "mpixcorr.h"

#: What NumPy calls the types of the header.
TYPES = {
    "int64_t": np.int64,
    "double": np.float64,
    "bool": np.bool_,
    "uint8_t": np.uint8,
    "int": np.int32,
    "ncc_dtype": np.int32,
    "ncc_outside": np.int32,
    "const void *": np.uintp,
}


def _header():
    """{struct: {field: type}} as written in the header."""
    if not HEADER.exists():
        pytest.skip("the header is not there")
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)
    structs = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", text, re.DOTALL):
        structs[name] = {}
        for kind, star, fields in re.findall(r"\s*([\w ]+?) (\*?)(\w+(?:, \w+)*);", body):
            structs[name].update(dict.fromkeys(fields.split(", "), f"{kind} {star}".strip()))
    return structs


def test_every_field_of_the_header_is_told():
    structs = _header()
    assert {"ncc_array", "ncc_rect", "ncc_search", "ncc_result", "ncc_config", "ncc_counters"} <= set(structs)
    for name, fields in structs.items():
        places = [_layout(f"{name}.{field}") for field in fields]
        assert places == sorted(set(places)) and places[0] == 0 and places[-1] < _layout(name), name


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("ncc_array", _library.ARRAY),
        ("ncc_rect", _library.RECT),
        ("ncc_result", _library.RESULT),
        ("ncc_search", _library._SEARCH),
        ("ncc_config", _library._CONFIG),
    ],
)
def test_types_are_those_of_the_header(name, dtype):
    fields = _header()[name]
    for ours, (kind, offset) in dtype.fields.items():
        for field in ours.split(","):
            assert TYPES[fields[field]] == kind.base, field
        assert _layout(f"{name}.{ours.split(',')[0]}") == offset
    if name in ("ncc_array", "ncc_rect", "ncc_result", "ncc_search"):  # nothing that only C knows of
        assert {part for field in dtype.names for part in field.split(",")} == set(fields)


def test_what_the_library_lacks_is_an_import_error():
    with pytest.raises(ImportError, match="has no ncc_result.nonsense"):
        _struct("ncc_result", {"peak": np.float64, "nonsense": np.float64})
    with pytest.raises(ImportError, match="has no ncc_nonsense"):
        _layout("ncc_nonsense")
    with pytest.raises(ImportError, match="ncc_result has y,peak apart"):
        _struct("ncc_result", {"y,peak": np.int64})


def test_a_library_of_another_release_is_an_import_error(monkeypatch):
    monkeypatch.setenv("MPIXCORR_LIBRARY", "libm.so.6")
    with pytest.raises(ImportError, match=r"libm.so.6 is not of this package's release: it has no ncc_version\(\)"):
        _library._load()
    monkeypatch.setenv("MPIXCORR_LIBRARY", "/nowhere/libmpixcorr.so")
    with pytest.raises(ImportError, match="was not found at /nowhere"):
        _library._load()


def test_another_layout_is_followed(monkeypatch):
    """A library whose ncc_result has a new field in front: what is read moves with it."""
    monkeypatch.setattr(_library, "_layout", lambda name: _layout(name) + (8 if name.startswith("ncc_result") else 0))
    moved = _struct("ncc_result", {"y,x": np.int64, "peak": np.float64})
    assert moved.itemsize == _library.RESULT.itemsize + 8
    assert moved.fields["peak"][1] == _library.RESULT.fields["peak"][1] + 8


def test_codes_are_those_of_the_library():
    for dtype, code in _library.PIXEL_TYPES.items():
        name = {"u": "u", "i": "i", "f": "f"}[dtype.kind] + str(8 * dtype.itemsize)
        _library._ncc.ncc_dtype_name.restype = _library.ctypes.c_char_p
        assert _library._ncc.ncc_dtype_name(code).decode() == name
    _library._ncc.ncc_pair_status_name.restype = _library.ctypes.c_char_p
    for status in Status:
        assert _library._ncc.ncc_pair_status_name(int(status)).decode() == status.name.lower()
