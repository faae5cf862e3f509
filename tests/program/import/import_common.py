"""What the tests of import share: writers of TIFF and v7.3 MAT files that owe nothing to the libraries under test.

Skips (77) without the Python modules. The program is the first argument.
"""
import os
import struct
import sys
import zlib

from io_common import main, pixels, same, tool  # noqa: F401

try:
    import h5py
    import numpy as np
    import scipy.io
    from PIL import Image  # noqa: F401
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

RNG = np.random.default_rng(11)


def tiff(path, array, order="<", tile=None, strip_rows=None, deflate=False, pages=1, reduced=0, big=False, **tags):
    """A TIFF file: grey, of any numpy type; tags override entries by number, as t262=0."""
    array = np.asarray(array)
    rows, cols = array.shape[:2]
    data = array.astype(array.dtype.newbyteorder(order))
    squeeze = zlib.compress if deflate else bytes
    if tile:
        high, wide = tile
        padded = np.zeros((-(-rows // high) * high, -(-cols // wide) * wide), data.dtype)
        padded[:rows, :cols] = data
        blocks = [squeeze(padded[y:y + high, x:x + wide].tobytes())
                  for y in range(0, rows, high) for x in range(0, cols, wide)]
    else:
        strip_rows = strip_rows or rows
        blocks = [squeeze(data[y:y + strip_rows].tobytes()) for y in range(0, rows, strip_rows)]
    entries = {256: cols, 257: rows, 258: array.dtype.itemsize * 8, 259: 8 if deflate else 1, 262: 1,
               277: array.shape[2] if array.ndim == 3 else 1, 339: {"u": 1, "i": 2, "f": 3}[array.dtype.kind]}
    entries.update({322: tile[1], 323: tile[0]} if tile else {278: strip_rows})
    word, count_format, header = ("Q", "Q", 16) if big else ("I", "H", 8)
    sizes = [len(block) for block in blocks]
    starts = [header + sum(sizes[:i]) for i in range(len(blocks))]
    lists = header + sum(sizes)
    entries.update({324 if tile else 273: starts, 325 if tile else 279: sizes})
    entries.update({int(name[1:]): value for name, value in tags.items()})
    out = struct.pack(order + ("2sHHHQ" if big else "2sHI"), *((b"II" if order == "<" else b"MM"), 43 if big else 42),
                      *((8, 0) if big else ()), lists + 2 * len(blocks) * struct.calcsize(word) if len(blocks) > 1
                      else lists)
    out += b"".join(blocks)
    where = {}
    if len(blocks) > 1:
        for key in sorted(set(entries) & {273, 279, 324, 325}):
            where[key] = len(out)
            out += struct.pack(order + word * len(blocks), *entries[key])
    for page in range(pages + reduced):
        directory = dict(entries)
        if page >= pages:
            directory[254] = 1
        body = b""
        for key in sorted(directory):
            value = directory[key]
            if isinstance(value, list):
                n, value = len(value), where.get(key, value[0])
            else:
                n = 1
            body += struct.pack(order + "HH" + word * 2, key, 16 if big else 4, n, value)
        size = struct.calcsize(order + count_format) + len(body)
        last = page == pages + reduced - 1
        after = 0 if last else len(out) + size + struct.calcsize(word)
        out += struct.pack(order + count_format, len(directory)) + body + struct.pack(order + word, after)
    with open(path, "wb") as file:
        file.write(out)


def mat73(path, attributes=True, **variables):
    """A v7.3 MAT file as MATLAB lays it out: HDF5 behind a block of 512 bytes, matrices transposed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            set = file.create_dataset(name, data=np.ascontiguousarray(np.asarray(value).T))
            if attributes:
                set.attrs["MATLAB_class"] = np.bytes_("double" if set.dtype.kind == "f" else set.dtype.name)
    with open(path, "r+b") as file:
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Thu Jan  1 00:00:00 2026 HDF5 schema 1.00 ."
        file.write(text.ljust(116) + b"\0" * 8 + b"\x00\x02IM")


def mat5(path, **variables):
    scipy.io.savemat(path, variables)


def export(folder, images, templates, comps, save=mat5, **variables):
    """A folder as the client writes it, from dicts of arrays by number."""
    os.makedirs(folder, exist_ok=True)
    for prefix, arrays in (("image", images), ("templ", templates)):
        for number, array in arrays.items():
            tiff(f"{folder}/{prefix}{number:04d}.tif", array)
    save(f"{folder}/comps.mat", comps=np.asarray(comps), **variables)


def imported(folder, output="out.h5", *options, code=0, warnings=0, look=True):
    """Imports a folder; the open output file, which `info` must find valid (unless `look` is off, to be quick)."""
    if os.path.exists(output):
        os.remove(output)
    done = tool("import", folder, output, *options)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert len(done.stderr.splitlines()) == warnings, done.stderr
    assert all(line.startswith("mpixcorr: import: ") for line in done.stderr.splitlines()), done.stderr
    assert not look or tool("info", output).returncode == 0
    file = h5py.File(output, "r")
    file.words = done.stderr
    return file


def fails(folder, *words, options=(), code=3):
    """Importing a folder is an error that has these words in one line, and leaves nothing."""
    before = sorted(os.listdir("."))
    done = tool("import", folder, "none.h5", *options)
    assert done.returncode == code, (done.returncode, done.stderr)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("mpixcorr: "), done.stderr
    assert all(word in lines[0] for word in words), (words, done.stderr)
    assert sorted(os.listdir(".")) == before, os.listdir(".")


def write(path, text):
    with open(path, "w", newline="") as file:
        file.write(text)


def names(dataset):
    return [name.decode() for name in dataset[:]]
