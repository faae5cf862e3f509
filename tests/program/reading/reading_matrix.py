#!/usr/bin/env python3
"""The same bytes come out whoever reads, and however the same values are stored: pixel type, byte order, stack or group,
layout, compression, number of ranks.

Every two settings of two of these meet in some run; reading_matrix.py all tries all combinations, which takes minutes.
"""
import itertools
import os
import sys
from concurrent.futures import ThreadPoolExecutor

PLUGINS = "/usr/lib/x86_64-linux-gnu/hdf5/%s/plugins"  # of the distribution's packages
os.environ["HDF5_PLUGIN_PATH"] = PLUGINS % "serial"    # h5py's, before HDF5 is loaded

from reading_common import h5py, main, np, run, same, scene  # noqa: E402

STORAGES = {
    "contiguous": {},
    "chunked": {"chunks": (16, 31)},
    "planes": {"planes": 3, "compression": "gzip"},
    "gzip": {"chunks": (20, 22), "compression": "gzip", "shuffle": True},
    "lzf": {"chunks": (20, 22), "compression": "lzf"},
    "bitshuffle": {"chunks": (20, 22), "compression": 32008, "compression_opts": (0, 2)},
}
FACTORS = {
    "dtype": ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"],
    "storage": list(STORAGES),
    "order": ["<", ">"],
    "layout": ["stack", "group", "boxes"],
    "read": ["root", "all"],
    "ranks": [2, 3, 1],
}
BOXES = [(3, 11, 7, 20, 24), (0, 0, 0, 17, 31), (4, 30, 40, 30, 30), (2, 59, 0, 1, 60), (1, 5, 6, 20, 24), (3, 2, 3, 20, 24)]


def chunking(storage, shape):
    """The options of a dataset of this shape."""
    options = dict(STORAGES[storage])
    planes = options.pop("planes", 1)
    plane = options.get("chunks", shape[-2:])
    if storage != "contiguous":
        plane = tuple(min(a, b) for a, b in zip(plane, shape[-2:]))
        options["chunks"] = plane if len(shape) == 2 else (min(planes, shape[0]), *plane)
    return options


def write(path, images, templates, dtype, order, layout, storage):
    kind = np.dtype(order + dtype)
    with h5py.File(path, "w") as file:
        for name, arrays in (("images", images), ("templates", templates)):
            if layout == "boxes" and name == "templates":
                file["templates"] = np.array(BOXES)
            elif layout == "group" or len({a.shape for a in arrays}) > 1:
                for i, array in enumerate(arrays):
                    file.create_dataset(f"{name}/{i}", data=array.astype(kind), **chunking(storage, array.shape))
            else:
                stack = np.stack(arrays).astype(kind)
                file.create_dataset(name, data=stack, **chunking(storage, stack.shape))
        file["pairs"] = np.array([(i, t) for i in range(len(images)) for t in range(len(templates)) if (i + t) % 2 or t == 1])


def pairwise():
    """Few combinations in which every two settings meet; greedy, and the same each time."""
    names = list(FACTORS)
    everything = list(itertools.product(*FACTORS.values()))
    missing = {(a, x, b, y) for a, b in itertools.combinations(range(len(names)), 2)
               for x in FACTORS[names[a]] for y in FACTORS[names[b]]}
    meets = lambda c: {(a, c[a], b, c[b]) for a, b in itertools.combinations(range(len(names)), 2)}  # noqa: E731
    while missing:
        best = max(everything, key=lambda c: len(meets(c) & missing))
        missing -= meets(best)
        yield best


def filters():
    """Plugins that both h5py and the program can have."""
    missing = [name for name, number in (("lzf", 32000), ("bitshuffle", 32008))
               if not os.path.isdir(PLUGINS % "openmpi") or not h5py.h5z.filter_avail(number)]
    for name in missing:
        print(f"{name} left out: its plugin is not installed")
        FACTORS["storage"].remove(name)


def matrix():
    filters()
    rng = np.random.default_rng(3)
    images = [scene(rng, 60, 70) for _ in range(5)]
    templates = [images[i][y:y + rows, x:x + cols] for i, y, x, rows, cols in BOXES]
    write("plain.h5", images, templates, "u1", "<", "group", "contiguous")
    expected = run("plain.h5", "--read", "root")
    assert expected.code == 0, expected.words
    env = {"HDF5_PLUGIN_PATH": PLUGINS % "openmpi"}
    combinations = list(itertools.product(*FACTORS.values())) if "all" in sys.argv else list(pairwise())
    for dtype, storage, order, layout in {(c[0], c[1], c[2], c[3]) for c in combinations}:
        write(f"{dtype}{storage}{'le' if order == '<' else 'be'}{layout}.h5", images, templates, dtype, order, layout, storage)

    def one(number):
        dtype, storage, order, layout, read, ranks = combinations[number]
        path = f"{dtype}{storage}{'le' if order == '<' else 'be'}{layout}.h5"
        done = same(run(path, "--read", read, ranks=ranks, env=env, prefix=f"{number}"), expected)
        assert done.report["read_mode"] == read and done.report["bytes_read"] > 0, done.report
        assert (done.report["bytes_shipped"] > 0) == (read == "root" and ranks > 1), done.report

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(len(combinations))))
    print(f"{len(combinations)} combinations")


main(matrix)
