#!/usr/bin/env python3
"""Inputs that the file format allows are read bit by bit, however they are stored: io_input.py IO_TOOL"""
import h5py
import numpy as np

from io_common import DTYPES, Dump, main, pixels, same, tool

RNG = np.random.default_rng(5)


def write(path, images, templates, pairs=((0, 0),), **options):
    """Datasets from arrays, groups from dicts."""
    with h5py.File(path, "w") as file:
        for name, value in (("images", images), ("templates", templates)):
            if isinstance(value, dict):
                group = file.create_group(name)
                for key, array in value.items():
                    group.create_dataset(str(key), data=array, **options)
            else:
                file.create_dataset(name, data=value, **options)
        file["pairs"] = np.asarray(pairs, "i8").reshape(-1, 2)


def every_type_and_byte_order():
    for code in DTYPES.values():
        for order in "<>":
            images = pixels(RNG, order + code, (3, 7, 5))
            templates = pixels(RNG, order + code, (2, 4, 3))
            write("stack.h5", images, templates)
            write("group.h5", dict(enumerate(images)), dict(enumerate(templates)))
            for path in ("stack.h5", "group.h5"):
                dump = Dump(path)
                assert all(same(dump.image[i], images[i]) for i in range(3)), (path, code, order)
                assert all(same(dump.template[i], templates[i]) for i in range(2)), (path, code, order)


def half_precision_specials():
    bits = np.array([[0, 0x8000, 1, 0x03FF, 0x7C00, 0xFC00, 0x7E00, 0x3C00, 0x7BFF]], "u2")
    write("a.h5", bits.view("<f2")[None], bits.byteswap().view(">f2")[None])
    dump = Dump("a.h5")
    assert same(dump.image[0].view("u2"), bits) and same(dump.template[0].view("u2"), bits)


def groups_with_gaps_zeros_and_mixed_shapes():
    images = {"0007": pixels(RNG, "u1", (4, 5)), "12": pixels(RNG, ">f4", (6, 3)), "3": pixels(RNG, "i2", (9, 9))}
    write("a.h5", images, {"100": images["3"]}, [[7, 100], [12, 100], [3, 100], [-1, 100], [3, -1]])
    dump = Dump("a.h5")
    assert list(dump.image) == [3, 7, 12]
    assert all(same(dump.image[int(key)], value) for key, value in images.items())
    assert dump.pairs == [[7, 100], [12, 100], [3, 100], [-1, 100], [3, -1]]
    done = tool("resolve", "a.h5", "skip")  # template 100 (9 x 9) fits no image but 3
    assert done.stdout.split("\n")[:6] == ["index -1 -1", "index -1 -1", "index 0 0", "index -1 -1", "index -1 -1", "bad 2"]


def chunked_and_compressed():
    images, templates = pixels(RNG, ">u2", (9, 40, 30)), pixels(RNG, "f4", (5, 8, 8))
    write("plain.h5", images, templates)
    plain = Dump("plain.h5")
    for options in ({"chunks": True}, {"compression": "gzip", "shuffle": True},
                    {"compression": "gzip", "fletcher32": True, "scaleoffset": None}):
        write("a.h5", images, templates, **options)
        dump = Dump("a.h5")
        assert all(same(dump.image[i], images[i]) for i in range(9)), options
        assert dump.fingerprint == plain.fingerprint, options
    with h5py.File("a.h5", "w") as file:  # a chunk holds several planes, and does not divide the shape
        file.create_dataset("images", data=images, chunks=(4, 7, 11), compression="gzip")
        file.create_dataset("templates", data=templates, chunks=(5, 8, 8))
        file["pairs"] = np.array([[0, 0]])
    dump = Dump("a.h5")
    assert all(same(dump.image[i], images[i]) for i in range(9)) and dump.fingerprint == plain.fingerprint


def template_boxes():
    images = pixels(RNG, ">i2", (3, 20, 30))
    boxes = [[0, 0, 0, 20, 30], [2, 3, 4, 5, 6], [1, 19, 29, 1, 1], [2, 15, 0, 5, 30]]
    for dtype in ("i4", ">u2", "i8"):
        write("stack.h5", images, np.array(boxes, dtype))
        write("group.h5", {10 * i: image for i, image in enumerate(images)},
              np.array([[10 * b[0], *b[1:]] for b in boxes], dtype), [[0, 0]], chunks=(3, 4))
        for path in ("stack.h5", "group.h5"):
            dump = Dump(path)
            for i, (image, y, x, rows, cols) in enumerate(boxes):
                assert same(dump.template[i], images[image, y:y + rows, x:x + cols]), (path, i)


def pairs_of_any_integer_type():
    for dtype in ("i1", "u1", ">i2", "<u4", ">u8", "i8"):
        write("a.h5", pixels(RNG, "u1", (2, 5, 5)), pixels(RNG, "u1", (2, 2, 2)))
        with h5py.File("a.h5", "r+") as file:
            del file["pairs"]
            file["pairs"] = np.array([[0, 1], [1, 0]], dtype)
        assert Dump("a.h5").pairs == [[0, 1], [1, 0]], dtype


def no_pairs_and_no_objects():
    write("a.h5", pixels(RNG, "u1", (2, 5, 5)), pixels(RNG, "u1", (2, 2, 2)), [])
    assert Dump("a.h5").pairs == []
    write("b.h5", np.zeros((0, 5, 5), "u1"), {}, [])
    dump = Dump("b.h5")
    assert dump.image == {} and dump.template == {} and dump.pairs == []


def search_names_and_expected():
    write("a.h5", pixels(RNG, "u1", (2, 5, 5)), pixels(RNG, "u1", (2, 2, 2)), [[0, 0], [1, 1]])
    with h5py.File("a.h5", "r+") as file:
        file["search"] = np.array([[0, 1, 3, 4], [0, 0, 6, 6]], "i2")
        file.create_dataset("image_names", data=["tile ä", ""], dtype=h5py.string_dtype())
        file["template_names"] = np.array([b"one", b"three"])
        file["expected/coords"] = np.array([[1, 2], [-1, -1]], "i4")
        file["expected/peaks"] = np.array([0.25, np.nan], "f4")
    dump = Dump("a.h5")
    assert dump.windows == [[0, 1, 3, 4], [0, 0, 6, 6]]
    assert dump.names == (["tile ä", ""], ["one", "three"])
    assert dump.coords == [[1, 2], [-1, -1]] and dump.peaks[0] == 0.25 and np.isnan(dump.peaks[1])


def external_links():
    images, templates = pixels(RNG, "u1", (2, 5, 5)), pixels(RNG, "u1", (2, 2, 2))
    write("pixels.h5", images, dict(enumerate(templates)))
    with h5py.File("a.h5", "w") as file:
        file["images"] = h5py.ExternalLink("pixels.h5", "/images")
        file["templates/4"] = h5py.ExternalLink("pixels.h5", "/templates/1")
        file["templates/2"] = h5py.SoftLink("/templates/4")
        file["pairs"] = np.array([[0, 4]])
    dump = Dump("a.h5")
    assert same(dump.image[1], images[1]) and same(dump.template[4], templates[1]) and 2 in dump.template


def virtual_datasets():
    images = pixels(RNG, "<u2", (4, 6, 5))
    for i, image in enumerate(images):
        with h5py.File(f"tile{i}.h5", "w") as file:
            file["data"] = image
    layout = h5py.VirtualLayout(shape=(4, 6, 5), dtype="<u2")
    for i in range(4):
        layout[i] = h5py.VirtualSource(f"tile{i}.h5", "data", shape=(6, 5))
    with h5py.File("a.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("images", layout)
        file["templates"] = images[:2, :3, :3]
        file["pairs"] = np.array([[0, 0]])
    dump = Dump("a.h5")
    assert all(same(dump.image[i], images[i]) for i in range(4))


def fingerprint_is_of_the_content():
    images, templates = pixels(RNG, "u1", (2, 5, 5)), pixels(RNG, "u1", (2, 2, 2))
    write("a.h5", images, templates)
    first = Dump("a.h5").fingerprint
    write("b.h5", dict(enumerate(images)), dict(enumerate(templates)), compression="gzip", chunks=True)
    assert Dump("b.h5").fingerprint == first
    changed = images.copy()
    changed[1, 4, 4] ^= 1
    variants = [(changed, templates, [[0, 0]]), (images, templates, [[0, 1]]), (images, templates.view("i1"), [[0, 0]]),
                ({0: images[0], 2: images[1]}, templates, [[0, 0]]), (images, templates, [[0, 0], [0, 0]])]
    seen = {first}
    for variant in variants:
        write("c.h5", *variant)
        seen.add(Dump("c.h5").fingerprint)
    with h5py.File("a.h5", "r+") as file:
        file["search"] = np.array([[0, 0, 3, 3]])
    seen.add(Dump("a.h5").fingerprint)
    assert len(seen) == len(variants) + 2


def the_input_is_only_read():
    write("a.h5", pixels(RNG, "u1", (2, 5, 5)), pixels(RNG, "u1", (2, 2, 2)))
    with open("a.h5", "rb") as file:
        before = file.read()
    Dump("a.h5")
    with open("a.h5", "rb") as file:
        assert file.read() == before


if __name__ == "__main__":
    main(every_type_and_byte_order, half_precision_specials, groups_with_gaps_zeros_and_mixed_shapes,
         chunked_and_compressed, template_boxes, pairs_of_any_integer_type, no_pairs_and_no_objects,
         search_names_and_expected, external_links, virtual_datasets, fingerprint_is_of_the_content,
         the_input_is_only_read)
