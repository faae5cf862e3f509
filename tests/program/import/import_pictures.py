#!/usr/bin/env python3
"""TIFF and PNG files of every kind that is taken arrive bit by bit; others are refused by name: import_pictures.py MPIXCORR"""
import os

import numpy as np
from PIL import Image

from import_common import RNG, export, fails, imported, main, pixels, same, tiff, write

TEMPLATE = RNG.integers(0, 255, (5, 6), dtype="u1")


def folder_with(write_picture):
    """A folder whose one image is written by the argument."""
    os.makedirs("d", exist_ok=True)
    for name in os.listdir("d"):
        os.remove(f"d/{name}")
    export("d", {}, {0: TEMPLATE}, np.array([[0, 0]]))
    write_picture("d/image0000.tif")


def arrives(array, write_picture):
    folder_with(write_picture)
    with imported("d") as file:
        found = file["images/0"][:]
        assert same(found, array), (found.dtype, found.shape, array.dtype, array.shape)


def refused(write_picture, *words):
    folder_with(write_picture)
    with imported("d", code=6, warnings=1) as file:
        assert all(word in file.words for word in ("image0000.tif", *words)), file.words
        assert len(file["images"]) == 0 and len(file["templates"]) == 1
        assert file["pairs"][:].tolist() == [[-1, 0]]
    fails("d", "image0000.tif", *words, options=["--strict"])


def tiff_types_orders_and_layouts():
    for code in ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"):
        array = pixels(RNG, code, (37, 53))
        for order in "<>":
            for options in ({}, {"strip_rows": 5}, {"tile": (16, 32)}, {"tile": (48, 64)}, {"big": True, "strip_rows": 7},
                            {"deflate": True, "strip_rows": 8}, {"deflate": True, "tile": (16, 16), "big": True}):
                folder_with(lambda path: tiff(path, array, order, **options))
                with imported("d", look=False) as file:
                    assert same(file["images/0"][:], array), (code, order, options)


def tiff_written_by_others():
    for array in (pixels(RNG, "u1", (40, 30)), pixels(RNG, "u2", (40, 30)), pixels(RNG, "f4", (40, 30))):
        for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            arrives(array, lambda path: Image.fromarray(array).save(path, compression=compression))


def tiff_longer_than_a_block():
    array = np.arange(5000 * 1000, dtype="f4").reshape(5000, 1000)
    arrives(array, lambda path: tiff(path, array))
    arrives(array, lambda path: tiff(path, array, ">", tile=(2048, 512)))


def pyramid_levels_are_passed_over():
    array = pixels(RNG, "u1", (9, 9))
    arrives(array, lambda path: tiff(path, array, reduced=2))


def png_grey():
    for code in ("u1", "u2"):
        array = pixels(RNG, code, (31, 17))
        arrives(array, lambda path: Image.fromarray(array).save(path, format="png"))


def tiff_refused():
    grey = pixels(RNG, "u1", (8, 8))
    refused(lambda path: Image.fromarray(np.dstack([grey] * 3)).save(path), "RGB")
    refused(lambda path: tiff(path, grey, pages=3), "shape [3, 8, 8] found, expected an index")
    refused(lambda path: tiff(path, grey, t262=0), "0 is white")
    refused(lambda path: tiff(path, np.dstack([grey] * 2)), "2 channels")
    refused(lambda path: tiff(path, pixels(RNG, "u4", (8, 8)), t258=24), "24 bits")
    refused(lambda path: Image.fromarray(grey).convert("1").save(path), "pixels of 1 bits")
    refused(lambda path: Image.fromarray(grey).convert("P").save(path), "palette")


def png_refused():
    grey = Image.fromarray(pixels(RNG, "u1", (8, 8)))
    for mode, words in (("RGB", "RGB of 8 bits"), ("RGBA", "RGB with transparency"), ("LA", "grey with transparency"),
                        ("P", "palette"), ("1", "grey of 1 bits")):
        refused(lambda path: grey.convert(mode).save(path, format="png"), words)


def broken_files():
    def cut(picture, keep, **options):
        def write_it(path):
            picture(path)
            with open(path, "r+b") as file:
                file.truncate(int(os.path.getsize(path) * keep))
        return write_it

    array = pixels(RNG, "u1", (200, 300))
    refused(cut(lambda path: tiff(path, array), 0.5))
    refused(cut(lambda path: Image.fromarray(array).save(path, format="png"), 0.5))
    refused(cut(lambda path: Image.fromarray(array).save(path, compression="tiff_lzw"), 0.9))

    def short_strips(path):  # the directory is whole, the pixels end early
        tiff(path, array, strip_rows=10, t273=[8] * 19 + [1 << 20], t279=[3000] * 20)

    refused(short_strips)
    refused(lambda path: write(path, "not a picture"), "none of TIFF, PNG, JPEG, NumPy, MRC and HDF5")
    refused(lambda path: write(path, ""), "empty")
    refused(lambda path: os.mkdir(path), "a folder found")


def a_broken_file_leaves_no_space():
    """What a broken file had written is used again by the next."""
    good = pixels(RNG, "u1", (3000, 1000))
    os.makedirs("d")
    export("d", {i: good for i in range(3)}, {0: TEMPLATE}, np.array([[0, 0], [1, 0], [2, 0]]))
    whole = imported("d", "whole.h5")
    with open("d/image0001.tif", "r+b") as file:
        file.truncate(2_000_000)
    tiff("d/image0001.tif", good, deflate=True, strip_rows=100)
    with open("d/image0001.tif", "r+b") as file:
        file.seek(2_900_000)
        file.write(b"\xff" * 10000)
    with imported("d", "holed.h5", code=6, warnings=1) as file:
        assert sorted(file["images"]) == ["0", "2"]
    assert os.path.getsize("holed.h5") < os.path.getsize("whole.h5") - 2_900_000
    whole.close()


main(tiff_types_orders_and_layouts, tiff_written_by_others, tiff_longer_than_a_block, pyramid_levels_are_passed_over,
     png_grey, tiff_refused, png_refused, broken_files, a_broken_file_leaves_no_space)
