#!/usr/bin/env python3
"""Sources that are missing, damaged or not what they should be: their pairs are `unreadable` (or nothing is begun where no
source can be read), one line says why, and nothing crashes."""
import json
import os
import re
import shutil
import tempfile

from formats_common import MPIXCORR, h5py, launch, mrc, n5, named_input, np, npy, png, run, scene, tiff, write, zarr2, zarr3

IMAGES, BOXES, PAIRS = scene()
TOLD = 10  # reasons that one run tells


def change(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at, 2 if at < 0 else 0)
        file.write(data)


def cut(path, size):
    os.truncate(path, size)


def edit(path, **members):
    with open(path, encoding="utf-8") as file:
        meta = json.load(file)
    for name, value in members.items():
        meta[name] = value
    with open(path, "w", encoding="utf-8") as file:
        json.dump(meta, file)


def make(folder):
    """One array of every format, in which image 3 is the one that is damaged."""
    tiff(f"{folder}/a.tif", IMAGES)
    mrc(f"{folder}/a.mrc", IMAGES)
    npy(f"{folder}/a.npy", IMAGES)
    png(f"{folder}/a.png", IMAGES[3])
    zarr2(f"{folder}/z2", IMAGES, chunk=(1, 16, 20))
    zarr3(f"{folder}/z3", IMAGES, chunk=(1, 16, 20))
    zarr3(f"{folder}/zs", IMAGES, chunk=(1, 10, 13), shard=(1, 20, 26))
    zarr3(f"{folder}/zc", IMAGES, chunk=(1, 16, 20), crc=True)
    n5(f"{folder}/n5", IMAGES, chunk=(1, 16, 20))
    with h5py.File(f"{folder}/a.h5", "w") as file:
        file.create_dataset("d", data=IMAGES, chunks=(1, 20, 26), compression="gzip", shuffle=True)


def h5_chunk(folder):
    with h5py.File(f"{folder}/a.h5", "r") as file:
        chunk = file["d"].id.get_chunk_info(12)
    change(f"{folder}/a.h5", chunk.byte_offset + 10, b"\xff" * 20)


def loop(folder):
    os.symlink("loop.tif", f"{folder}/loop.tif")


def json_of(name, **members):
    return lambda folder: edit(f"{folder}/{name}", **members)


BLOSC, BYTES = {"id": "blosc"}, {"name": "bytes", "configuration": {"endian": "little"}}

# what is done, which source stands for image 3, words of the reason
DAMAGE = [
    (None, "absent.tif", "No such file"),
    (None, "absent/z[3]", "No such file"),
    (None, "a.tif/inside", "no HDF5 file"),
    (None, "a.tif[8]", "its shape is [8, 40, 52]"),
    (None, "a.tif[-9]", "its shape is [8, 40, 52]"),
    (None, "a.tif[3,0:0]", "its shape is"),
    (None, "a.tif", "expected an index"),
    (None, "a.tif[3,1,2]", "expected an index"),
    (None, "a.tif[1,2,3,4]", "an index of 4 axes"),
    (None, "a.tif[]", "no index"),
    (None, "a.tif[3", "No such file"),
    (None, "a.tif[3,0:40:2]", "no index"),
    (None, "a.tif[99999999999999999999]", "no index"),
    (None, "a.tif[9223372036854775807]", "no index"),
    (None, "a.tif[0,0,0,0,0,0,0,0,0]", "no index"),
    (None, "s3://bucket/a.tif", "not a file"),
    (None, "x.dm4", "DigitalMicrograph"),
    (None, "x.DM3[0]", "DigitalMicrograph"),
    (None, "a.h5", "expected a dataset's path"),
    (None, "a.h5/nothing[3]", "cannot be opened"),
    (None, ".", "a folder found"),
    (None, "", "an empty name"),
    (loop, "loop.tif", "symbolic links"),
    (lambda f: os.mkfifo(f"{f}/pipe.tif"), "pipe.tif", "no regular file"),
    (lambda f: write(f"{f}/empty.tif", b""), "empty.tif", "the file is empty"),
    (lambda f: write(f"{f}/text.tif", b"no picture"), "text.tif", "none of TIFF"),
    (lambda f: cut(f"{f}/a.tif", 9000), "a.tif[3]", "a.tif"),
    (lambda f: change(f"{f}/a.tif", 20, b"\xff" * 3000), "a.tif[0]", "a.tif"),
    (lambda f: write(f"{f}/b.tif", b"II*\0\xff\xff\xff\x7f"), "b.tif", "b.tif"),
    (lambda f: cut(f"{f}/a.mrc", 5000), "a.mrc[3]", "bytes found, expected"),
    (lambda f: change(f"{f}/a.mrc", 12, b"\x04"), "a.mrc[3]", "MRC mode 4"),
    (lambda f: change(f"{f}/a.mrc", 0, b"\xff\xff\xff\xff"), "a.mrc[3]", "no MRC file"),
    (lambda f: change(f"{f}/a.mrc", 92, b"\xff\xff\xff\xff"), "a.mrc[3]", "no MRC file"),
    (lambda f: cut(f"{f}/a.mrc", 1000), "a.mrc[3]", "ends at byte"),
    (lambda f: cut(f"{f}/a.npy", 3000), "a.npy[3]", "3000 bytes found"),
    (lambda f: change(f"{f}/a.npy", 8, b"\xff\xff"), "a.npy[3]", "cut off"),
    (lambda f: npy(f"{f}/c.npy", IMAGES.astype("c8")), "c.npy[3]", "expected 8 to 64-bit"),
    (lambda f: write(f"{f}/d.npy", b"\x93NUMPY\1\0\x0a\0{'descr': "), "d.npy[3]", "expected 8 to 64-bit"),
    (lambda f: npy(f"{f}/l.npy", IMAGES.astype("i8")), "l.npy[3]", "i64 values"),
    (lambda f: npy(f"{f}/one.npy", IMAGES[3, 0]), "one.npy", "1 dimensions"),
    (lambda f: npy(f"{f}/wide.npy", IMAGES.astype("f4")), "wide.npy[3]", "f32"),
    (lambda f: cut(f"{f}/a.png", 500), "a.png", "a.png"),
    (lambda f: change(f"{f}/a.png", 60, b"\xff" * 9), "a.png", "a.png"),
    (lambda f: change(f"{f}/a.png", 25, b"\2"), "a.png", "RGB of 16 bits"),
    (lambda f: write(f"{f}/a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF"), "a.jpg", "a.jpg"),
    (lambda f: cut(f"{f}/z2/3.0.0", 10), "z2[3]", "no deflate"),
    (lambda f: write(f"{f}/z2/3.0.0", b""), "z2[3]", "chunk"),
    (lambda f: os.mkdir(f"{f}/z2/3.9.9") or os.remove(f"{f}/z2/3.0.0") or os.mkdir(f"{f}/z2/3.0.0"), "z2[3]",
     "a folder found"),
    (lambda f: write(f"{f}/z2/.zarray", b"{"), "z2[3]", "no JSON"),
    (lambda f: write(f"{f}/z2/.zarray", b"[1]"), "z2[3]", "no JSON object"),
    (json_of("z2/.zarray", shape=[8, 40, -1]), "z2[3]", "no shape"),
    (json_of("z2/.zarray", shape="x"), "z2[3]", "no shape"),
    (json_of("z2/.zarray", chunks=[1, 0, 20]), "z2[3]", "chunk's side of 0"),
    (json_of("z2/.zarray", chunks=[1, 2**40, 2**40]), "z2[3]", "expected at most 2 GiB"),
    (json_of("z2/.zarray", chunks=[1, 16]), "z2[3]", "no shape and chunks"),
    (json_of("z2/.zarray", shape=[2**62, 40, 52]), "z2[3]", "a side of"),
    (json_of("z2/.zarray", dtype="<c8"), "z2[3]", "type '<c8'"),
    (json_of("z2/.zarray", dtype=None), "z2[3]", "type ''"),
    (json_of("z2/.zarray", order="K"), "z2[3]", "order 'K'"),
    (json_of("z2/.zarray", compressor={"id": "magic"}), "z2[3]", "codec 'magic'"),
    (json_of("z2/.zarray", compressor=BLOSC), "z2[3]", "no Blosc"),
    (json_of("z2/.zarray", filters=[{"id": "delta"}]), "z2[3]", "filter 'delta'"),
    (json_of("z2/.zarray", fill_value="abc"), "z2[3]", "fill value"),
    (json_of("z2/.zarray", fill_value=70000), "z2[3]", "fill value"),
    (json_of("z2/.zarray", dimension_separator="|"), "z2[3]", "separator"),
    (lambda f: cut(f"{f}/z3/c/3/0/0", 30), "z3[3]", "no deflate"),
    (json_of("z3/zarr.json", data_type="complex64"), "z3[3]", "type 'complex64'"),
    (json_of("z3/zarr.json", codecs=[]), "z3[3]", "no list of codecs"),
    (json_of("z3/zarr.json", codecs=[{"name": "gzip"}, BYTES]), "z3[3]", "before 'bytes'"),
    (json_of("z3/zarr.json", codecs=[BYTES] * 2), "z3[3]", "codec 'bytes'"),
    (json_of("z3/zarr.json", codecs=[BYTES] + [{"name": "crc32c"}] * 20), "z3[3]", "more than 8 codecs"),
    (json_of("z3/zarr.json", codecs=[{"name": "transpose", "configuration": {"order": [0, 0, 1]}}, BYTES]), "z3[3]",
     "without an order"),
    (json_of("z3/zarr.json", chunk_grid={"name": "odd"}), "z3[3]", "chunk grid 'odd'"),
    (json_of("z3/zarr.json", node_type="group"), "z3[3]", "a Zarr group"),
    (json_of("z3/zarr.json", storage_transformers=[{}]), "z3[3]", "storage transformers"),
    (lambda f: change(f"{f}/zc/c/3/0/0", -2, b"xx"), "zc[3]", "no crc32c"),
    (lambda f: cut(f"{f}/zs/c/3/0/0", 40), "zs[3]", "a shard of 40 bytes"),
    (json_of("zs/zarr.json", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1, 0, 26]}}), "zs[3]",
     "shards of 0"),
    (lambda f: os.remove(f"{f}/z3/c/3/0/0") or os.symlink("../../not/fetched", f"{f}/z3/c/3/0/0"), "z3[3]",
     "leads nowhere"),
    (lambda f: change(f"{f}/zs/c/3/0/0", -30, b"\1"), "zs[3]", "another checksum"),
    (lambda f: os.remove(f"{f}/n5/attributes.json"), "n5[3]", "a folder found"),
    (json_of("n5/attributes.json", dataType="int64"), "n5[3]", "type 'int64'"),
    (json_of("n5/attributes.json", compression={"type": "xz"}), "n5[3]", "codec 'xz'"),
    (json_of("n5/attributes.json", blockSize=[20, 16, 0]), "n5[3]", "chunk's side of 0"),
    (lambda f: change(f"{f}/n5/0/0/3", 0, b"\0\7"), "n5[3]", "a block of mode 7"),
    (lambda f: change(f"{f}/n5/0/0/3", 4, b"\xff"), "n5[3]", "a block of"),
    (lambda f: change(f"{f}/n5/0/0/3", 4, b"\0\0\0\1"), "n5[3]", "n5"),
    (lambda f: cut(f"{f}/n5/0/0/3", 3), "n5[3]", "a block of 3 bytes"),
    (h5_chunk, "a.h5/d[3]", "a.h5"),
    (lambda f: cut(f"{f}/a.h5", 5000), "a.h5/d[3]", "a.h5"),
    (lambda f: write(f"{f}/a.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100), "a.h5/d[3]", "a.h5"),
]


def relative(source):
    return source and "://" not in source


def try_some(folder, number, damages):
    """One run over eight good images, and one of each damaged set of files beside them."""
    shutil.rmtree(os.path.join(folder, "made"), ignore_errors=True)
    npy(f"{folder}/good.npy", IMAGES)
    names, boxes, pairs = [f"../good.npy[{i}]" for i in range(8)], list(BOXES), list(PAIRS)
    for damage, source, _ in damages:
        made, own, bad = os.path.join(folder, "made", str(len(names))), len(names), 0 if source == "a.tif[0]" else 3
        os.makedirs(made)
        array = re.split(r"[/[]", source)[0]
        if os.path.exists(whole := os.path.join(folder, "whole", array)) and array not in ("", "."):
            (shutil.copytree if os.path.isdir(whole) else shutil.copy)(whole, os.path.join(made, array))
        if damage:
            damage(made)
        names.append(f"{own}/{source}" if relative(source) else source)
        boxes.append((own, *BOXES[bad][1:]))
        pairs += [[own if i == bad else i for i in pair] for pair in PAIRS if bad in pair]
    input, output = os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    # Looked up before work, or noticed by reading; another type is noticed only where one was told.
    told = number % 2 or any("wide" in source for _, source, _ in damages)
    named_input(input, names, boxes, pairs, root="made", shapes=[IMAGES.shape[1:]] * len(names) if told else None,
                dtype="u16" if told else None)
    done = run(input, output, 3 if number % 4 == 0 else 1, ["--read", "all"])
    assert done.returncode == 6 and "AddressSanitizer" not in done.stderr, (number, done.stdout, done.stderr)
    for own, (_, source, words) in enumerate(damages, 8):
        lines = re.findall(rf"\b{own}/.*" if relative(source) else ".+", done.stdout)
        assert any(words in line for line in lines), (own, words, done.stdout)
    with h5py.File(output, "r") as file:
        wanted = np.where(np.arange(len(pairs)) < len(PAIRS), 1, 4)
        assert (file["status"][()] == wanted).all(), (number, done.stdout, file["status"][()])


def none_at_all(folder):
    input, output = os.path.join(folder, "in.h5"), os.path.join(folder, "out.h5")
    for shapes in (None, [IMAGES.shape[1:]] * 8):
        named_input(input, [f"gone/{i}.tif" for i in range(8)], BOXES, PAIRS, shapes=shapes,
                    dtype="uint16" if shapes else None)
        done = run(input, output)
        assert done.returncode == 3 and "No such file" in done.stderr, (done.stdout, done.stderr)
        assert len(done.stderr.splitlines()) == 1 and not os.path.exists(output + ".part")
    for shapes, dtype, words in (([(40, 52)] * 7, "u16", "image_shapes"), ([(40, 0)] * 8, "u16", "40 x 0 found"),
                                 ([(40, 52)] * 8, "i64", "attribute dtype")):
        named_input(input, ["x"] * 8, BOXES, PAIRS, shapes=shapes, dtype=dtype)
        done = run(input, output)
        assert done.returncode == 3 and words in done.stderr, (done.stdout, done.stderr)


def told_by_info(folder):
    """info says where pixels lie; --check names what cannot be read, and an input is no output."""
    input = os.path.join(folder, "in.h5")
    tiff(f"{folder}/i/s.tif", IMAGES)
    for last, good in (("s.tif[7]", 8), ("gone.tif", 7)):
        named_input(input, [f"s.tif[{i}]" for i in range(7)] + [last], BOXES, PAIRS, root="i")
        done = launch([MPIXCORR, "info", input])
        assert done.returncode == 0 and f"from 's.tif[0]' to '{last}'" in done.stdout, (done.stdout, done.stderr)
        for options, there in ((["--root", f"{folder}/i"], good), ([], good)):
            done = launch([MPIXCORR, "info", input, "--check", *options])
            assert done.returncode == 1 and f"{there} of 8 images" in done.stdout, (done.stdout, done.stderr)
            assert ("gone.tif" in done.stderr) == (there < 8), done.stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        none_at_all(folder)
        told_by_info(folder)
        make(f"{folder}/whole")
        for first in range(0, len(DAMAGE), TOLD):
            try_some(folder, first // TOLD, DAMAGE[first:first + TOLD])
    print(f"{len(DAMAGE)} kinds of damage were told")


if __name__ == "__main__":
    main()
