#!/usr/bin/env python3
"""Whatever is wrong with an input is told in one line that names file and object, with exit 3: io_malformed.py IO_TOOL"""
import os

import h5py
import numpy as np

from io_common import main, tool

RNG = np.random.default_rng(1)


def write(path="a.h5", **changes):
    """A good input with some objects replaced, or left out where the value is None; functions make objects."""
    good = {"images": RNG.integers(0, 255, (2, 32, 40), dtype="u1"),
            "templates": RNG.integers(0, 255, (3, 8, 9), dtype="u1"),
            "pairs": np.array([[0, 0], [1, 1], [0, 2]])}
    with h5py.File(path, "w") as file:
        for name, value in {**good, **changes}.items():
            if callable(value):
                value(file, name)
            elif isinstance(value, dict):
                group = file.create_group(name)
                for key, array in value.items():
                    group[key] = array
            elif value is not None:
                file[name] = value


def refused(*words, command="dump", path="a.h5", code=3):
    done = tool(command, path)
    lines = done.stderr.splitlines()
    assert done.returncode == code, (done.returncode, done.stderr, done.stdout[:200])
    assert len(lines) == 1 and lines[0].startswith(f"mpixcorr: {path}: "), done.stderr
    for word in words:
        assert word in lines[0], (word, lines[0])
    print("   ", lines[0])


def missing_datasets():
    for name in ("images", "templates", "pairs"):
        write(**{name: None})
        refused(f"/{name}", "not found, expected")


def wrong_shapes():
    for name, shape in (("images", (32, 40)), ("images", ()), ("images", (1, 2, 3, 4)), ("templates", (4, 4)),
                        ("templates", (7,)), ("pairs", (4,)), ("pairs", (4, 3)), ("pairs", (2, 2, 2)), ("pairs", ())):
        write(**{name: np.zeros(shape, "u1")})
        refused(f"/{name}", "found, expected")
    write(images={"0": np.zeros((3, 3, 3), "u1")})
    refused("/images/0", "shape [3, 3, 3] found, expected [rows, cols]")
    write(images=np.zeros((2, 0, 5), "u1"))
    refused("/images", "[2, 0, 5]", "at least one pixel")
    write(templates={"1": np.zeros((0, 5), "u1")})
    refused("/templates/1", "[0, 5]", "at least one pixel")
    write(images=lambda file, name: file.create_dataset(name, (2, 2**31, 4), "u1", chunks=(1, 4, 4)))
    refused("/images", "2147483648", "expected at most")


def wrong_types():
    compound = np.dtype([("a", "i4"), ("b", "f4"), ("c", "f4")])
    kinds = {"64-bit signed integers": "i8", "64-bit unsigned integers": "u8", "complex": "c8", "compounds": compound,
             "strings": "S4", "enumerated": "?", "128-bit floats": "f16"}
    for words, dtype in kinds.items():
        dtype = np.longdouble if dtype == "f16" else dtype
        write(images=np.zeros((2, 32, 40), dtype))
        refused("/images", words, "expected pixels of")
        write(templates={"5": np.zeros((3, 4), dtype)})
        refused("/templates/5", words, "expected pixels of")
    write(images=lambda file, name: file.create_dataset(name, (2,), h5py.vlen_dtype("u1")))
    refused("/images")
    write(images=lambda file, name: file.create_dataset(name, data=h5py.Empty("u1")))
    refused("/images", "empty dataset")
    for dtype in ("f8", "f4", "S3", compound):
        write(pairs=np.zeros((3, 2), dtype))
        refused("/pairs", "found, expected integers")
    write(pairs=lambda file, name: file.create_group(name))
    refused("/pairs", "a group found, expected a dataset")


def odd_names():
    array = np.zeros((4, 4), "u1")
    for name in ("tile", "0x1", "-1", "1.5", " 1", "1a", "99999999999999999999"):
        write(images={"0": array, name: array})
        refused(f"/images/{name}: odd name")
    write(images={"7": array, "007": array})
    refused("/images", "datasets 007 and 7 have the same id")
    write(images=lambda file, name: file.create_group("images/0"))
    refused("/images/0", "a group found, expected a dataset")


def dangling_links():
    write(images=lambda file, name: file.__setitem__(name, h5py.SoftLink("/nowhere")))
    refused("/images", "cannot be opened")
    write(images=lambda file, name: file.__setitem__("images/0", h5py.ExternalLink("gone.h5", "/x")))
    refused("/images/0", "cannot be opened", "gone.h5")


def virtual_without_source():
    layout = h5py.VirtualLayout(shape=(1, 32, 40), dtype="u1")
    layout[0] = h5py.VirtualSource("gone.h5", "data", shape=(32, 40))
    write(images=lambda file, name: file.create_virtual_dataset(name, layout))
    refused("/images", "virtual dataset", "gone.h5")


def bad_ids():
    for row, pair, words in ((0, [2, 0], ["image id 2 found, expected 0 to 1"]),
                             (1, [0, 3], ["template id 3 found, expected 0 to 2"]),
                             (2, [-2, 0], ["image id -2"]), (0, [0, -5], ["template id -5"]),
                             (1, [-1, -2], ["template id -2"]), (2, [2**40, 0], [str(2**40)])):
        pairs = np.array([[0, 0], [1, 1], [0, 2]])
        pairs[row] = pair
        write(pairs=pairs)
        refused(f"/pairs row {row}", *words, command="resolve")
    array = np.zeros((40, 40), "u1")
    write(images={"3": array, "9": array}, pairs=np.array([[3, 0], [9, 1], [5, 2]]))
    refused("/pairs row 2", "image id 5 found, expected one of those in the file, from 3 to 9", command="resolve")
    write(images={}, pairs=np.array([[0, 0]]))
    refused("/pairs row 0", "/images is empty", command="resolve")


def template_larger_than_image():
    write(templates={"0": np.zeros((8, 9), "u1"), "1": np.zeros((33, 2), "u1"), "2": np.zeros((8, 9), "u1")})
    refused("/pairs row 1 (image id 1, template id 1)", "33", "32", command="resolve")


def bad_boxes():
    for box, words in (([0, 0, 0, 33, 5], "box"), ([1, -1, 0, 5, 5], "box"), ([0, 0, 36, 5, 5], "box"),
                       ([2, 0, 0, 5, 5], "image id 2 found"), ([0, 0, 0, 0, 5], "box"),
                       ([0, 2**63 - 1, 0, 5, 5], "box"), ([0, 5, 5, 2**63 - 1, 5], "box")):
        write(templates=np.array([[0, 0, 0, 5, 5], [1, 2, 3, 4, 5], box]))
        refused("/templates row 2", words)
    write(templates=np.zeros((3, 5), "f4"))
    refused("/templates", "32-bit floats found, expected integers")


def bad_search():
    write(search=np.zeros((2, 4), "i4"))
    refused("/search", "shape [2, 4] found, expected [3, 4]")
    write(search=np.zeros((3, 4)))
    refused("/search", "64-bit floats found, expected integers")
    windows = np.array([[0, 0, 9, 9], [5, 5, 5, 9], [0, 0, 9, 9]])
    write(search=windows)
    refused("/pairs row 1", "search window", command="resolve")


def bad_names_and_expected():
    write(image_names=np.array([b"one"]))
    refused("/image_names", "shape [1] found, expected [2] of strings")
    write(image_names=np.array([1, 2]))
    refused("/image_names", "found, expected strings")
    write(**{"expected/peaks": np.zeros(2)})
    refused("/expected/peaks", "shape [2] found, expected [3]")
    write(**{"expected/coords": np.zeros((3, 2))})
    refused("/expected/coords", "found, expected integers")


def missing_filter():
    def create(file, name):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 32, 40))
        plist.set_filter(31999, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((2, 32, 40))
        h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_UINT8, space, plist)

    write(images=create)
    refused("/images", "filter 31999", "HDF5_PLUGIN_PATH")


def no_hdf5_file():
    refused("No such file or directory")
    with open("a.h5", "w", encoding="ascii") as file:
        file.write("image,template\n0,0\n")
    refused("not an HDF5 file")
    open("a.h5", "w").close()
    refused("not an HDF5 file")
    os.remove("a.h5")
    os.mkdir("a.h5")
    refused("a directory found")
    os.rmdir("a.h5")
    os.mkfifo("a.h5")
    refused("expected an HDF5 file")


def truncated():
    write()
    size = os.path.getsize("a.h5")
    for keep in (1, 8, 48, 96, 512, size // 2, size - 1):
        write()
        os.truncate("a.h5", keep)
        refused()


def locked_by_a_writer():
    write()
    with h5py.File("a.h5", "r+"):
        refused("another program has it open for writing", "HDF5_USE_FILE_LOCKING")


if __name__ == "__main__":
    main(missing_datasets, wrong_shapes, wrong_types, odd_names, dangling_links, virtual_without_source, bad_ids,
         template_larger_than_image, bad_boxes, bad_search, bad_names_and_expected, missing_filter, no_hdf5_file,
         truncated, locked_by_a_writer)
