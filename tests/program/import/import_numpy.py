#!/usr/bin/env python3
"""NumPy stacks with pairs from NumPy or CSV files; orders, types and shapes: import_numpy.py MPIXCORR"""
import os

import numpy as np

from import_common import RNG, fails, imported, main, mat5, pixels, same, write


def stacks(images, templates, pairs=((0, 0),)):
    os.makedirs("d", exist_ok=True)
    np.save("d/images.npy", images)
    np.save("d/templates.npy", templates)
    np.save("d/pairs.npy", np.asarray(pairs))


IMAGES, TEMPLATES = pixels(RNG, "u2", (3, 20, 30)), pixels(RNG, "f4", (2, 5, 6))
PAIRS = [[0, 1], [2, 0], [-1, 0], [1, 1]]


def every_type_and_byte_order():
    for code in ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"):
        for order in "<>":
            images = pixels(RNG, order + code, (3, 20, 30))
            stacks(images, TEMPLATES, PAIRS)
            with imported("d") as file:
                assert all(same(file["images"][i], images[i]) for i in range(3)), (code, order)
                assert same(file["templates"][1], TEMPLATES[1]) and file["pairs"][:].tolist() == PAIRS
                assert "image_names" not in file
    stacks(np.asfortranarray(IMAGES), TEMPLATES)
    with imported("d") as file:
        assert same(file["images"][:], IMAGES)


def tables_of_every_type_and_order():
    for code in ("i1", "i2", "i4", ">i8", "f4", "f8", ">f2"):
        for order in "CF":
            stacks(IMAGES, TEMPLATES, np.asarray(PAIRS, code, order=order))
            with imported("d") as file:
                assert file["pairs"][:].tolist() == PAIRS, (code, order)
    for code in ("u1", "u2", "u4", "u8"):
        stacks(IMAGES, TEMPLATES, np.asarray([[2, 1]], code))
        with imported("d") as file:
            assert file["pairs"][:].tolist() == [[2, 1]], code
    stacks(IMAGES, TEMPLATES, np.zeros((0, 2), "i8"))
    with imported("d") as file:
        assert file["pairs"].shape == (0, 2)


def boxes_for_templates():
    for order in "CF":
        stacks(IMAGES, np.asarray([[2, 1, 3, 5, 6], [0, 15, 24, 5, 6]], order=order), PAIRS)
        with imported("d") as file:
            assert file["templates"][:].tolist() == [[2, 1, 3, 5, 6], [0, 15, 24, 5, 6]]
    for box, words in (([3, 0, 0, 5, 5], "a box of image 3 found, expected 0 to 2"),
                       ([0, 16, 0, 5, 5], "the box at (16, 0) of 5 x 5 pixels does not lie on image 0 of 20 x 30"),
                       ([0, 0, 0, 0, 5], "does not lie on image 0"), ([0, -1, 0, 5, 5], "does not lie on image 0")):
        stacks(IMAGES, np.asarray([box]))
        fails("d", words)


def pairs_from_csv_and_mat():
    stacks(IMAGES, TEMPLATES)
    os.remove("d/pairs.npy")
    write("d/pairs.csv", "image,template,expected_peak\n2,1,0.5\n-1,0,\n")
    with imported("d") as file:
        assert file["pairs"][:].tolist() == [[2, 1], [-1, 0]] and file["expected/peaks"][0] == 0.5
    write("d/pairs.csv", "image,template\n2,1\n0,2\n")
    fails("d", "d/pairs.csv: line 3: template 2 found, expected 0 to 1")
    write("d/pairs.csv", "image,template,y,x,rows,cols\n2,1,0,0,4,4\n2,0,0,0,4,4\n")
    with imported("d") as file:  # templates.npy is not asked for
        assert file["templates"][:].tolist() == [[0, 0, 0, 4, 4], [1, 0, 0, 4, 4]]
        assert file["pairs"][:].tolist() == [[2, 1], [2, 0]]
    os.remove("d/pairs.csv")
    mat5("d/comps.mat", comps=np.array([[1, 1]]))
    with imported("d") as file:
        assert file["pairs"][:].tolist() == [[1, 1]]


def chunks_and_types():
    stacks(IMAGES, TEMPLATES)
    with imported("d", "out.h5", "--dtype", "f32", "--chunk", "7,8", "--compress", "9") as file:
        assert file["images"].chunks == (1, 7, 8) and same(file["images"][1], IMAGES[1].astype("f4"))


def planes_longer_than_a_block():
    images = np.arange(2 * 3000 * 1500, dtype="f4").reshape(2, 3000, 1500)
    stacks(images, TEMPLATES)
    with imported("d", "out.h5", "--chunk", "1024,1024") as file:
        assert all(same(file["images"][i], images[i]) for i in range(2))


def refused():
    stacks(IMAGES[0], TEMPLATES)
    fails("d", "images.npy: 2 dimensions found, expected [n, rows, cols]")
    stacks(IMAGES[None], TEMPLATES)
    fails("d", "images.npy: 4 dimensions found", "expected [n, rows, cols]")
    stacks(IMAGES.astype("i8"), TEMPLATES)
    fails("d", "images.npy: i64 values found")
    stacks(IMAGES.astype("c8"), TEMPLATES)
    fails("d", "images.npy: header", "expected 8 to 64-bit integers")
    stacks(IMAGES, TEMPLATES, [[3, 0]])
    fails("d", "pairs.npy: row 0: image 3 found, expected 0 to 2")
    stacks(IMAGES, TEMPLATES, [[0, 0, 0]])
    fails("d", "pairs.npy: pairs: shape [1, 3] found")
    stacks(IMAGES, TEMPLATES, [[0, 0.5]])
    fails("d", "pairs.npy: pairs: row 0: 0.5 found, expected an integer")
    stacks(IMAGES, np.zeros((2, 4), "i4"))
    fails("d", "templates.npy: shape [2, 4] found")
    stacks(IMAGES, TEMPLATES)
    with open("d/images.npy", "r+b") as file:
        file.truncate(2000)
    fails("d", "images.npy: 2000 bytes found, expected 3728")
    write("d/images.npy", "\x93NUMPY")
    fails("d", "images.npy")
    stacks(IMAGES, TEMPLATES)
    os.remove("d/templates.npy")
    fails("d", "templates.npy: No such file")
    stacks(IMAGES.astype("f8") + 1e10, TEMPLATES)
    fails("d", "images.npy: pixel (0, 0) is", "--dtype i16", options=["--dtype", "i16"])


main(every_type_and_byte_order, tables_of_every_type_and_order, boxes_for_templates, pairs_from_csv_and_mat,
     chunks_and_types, planes_longer_than_a_block, refused)
