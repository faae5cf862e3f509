#!/usr/bin/env python3
"""Inputs that are odd or huge, by every way of reading: a stack of 200 GB, planes of more than 2^31 pixels, data outside
the file or behind a user block, numbers of odd widths, data never written; and a file system that cannot lock."""
import errno
import os
import resource

from reading_common import h5py, main, np, run, same, scene

RNG = np.random.default_rng(6)
EVERY_WAY = ((1, []), (2, ["--read", "root"]), (3, ["--read", "all"]))


def everyone_reads(path, expected, **how):
    for ranks, options in EVERY_WAY:
        same(run(path, *options, ranks=ranks, **how), expected)


def huge_stack():
    """200 GB, of which a few planes hold data: what pairs do not need is never touched."""
    planes = 200 * 10**9 // (1024 * 1024) + 1
    used = [0, 1, planes // 2, planes - 2, planes - 1]
    scenes = [scene(RNG, 256, 256) for _ in used]
    for path, n, where in (("huge.h5", planes, used), ("small.h5", len(used), range(len(used)))):
        with h5py.File(path, "w") as file:
            stack = file.create_dataset("images", (n, 1024, 1024), "u1")
            for at, pixels in zip(where, scenes):
                stack[at, :256, 700:956] = pixels
            file["templates"] = np.stack([pixels[20:80, 30:100] for pixels in scenes])
            file["pairs"] = np.array([(at, t) for t, at in enumerate(where)])
    size, blocks = os.stat("huge.h5").st_size, os.stat("huge.h5").st_blocks
    if blocks * 512 > 10**9:
        print(f"left out: the file system stores holes ({blocks * 512} bytes)")
        return
    assert size > 2 * 10**11
    expected = run("small.h5")
    everyone_reads("huge.h5", expected)
    done = same(run("huge.h5", "--memory", "400MiB"), expected)
    assert done.report["bytes_read"] < 6 << 20, done.report
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(f"{size} bytes, of which {done.report['bytes_read']} were read; no process took more than {most} MiB")
    assert most < 400, most


def planes_beyond_2_31_pixels():
    """Boxes at the far end of a plane of 50,000 x 60,000 pixels."""
    pixels = scene(RNG, 64, 64)
    for path, rows, cols in (("huge.h5", 50000, 60000), ("small.h5", 64, 64)):
        with h5py.File(path, "w") as file:
            far = file.create_dataset("images/0", (rows, cols), ">u2")
            far[rows - 64:, cols - 64:] = pixels
            file["images/1"] = pixels
            file["templates"] = np.array([(0, rows - 64 + y, cols - 64 + x, 20, 30) for y, x in ((0, 0), (44, 34), (7, 9))])
            file["pairs"] = np.array([(1, t) for t in range(3)])
    everyone_reads("huge.h5", run("small.h5"))


def lowlevel(file, name, array, file_type, plist=None):
    space = h5py.h5s.create_simple(array.shape)
    made = h5py.h5d.create(file.id, name.encode(), file_type, space, plist)
    if array.any():
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(array))


def odd_storage():
    images, templates = np.stack([scene(RNG, 40, 50) for _ in range(3)]), np.stack([scene(RNG, 12, 9) for _ in range(4)])
    images[1] = 0
    pairs = np.array([(i, t) for i in range(3) for t in range(4)])

    def plain(file, name, array):
        file[name] = array

    def external(file, name, array):  # raw bytes in two files beside the HDF5 file
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        size = array.size * 2
        plist.set_external(f"{name}.1".encode(), 100, size // 3)
        plist.set_external(f"{name}.2".encode(), 0, size - size // 3)
        lowlevel(file, name, array.astype("<u2"), h5py.h5t.STD_U16LE, plist)

    def narrow(file, name, array):  # 12 bits in 16, at an offset
        kind = h5py.h5t.STD_U16BE.copy()
        kind.set_precision(12)
        kind.set_offset(3)
        lowlevel(file, name, array.astype("u2"), kind)

    def compact(file, name, array):
        group = file.create_group(name)
        for i, plane in enumerate(array):
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_layout(h5py.h5d.COMPACT)
            lowlevel(group, str(i), plane, h5py.h5t.STD_U8LE, plist)

    def unwritten(file, name, array):  # the flat image is never written
        group = file.create_group(name)
        for i, plane in enumerate(array):
            lowlevel(group, str(i), plane, h5py.h5t.STD_I32BE)

    def linked(file, name, array):
        with h5py.File(f"far_{name}.h5", "w", userblock_size=1024) as far:
            group = far.create_group("deep/down")
            for i, plane in enumerate(array):
                group[str(i)] = plane.astype(">f4")
        file[name] = h5py.ExternalLink(f"far_{name}.h5", "/deep/down")

    expected = None
    for way in (plain, external, narrow, compact, unwritten, linked):
        for block in (0, 512):
            with h5py.File("in.h5", "w", userblock_size=block) as file:
                way(file, "images", images)
                way(file, "templates", templates)
                file["pairs"] = pairs
            expected = expected or run("in.h5")
            for ranks, options in EVERY_WAY[:1] if block else EVERY_WAY[::2]:
                done = same(run("in.h5", *options, ranks=ranks), expected)
                assert done.report["status"]["ok"] == 8 and done.report["status"]["flat"] == 4, (way, done.report["status"])
            os.remove("in.h5")


def no_locks():
    """A file system that cannot lock: one line that names the switch, which then helps."""
    with h5py.File("in.h5", "w") as file:
        file["images"], file["templates"] = scene(RNG, 20, 24)[None], scene(RNG, 6, 6)[None]
        file["pairs"] = np.array([(0, 0)])
    expected = run("in.h5")
    shim = {"LD_PRELOAD": os.environ["FAULT_SHIM"], "FAULT_CALL": "flock", "FAULT_PATH": "in.h5", "FAULT_ACTION": str(errno.ENOLCK),
            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    done = run("in.h5", env={**shim, "HDF5_USE_FILE_LOCKING": ""}, ranks=2)
    assert done.code == 3 and len(done.errors) == 1, done.words
    for word in ("cannot lock", os.strerror(errno.ENOLCK), "HDF5_USE_FILE_LOCKING=FALSE"):
        assert word in done.errors[0], done.words
    same(run("in.h5", env={**shim, "HDF5_USE_FILE_LOCKING": "FALSE"}, ranks=2), expected)


main(huge_stack, planes_beyond_2_31_pixels, odd_storage, no_locks)
