#!/usr/bin/env python3
"""Containers are taken apart by index, or as stacks; --link writes names that give a run the same results as pixels:
import_link.py MPIXCORR"""
import json
import os
import struct

import numpy as np

from import_common import RNG, export, fails, h5py, imported, main, names, pixels, same, tiff, tool, write

STACK, TEMPLATES = pixels(RNG, "u2", (3, 20, 30)), pixels(RNG, "u2", (2, 5, 6))
PAIRS = np.array([[0, 1], [2, 0], [-1, 0], [1, 1]])


def mrc(path, array):
    header = bytearray(1024)
    struct.pack_into("<4i", header, 0, *array.shape[::-1], {"i1": 0, "i2": 1, "f4": 2, "u2": 6}[array.dtype.str[1:]])
    header[208:216] = b"MAP \x44\x44\0\0"
    with open(path, "wb") as file:
        file.write(bytes(header) + array.tobytes())


def pages(path, array):
    """A TIFF page for each plane, which follows the one before."""
    data, patch = bytearray(struct.pack("<2sHI", b"II", 42, 0)), 4
    for plane in array:
        at = len(data)
        data += plane.tobytes()
        struct.pack_into("<I", data, patch, len(data))
        tags = [(256, plane.shape[1]), (257, plane.shape[0]), (258, 8 * plane.dtype.itemsize), (259, 1), (262, 1),
                (273, at), (277, 1), (278, plane.shape[0]), (279, plane.nbytes), (339, 1)]
        data += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        patch = len(data)
        data += bytes(4)
    with open(path, "wb") as file:
        file.write(data)


def zarr(path, array):
    os.makedirs(path)
    write(f"{path}/.zarray", json.dumps({"zarr_format": 2, "shape": array.shape, "chunks": array.shape, "fill_value": 0,
                                         "dtype": array.dtype.str, "order": "C", "compressor": None, "filters": None}))
    with open(f"{path}/0.0.0", "wb") as file:
        file.write(array.tobytes())


def n5(path, array):
    os.makedirs(f"{path}/0/0")
    write(f"{path}/attributes.json", json.dumps({"dimensions": array.shape[::-1], "blockSize": array.shape[::-1],
                                                 "dataType": array.dtype.name, "compression": {"type": "raw"}}))
    with open(f"{path}/0/0/0", "wb") as file:
        file.write(struct.pack(">HH3I", 0, 3, *array.shape[::-1]) + array.astype(array.dtype.newbyteorder(">")).tobytes())


def results(input, *options):
    done = tool("run", input, "results.h5", "--overwrite", "--progress", "none", *options)
    assert done.returncode == 0, done.stderr
    with h5py.File("results.h5", "r") as file:
        return [file[name][()].tobytes() for name in ("coords", "peaks", "status")]


def stacks_of_every_format():
    for name, save in (("npy", np.save), ("tif", pages), ("mrc", mrc), ("zarr", zarr), ("n5", n5)):
        folder = f"s{name}"
        os.mkdir(folder)
        save(f"{folder}/images.{name}", STACK)
        save(f"{folder}/templates.{name}", TEMPLATES)
        np.save(f"{folder}/pairs.npy", PAIRS)
        with imported(folder) as file:
            assert same(file["images"][:], STACK) and same(file["templates"][:], TEMPLATES), name
            assert file["pairs"][:].tolist() == PAIRS.tolist()
        expected = results("out.h5")
        with imported(folder, "link.h5", "--link") as file:
            assert names(file["images"]) == [f"images.{name}[{i}]" for i in range(3)] and file["templates"].shape == (2,)
            assert file["image_shapes"][:].tolist() == [[20, 30]] * 3 and file["images"].attrs["dtype"]
        assert results("link.h5") == expected, name
    pages("snpy/images.tif", STACK)
    fails("snpy", "both images.npy and images.tif found, expected one")


def sources_by_index_and_boxes():
    os.mkdir("d")
    pages("d/p.tif", STACK)
    mrc("d/s.mrc", STACK)
    zarr("d/v.zarr", STACK)
    with h5py.File("d/h.h5", "w") as file:
        file["g/data"] = STACK
    rows = ["p.tif[2]", "s.mrc[1]", "v.zarr[0]", "h.h5/g/data[2]"]
    write("d/pairs.csv", "image,template,y,x,rows,cols\n" + "".join(f'"{i}","{t}",3,4,6,7\n' for i in rows for t in rows))
    with imported("d") as file:
        assert names(file["image_names"]) == sorted(rows)
        for i, k in enumerate((2, 2, 1, 0)):
            assert same(file[f"images/{i}"][:], STACK[k]), sorted(rows)[i]
    expected = results("out.h5")
    with imported("d", "d/link.h5", "--link") as file:
        assert names(file["images"]) == sorted(rows) and "root" not in file["images"].attrs
        assert names(file["template_names"])[0] == "h.h5/g/data[2][3:9,4:11]"
    assert results("d/link.h5") == expected
    write("d/pairs.csv", "image,template\np.tif,s.mrc[7]\nv.zarr[0],h.h5/g/other[0]\n")
    with imported("d", "link.h5", "--link", code=6, warnings=3, look=False) as file:
        assert names(file["images"]) == ["v.zarr[0]"] and file["templates"].shape == (0,)
        assert file["pairs"][:].tolist() == [[-1, -1], [0, -1]]


def numbers_without_gaps():
    images = {k: pixels(RNG, "u1", (20, 30 + k)) for k in (2, 5, 9)}
    export("e", images, {1: pixels(RNG, "f4", (5, 6)), 3: pixels(RNG, "f4", (6, 5))},
           np.array([[5, 3], [2, 1], [9, 3], [9, 1]]))
    with imported("e") as file:
        assert file["pairs"][:].tolist() == [[5, 3], [2, 1], [9, 3], [9, 1]]
    expected = results("out.h5")
    with imported("e", "link.h5", "--link") as file:
        assert names(file["images"]) == ["image0002.tif", "image0005.tif", "image0009.tif"]
        assert file["pairs"][:].tolist() == [[1, 1], [0, 0], [2, 1], [2, 0]]
        assert file["images"].attrs["root"] in (os.path.realpath("e"), os.path.realpath("e").encode())
    assert results("link.h5") == expected
    write("e/image0005.tif", "no picture")
    with imported("e", "link.h5", "--link", code=6, warnings=1) as file:
        assert file["pairs"][:].tolist() == [[-1, 1], [0, 0], [1, 1], [1, 0]]
    fails("e", "e/image0005.tif: ", options=["--link", "--strict"])
    fails("e", "--link found with --dtype, --chunk or --compress", options=["--link", "--dtype", "u8"], code=2)
    fails("gone", "gone: No such file", options=["--link"])


main(stacks_of_every_format, sources_by_index_and_boxes, numbers_without_gaps)
