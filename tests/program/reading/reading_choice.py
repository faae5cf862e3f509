#!/usr/bin/env python3
"""Who reads: small inputs rank 0, large ones all ranks if all see the same file, else rank 0 again, and the header says
why. Ranks in different working directories see different files under one name."""
import os
import shutil

from reading_common import can_mount, h5py, main, np, run, same, scene

RNG = np.random.default_rng(8)


def write(path, planes=20, links=None):
    """A scene of 20 planes; `planes` more than 64 MiB need."""
    images = np.stack([scene(RNG, 32, 32) for _ in range(20)])
    with h5py.File(path, "w") as file:
        stack = file.create_dataset("images", (planes, 32, 32), "u1")
        stack[:20] = images
        stack[planes - 1] = images[3]
        file["templates"] = images[:, 5:19, 8:24]
        file["pairs"] = np.array([(i, (7 * i + k) % 20) for i in range(20) for k in range(3)] + [(planes - 1, 3)])


def two_folders():
    os.mkdir("a")
    os.mkdir("b")
    return ["a", "b"]


def small_inputs():
    write("in.h5")
    expected = run("in.h5")
    done = same(run("in.h5", ranks=2), expected)
    assert done.report["read_mode"] == "root" and "KiB of pixels are few" in done.reading, done.words
    same(run("in.h5", "--read", "all", ranks=2), expected)
    assert expected.reading == "by the one rank", expected.words


def large_inputs():
    folders = two_folders()
    write("a/in.h5", planes=80000)
    shutil.copyfile("a/in.h5", "b/in.h5")  # another file, with another time, but the same
    expected = run("a/in.h5")
    done = same(run("in.h5", folders=folders), expected)
    assert done.report["read_mode"] == "all" and done.report["bytes_shipped"] == 0, done.words
    assert done.reading.startswith("by every rank: all see the file, 78."), done.words
    same(run("in.h5", "--read", "root", folders=folders), expected)

    for change, words in ((lambda: write("b/in.h5", planes=80000), "b/in.h5 differs"),  # the same size
                          (lambda: write("b/in.h5", planes=90000), "more bytes"),
                          (lambda: os.remove("b/in.h5"), "No such file")):
        change()
        done = same(run("in.h5", folders=folders), expected)
        assert done.report["read_mode"] == "root" and done.report["bytes_shipped"] > 0, (words, done.words)
        assert done.reading.startswith("by rank 0, which ships the pixels: rank 1 on "), (words, done.words)
        assert "differs from the file" in done.reading or "No such file" in done.reading, (words, done.words)
        done = run("in.h5", "--read", "all", folders=folders)
        assert done.code == 3 and len(done.errors) == 1 and done.tables is None, (words, done.words)
        assert done.errors[0].startswith("mpixcorr: rank 1 on "), (words, done.words)


def what_links_lead_to():
    """Files behind links must be there for every rank: external datasets, and sources of virtual ones, which HDF5 itself
    would read as zeros."""
    write("pixels.h5")
    write("other.h5")  # as large
    with h5py.File("linked.h5", "w") as file:
        for name in ("images", "templates", "pairs"):
            file[name] = h5py.ExternalLink("pixels.h5", f"/{name}")
    with h5py.File("virtual.h5", "w", libver="latest") as file, h5py.File("pixels.h5", "r") as source:
        layout = h5py.VirtualLayout(shape=(20, 32, 32), dtype="u1")
        layout[:] = h5py.VirtualSource("pixels.h5", "images", shape=(20, 32, 32))
        file.create_virtual_dataset("images", layout)
        for name in ("templates", "pairs"):
            file[name] = source[name][()]
    os.mkdir("gone")
    away = "mount -t tmpfs none gone"
    for name in ("linked.h5", "virtual.h5"):
        expected = run(name)
        assert expected.code == 0, expected.words
        same(run(name, "--read", "all", ranks=2), expected)
    if not can_mount():
        print("what another host sees is left out: no right to mount")
        return
    os.rename("pixels.h5", "gone/pixels.h5")
    os.symlink("gone/pixels.h5", "pixels.h5")
    for name in ("linked.h5", "virtual.h5"):
        same(run(name, elsewhere="true"), expected)
        done = run(name, "--read", "all", elsewhere=away)
        assert done.code == 3 and len(done.errors) == 1 and "pixels.h5" in done.errors[0], (name, done.words)
        assert done.errors[0].startswith("mpixcorr: rank 1 on "), done.words
        same(run(name, elsewhere=away), expected)
    done = run("linked.h5", "--read", "all", elsewhere="mount --bind other.h5 gone/pixels.h5")
    assert done.code == 3 and "pixels.h5: differs" in done.errors[0], done.words


main(small_inputs, large_inputs, what_links_lead_to)
