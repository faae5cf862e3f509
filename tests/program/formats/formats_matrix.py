#!/usr/bin/env python3
"""The same images wherever they lie: in every format that is read in place, the same bytes on 1 and 3 ranks, whoever
reads. Formats are written by hand here, and by the formats' own packages where these are installed."""
import importlib
import os
import sys
import tempfile

from formats_common import (MPIXCORR, h5py, launch, mrc, n5, named_input, np, npy, png, results, run, scene, tiff, zarr2,
                            zarr3)


GAP = 5


def slices(name, n):
    return [f"{name}[{i}]" for i in range(n)]


def by_hand(folder, images):
    """Yields (what it is, names)."""
    n = len(images)
    def at(name):
        return os.path.join(folder, name)
    npy(at("a.npy"), images)
    yield "npy", slices("a.npy", n)
    npy(at("f.npy"), images, fortran=True)
    yield "npy in Fortran's order", slices("f.npy", n)
    npy(at("last.npy"), np.moveaxis(images, 0, 2).copy())
    yield "npy across the last axis", [f"last.npy[:,:,{i}]" for i in range(n)]
    npy(at("deep.npy"), np.pad(images[None, :, None], ((0, 0), (0, 0), (0, 1), (2, 1), (3, 0))))
    yield "npy with ranges", [f"deep.npy[-1,{i},0,2:-1,3:]" for i in range(n)]
    npy(at("b.npy"), images.astype(">u2"))
    yield "npy, big-endian", slices("b.npy", n)
    for big in (False, True):
        mrc(at(f"m{big}.mrc"), images, big)
        yield f"MRC, big-endian {big}", slices(f"m{big}.mrc", n)
    for i, image in enumerate(images):
        png(at(f"p{i}.png"), image)
        npy(at(f"odd[{i}].npy"), image)
    yield "PNG", [f"p{i}.png" for i in range(n)]
    yield "files whose names look like an index", [f"odd[{i}].npy" for i in range(n)]
    tiff(at("stack.tif"), images)
    yield "TIFF pages", slices("stack.tif", n)
    tiff(at("plain.tif"), images, big=True, deflate=False)
    yield "TIFF pages, big-endian, plain", slices("plain.tif", n)
    for i, image in enumerate(images):
        tiff(at(f"t{i}.tif"), [image], rows_per_strip=(8, 40, 7)[i % 3])
    yield "TIFF files", [f"t{i}.tif" + ("" if i % 2 else "[0]") for i in range(n)]
    for order in "CF":
        for mark in "./":
            zarr2(at(f"z{order}{ord(mark)}"), images, order=order, mark=mark)
            yield f"Zarr 2, order {order}, keys {mark}", slices(f"z{order}{ord(mark)}", n)
    zarr2(at("gap"), images, chunk=(1, 10, 13), leave_out={(GAP, 0, 0)})
    yield "Zarr 2, a chunk absent", slices("gap", n)
    zarr2(at("raw.zarr/s0"), images.astype(">u2"), compressor=None)
    yield "Zarr 2, plain, big-endian", slices("raw.zarr/s0", n)
    zarr3(at("three"), images)
    yield "Zarr 3", slices("three", n)
    zarr3(at("turned"), images, transpose=[2, 0, 1], big=True, crc=True)
    yield "Zarr 3, transposed, big-endian, with checksums", slices("turned", n)
    zarr3(at("shards"), images, chunk=(1, 10, 13), shard=(4, 20, 26))
    yield "Zarr 3 in shards", slices("shards", n)
    zarr3(at("ome/0"), images)
    with open(at("ome/zarr.json"), "w", encoding="utf-8") as file:
        file.write('{"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"multiscales": '
                   '[{"datasets": [{"path": "0"}]}]}}}')
    yield "OME-Zarr", slices("ome", n)
    for compression in ("gzip", "raw"):
        n5(at(f"{compression}.n5/setup0/s0"), images, compression=compression)
        yield f"N5, {compression}", slices(f"{compression}.n5/setup0/s0", n)
    with h5py.File(at("v.h5"), "w") as file:
        filters = {"gzip": {"compression": "gzip", "shuffle": True}, "fletcher": {"fletcher32": True},
                   "lzf": {"compression": "lzf", "shuffle": True}, "chunked": {"chunks": (2, 10, 13)}, "plain": {}}
        for name, how in filters.items():
            try:
                file.create_dataset(f"a/{name}", data=images, **how)
            except ValueError as error:
                print("not written:", error)
        gap = file.create_dataset("a/gap", images.shape, images.dtype, chunks=(1, 10, 13), compression="gzip", fillvalue=7)
        for i, image in enumerate(images):
            gap[i, 10 if i == GAP else 0:] = image[10 if i == GAP else 0:]
        gap[GAP, :10, 13:] = images[GAP, :10, 13:]
        assert gap.id.get_num_chunks() == np.prod([-(-s // c) for s, c in zip(images.shape, gap.chunks)]) - 1
        stored = list(file["a"])
    for name in stored:
        yield f"HDF5, {name}", slices(f"v.h5/a/{name}", n)


def need(*names):
    return [importlib.import_module(name) for name in names]


def by_tifffile(folder, images):
    tifffile, _ = need("tifffile", "imagecodecs")
    ways = {"lzw": {"compression": "lzw", "predictor": 2}, "deflate": {"compression": "deflate", "predictor": 2},
            "zstd": {"compression": "zstd"}, "packbits": {"compression": "packbits"}, "big": {"bigtiff": True},
            "tiles": {"tile": (16, 32), "compression": "deflate"}, "motorola": {"byteorder": ">"}}
    for name, how in ways.items():
        how = {"byteorder": how.get("byteorder", "<"), "bigtiff": how.get("bigtiff", False)}, {
            k: v for k, v in how.items() if k not in ("byteorder", "bigtiff")}
        with tifffile.TiffWriter(os.path.join(folder, f"{name}.tif"), **how[0]) as file:
            for image in images:
                file.write(image, contiguous=False, photometric="minisblack", **how[1])
        yield f"tifffile, {name}", slices(f"{name}.tif", len(images))


def by_mrcfile(folder, images):
    mrcfile, = need("mrcfile")
    with mrcfile.new(os.path.join(folder, "w.mrc")) as file:
        file.set_data(images)
    yield "mrcfile", slices("w.mrc", len(images))


def by_tensorstore(folder, images):
    ts, = need("tensorstore")
    def store(name, spec):
        spec["kvstore"] = {"driver": "file", "path": os.path.join(folder, name)}
        array = ts.open(spec, create=True, dtype=ts.uint16, shape=spec.pop("as", images.shape)).result()
        return array
    chunk = [3, 16, 20]
    for kind in ({"id": "blosc", "cname": "lz4"}, {"id": "blosc", "cname": "zstd", "shuffle": 2}, {"id": "zstd"},
                 {"id": "zlib"}):
        name = f"ts2{kind['id']}{kind.get('cname', '')}"
        store(name, {"driver": "zarr", "metadata": {"chunks": chunk, "compressor": kind}})[...] = images
        yield f"tensorstore, zarr, {kind}", slices(name, len(images))
    inner = {"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 10, 13], "codecs": [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 3, "shuffle": "bitshuffle", "typesize": 2,
                                            "blocksize": 0}}]}}
    for name, codecs, grid in (("ts3s", [inner], [4, 20, 26]),
                               ("ts3z", [{"name": "zstd", "configuration": {"level": 1}}], chunk)):
        store(name, {"driver": "zarr3", "metadata": {"codecs": codecs, "chunk_grid": {
            "name": "regular", "configuration": {"chunk_shape": grid}}}})[...] = images
        yield f"tensorstore, zarr3, {name}", slices(name, len(images))
    for kind in ({"type": "gzip"}, {"type": "raw"}, {"type": "blosc", "cname": "lz4", "clevel": 3, "shuffle": 1},
                 {"type": "zstd"}):
        name = f"n5{kind['type']}"
        try:
            array = store(name, {"driver": "n5", "metadata": {"blockSize": chunk[::-1], "compression": kind},
                                 "as": images.shape[::-1]})
        except ValueError as error:
            print("not written:", error)
            continue
        array[...] = images.transpose()
        yield f"tensorstore, n5, {kind}", slices(name, len(images))


def by_zarr(folder, images):
    zarr, = need("zarr")
    for form in (2, 3):
        name = f"zp{form}"
        array = zarr.create_array(os.path.join(folder, name), shape=images.shape, chunks=(3, 16, 20), dtype="u2",
                                  zarr_format=form)
        array[...] = images
        yield f"zarr-python, format {form}", slices(name, len(images))


def by_hdf5plugin(folder, images):
    plugin, = need("hdf5plugin")
    with h5py.File(os.path.join(folder, "plug.h5"), "w") as file:
        for name, how in (("blosc", plugin.Blosc(cname="lz4")), ("zstd", plugin.Zstd()), ("lz4", plugin.LZ4()),
                          ("bitshuffle", plugin.Bitshuffle(cname="lz4")), ("bitzstd", plugin.Bitshuffle(cname="zstd")),
                          ("bits", plugin.Bitshuffle(cname="none"))):
            file.create_dataset(name, data=images, chunks=(3, 16, 20), **how)
    for name in ("blosc", "zstd", "lz4", "bitshuffle", "bitzstd", "bits"):
        yield f"hdf5plugin, {name}", slices(f"plug.h5/{name}", len(images))


def check(folder, what, names, expected, boxes, pairs, ways):
    input, output = os.path.join(folder, "named.h5"), os.path.join(folder, "out.h5")
    named_input(input, names, boxes, pairs, fixed="slices" not in what and len(what) % 2 == 0)
    for ranks, read in ways:
        done = run(input, output, ranks, ["--read", read])
        assert done.returncode == 0, (what, ranks, read, done.stdout, done.stderr)
        assert results(output) == expected, f"{what}: other results on {ranks} ranks, --read {read}"


def main():
    images, boxes, pairs = scene()
    images[GAP, :10, :13] = 7  # the fill value of those that leave it out
    with tempfile.TemporaryDirectory() as folder:
        stack, output = os.path.join(folder, "stack.h5"), os.path.join(folder, "out.h5")
        with h5py.File(stack, "w") as file:
            file["images"], file["templates"], file["pairs"] = images, boxes, pairs
        done = launch([MPIXCORR, "run", stack, output, "--progress", "none"])
        assert done.returncode == 0, (done.stdout, done.stderr)
        expected, n = results(output), 0
        for maker in (by_hand, by_tifffile, by_mrcfile, by_tensorstore, by_zarr, by_hdf5plugin):
            try:
                for what, names in maker(folder, images):
                    ways = ((1, "root"), (3, "root"), (3, "all")) if n % 4 == 0 or "-v" in sys.argv else ((3, "all"),)
                    check(folder, what, names, expected, boxes, pairs, ways)
                    n += 1
            except ImportError as missing:
                print(f"{maker.__name__}: skipped: {missing}")
        print(f"{n} ways to store the same images gave the same results")


if __name__ == "__main__":
    main()
