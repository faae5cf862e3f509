#!/usr/bin/env python3
"""How much is read, shipped and held: what several pairs need is read once while it fits, 8-bit pixels are a quarter of
float32, memory stays within --memory, and ranks other than 0 do not walk the file's metadata."""
import os

from reading_common import MPIXCORR, h5py, main, np, run, same, scene

RNG = np.random.default_rng(9)
MIB = 1 << 20


def write(path, dtype, images=40, templates=6, shape=(128, 160), pairs=None):
    with h5py.File(path, "w") as file:
        for name, n, (rows, cols) in (("images", images, shape), ("templates", templates, (shape[0] // 4, shape[1] // 5))):
            rng = np.random.default_rng(5)
            file[name] = np.stack([scene(rng, rows, cols) for _ in range(n)]).astype(dtype)
        file["pairs"] = np.array(pairs if pairs is not None else [(i, t) for i in range(images) for t in range(templates)])
        return file["images"].size + file["templates"].size


def each_is_read_once():
    pixels = write("u8.h5", "u1")
    write("f32.h5", ">f4")
    expected = run("u8.h5")
    for path, size in (("u8.h5", 1), ("f32.h5", 4)):
        for ranks, options in ((1, ["--no-group"]), (2, ["--read", "root"]), (3, ["--read", "root"]), (2, ["--read", "all"])):
            done = same(run(path, *options, ranks=ranks), expected)
            report, where = done.report, (path, ranks, options)
            if "all" in options:  # templates once a rank, images once where they are not split
                assert pixels * size <= report["bytes_read"] < 1.5 * pixels * size, (where, report["bytes_read"], pixels * size)
            else:
                assert report["bytes_read"] == pixels * size, (where, report["bytes_read"], pixels * size)
            assert (report["bytes_shipped"] > 0) == (ranks > 1 and "root" in options), (where, report)


def shuffled_pairs_hit_the_cache():
    order = RNG.permutation(240)
    pixels = write("in.h5", "u1", pairs=[(i // 6, i % 6) for i in order])
    done = run("in.h5", "--no-group")
    assert done.code == 0 and done.report["bytes_read"] == pixels, done.report
    # 480 objects are wanted, 46 of them for the first time; what a hand-out wants twice is no hit. How many hand-outs
    # there are depends on the machine.
    assert done.report["cache_hits"] > 20 or done.report["handouts"] == 1, done.report


def within_memory():
    """With far less memory than the file is large, and pairs in an order that makes the cache give up."""
    order = RNG.permutation(300)
    pairs = [(i % 100, i // 100) for i in order]
    pixels = 4 * write("in.h5", "f4", images=100, templates=3, shape=(512, 640), pairs=pairs)
    ample = run("in.h5", "--no-group")
    assert ample.code == 0 and ample.report["bytes_read"] == pixels, ample.words
    for ranks, read in ((1, "root"), (2, "root"), (2, "all")):
        done = same(run("in.h5", "--no-group", "--read", read, "--memory", "300MiB", ranks=ranks), ample)
        peak = done.report["pixel_bytes_peak"]
        assert 0 < peak < 60 * MIB < pixels // 2, (ranks, read, peak)
        assert done.report["bytes_read"] > pixels, (ranks, read, done.report["bytes_read"])  # some of it again


def others_do_not_walk_the_file():
    """Of 3,000 datasets rank 1 reads what its pairs need, and a few blocks to know the file by."""
    with h5py.File("in.h5", "w") as file:
        group = file.create_group("images")
        for i in range(3000):
            group[f"{i:06}"] = scene(RNG, 24, 24) if i % 30 == 0 else np.zeros((24, 24), "u1")
        file["templates"] = np.stack([scene(RNG, 9, 9) for _ in range(2)])
        file["pairs"] = np.array([(i, t) for i in range(0, 3000, 30) for t in range(2)])
    expected = run("in.h5")
    open("count", "w", encoding="ascii").close()
    shim = {"LD_PRELOAD": os.environ["FAULT_SHIM"], "FAULT_CALL": "pread", "FAULT_PATH": "in.h5", "FAULT_RANK": "1",
            "FAULT_COUNT": os.path.abspath("count"), "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    same(run("in.h5", "--read", "all", ranks=2, env=shim), expected)
    calls = os.path.getsize("count")
    print(f"rank 1 read {calls} times")
    assert 18 < calls < 150, calls


if "sanitize" in MPIXCORR:
    main(each_is_read_once, shuffled_pairs_hit_the_cache)
else:
    main(each_is_read_once, shuffled_pairs_hit_the_cache, within_memory, others_do_not_walk_the_file)
