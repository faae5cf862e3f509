#!/usr/bin/env python3
"""What could not be read is never taken for zeros: virtual datasets over files that are broken in every way, external
files that end too early, links to nothing. Rows are right, or they say what is wrong, by every way of reading."""
import os
import resource
import subprocess
import time

from reading_common import MPIXCORR, PATIENCE_S, h5py, main, np, run

RNG = np.random.default_rng(12)
EVERY_WAY = ((1, []), (3, ["--read", "root"]), (3, ["--read", "all"]))
OK, FLAT, UNREADABLE, INVALID = 1, 2, 4, 6
ROWS, COLS = 24, 30


def picture():
    return RNG.integers(1, 250, (ROWS, COLS)).astype("u1")


def finish(file, images):
    """Templates that are found at offset (8, 10) of their image, whatever became of it."""
    file["templates"] = np.stack([image[8:15, 10:19] for image in images])
    file["pairs"] = np.array([(i, i) for i in range(len(images))])


def statuses(path="out.h5"):
    """Statuses; no row is `ok` or `flat` that is not right."""
    with h5py.File(path, "r") as file:
        found, offsets, peaks = file["status"][()], file["offsets"][()], file["peaks"][()]
    answered = (found == OK) | (found == FLAT)
    wrong = answered & ((offsets != (8, 10)).any(axis=1) | (abs(peaks - 1) > 1e-9))
    assert not wrong.any(), np.flatnonzero(wrong)
    return found


def kept_run(*options, code, ranks=1, words=(), env=None):
    """A run whose output stays, as out.h5."""
    if os.path.exists("out.h5"):
        os.remove("out.h5")
    done = run("in.h5", *options, ranks=ranks, env=env, keep="out.h5")
    assert done.code == code, (code, done.words)
    for word in words:
        assert word in done.out + done.err, (word, done.words)
    return done


# ---- ways of being broken: each writes a source named `path`, with a dataset /data that should hold `image` ------------


def whole(path, image, **how):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=image, **how)


def virtual(path, image, source, name="data", file="data"):
    layout = h5py.VirtualLayout(shape=image.shape, dtype="u1")
    layout[:] = h5py.VirtualSource(source, name, shape=image.shape)
    with h5py.File(path, "w", libver="latest") as made:
        made.create_virtual_dataset(file, layout)


def external(path, image, keep=None):
    with h5py.File(path, "w") as file:
        file.create_dataset("data", image.shape, image.dtype, external=[(path + ".raw", 7, image.nbytes)])[...] = image
    if keep == 0:
        os.remove(path + ".raw")
    elif keep:
        os.truncate(path + ".raw", keep)


def cut_short(path, image):
    whole(path, image)
    os.truncate(path, os.path.getsize(path) - image.nbytes // 2)


def one_byte_short(path, image):
    whole(path, image)
    os.truncate(path, os.path.getsize(path) - 1)


def text(path, image):
    with open(path, "wb") as file:
        file.write(image.tobytes())


def strange_filter(path, image):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(image.shape)
    plist.set_filter(31999, h5py.h5z.FLAG_OPTIONAL)
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT8, h5py.h5s.create_simple(image.shape), plist)


def damaged_chunk(path, image):
    whole(path, image, compression="gzip", fletcher32=True)
    with h5py.File(path, "r") as file:
        chunk = file["data"].id.get_chunk_info(0)
    with open(path, "r+b") as file:
        file.seek(chunk.byte_offset)
        file.write(b"\xff" * chunk.size)


def newer(path, image):
    whole(path, image, chunks=image.shape)
    with open(path, "r+b") as file:
        file.seek(8)  # the version of the superblock
        file.write(b"\x09")


def linked(path, image, target):
    with h5py.File(path, "w") as file:
        file["data"] = h5py.ExternalLink(target, "/data")


HELD = []


def locked(path, image):
    HELD.append(h5py.File(path, "w"))
    HELD[-1]["data"] = image
    HELD[-1].flush()


BROKEN = {
    "missing": lambda path, image: None,
    "cut short": cut_short,
    "one byte short": one_byte_short,
    "empty": lambda path, image: open(path, "wb").close(),
    "not HDF5": text,
    "a folder": lambda path, image: os.mkdir(path),
    "a pipe": lambda path, image: os.mkfifo(path),
    "a link to nothing": lambda path, image: os.symlink("nothing", path),
    "lacks the dataset": lambda path, image: h5py.File(path, "w").close(),
    "a group": lambda path, image: h5py.File(path, "w").create_group("data").file.close(),
    "too few rows": lambda path, image: whole(path, image[:-1]),
    "too many columns": lambda path, image: whole(path, np.pad(image, ((0, 0), (0, 1)))),
    "of strings": lambda path, image: whole(path, np.full(image.shape, b"x")),
    "a filter that is not there": strange_filter,
    "a damaged chunk": damaged_chunk,
    "newer than the library": newer,
    "locked by a writer": locked,
    "one level down, missing": lambda path, image: virtual(path, image, "gone.h5"),
    "one level down, cut short": lambda path, image: (cut_short("cut_" + path, image), virtual(path, image, "cut_" + path)),
    "contains itself": lambda path, image: virtual(path, image, "."),
    "behind a link to no file": lambda path, image: linked(path, image, "gone.h5"),
    "an external file that is short": lambda path, image: external(path, image, keep=7 + image.nbytes - 1),
    "an external file of wider numbers that is short":
        lambda path, image: external(path, image.astype("i4"), keep=7 + 4 * image.nbytes - 1),
    "an external file that is missing": lambda path, image: external(path, image, keep=0),
}
SOUND = {
    "contiguous": whole,
    "big-endian": lambda path, image: whole(path, image.astype(">i2")),
    "compressed": lambda path, image: whole(path, image, compression="gzip", chunks=(5, 7)),
    "floats": lambda path, image: whole(path, image.astype("f8")),
    "one level down": lambda path, image: (whole("deep_" + path, image), virtual(path, image, "deep_" + path)),
    "two levels down": lambda path, image: (whole("deep_" + path, image), virtual("mid_" + path, image, "deep_" + path),
                                            virtual(path, image, "mid_" + path)),
    "in its own file": lambda path, image: (virtual(path, image, ".", "more"),
                                            h5py.File(path, "r+").create_dataset("more", data=image).file.close()),
    "behind a link": lambda path, image: (whole("deep_" + path, image), linked(path, image, "deep_" + path)),
    "in an external file": external,
    "behind a symbolic link": lambda path, image: (whole("deep_" + path, image), os.symlink("deep_" + path, path)),
}


def four_hundred_sources():
    n, broken = 400, list(BROKEN)
    images = [picture() for _ in range(n)]
    layout = h5py.VirtualLayout(shape=(n, ROWS, COLS), dtype="u1")
    expected = []
    for i, image in enumerate(images):
        name = broken[i // 3 % len(broken)] if i % 3 == 1 else None
        (BROKEN[name] if name else list(SOUND.values())[i % len(SOUND)])(f"t{i}.h5", image)
        layout[i] = h5py.VirtualSource(f"t{i}.h5", "data", shape=(ROWS, COLS))
        expected.append(UNREADABLE if name else OK)
    with h5py.File("in.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("images", layout)
        finish(file, images)
    first = None
    for ranks, options in EVERY_WAY:
        kept_run(*options, ranks=ranks, code=6, words=("cannot be read", "t1.h5", "No such file"))
        found = statuses().tolist()
        wrong = [(i, broken[i // 3 % len(broken)], found[i]) for i in range(n) if found[i] != expected[i]]
        assert not wrong, wrong[:5]
        with h5py.File("out.h5", "r") as file:
            tables = {name: file[name][()].tobytes() for name in ("coords", "peaks", "status", "overlap")}
        assert first in (None, tables)
        first = tables
    while HELD:
        HELD.pop().close()
    print(f"{len(broken)} ways of being broken, {len(SOUND)} of being sound")


def few_descriptors():
    """More sources than a process may open."""
    n = 300
    images = [picture() for _ in range(n)]
    layout = h5py.VirtualLayout(shape=(n, ROWS, COLS), dtype="u1")
    for i, image in enumerate(images):
        whole(f"t{i}.h5", image, chunks=(ROWS, COLS) if i % 2 else None)
        layout[i] = h5py.VirtualSource(f"t{i}.h5", "data", shape=(ROWS, COLS))
    with h5py.File("in.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("images", layout)
        finish(file, images)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    kept_run(code=0)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (statuses() == OK).all()


def parts_and_gaps():
    """Planes made of tiles, every second row, turned-round order, frames that alternate; what nothing is mapped to is the
    fill value, and what a tile that is gone should fill is unreadable."""
    images = [picture() for _ in range(6)]
    with h5py.File("even.h5", "w") as even, h5py.File("odd.h5", "w") as odd:
        even["data"], odd["data"] = np.stack(images[0:4:2]), np.stack(images[1:4:2])
    whole("rows.h5", np.repeat(images[4], 2, axis=0))
    for i, (y, x) in enumerate(((0, 0), (0, 15), (12, 0))):
        whole(f"tile{i}.h5", images[5][y:y + 12, x:x + 15])
    images[5] = images[5].copy()
    images[5][12:, 15:] = 77  # no tile there
    layout = h5py.VirtualLayout(shape=(6, ROWS, COLS), dtype="u1")
    layout[0:4:2] = h5py.VirtualSource("even.h5", "data", shape=(2, ROWS, COLS))
    layout[1:4:2] = h5py.VirtualSource("odd.h5", "data", shape=(2, ROWS, COLS))
    layout[4] = h5py.VirtualSource("rows.h5", "data", shape=(2 * ROWS, COLS))[::2]
    for i, (y, x) in enumerate(((0, 0), (0, 15), (12, 0))):
        layout[5, y:y + 12, x:x + 15] = h5py.VirtualSource(f"tile{i}.h5", "data", shape=(12, 15))
    with h5py.File("in.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("images", layout, fillvalue=77)
        finish(file, images)
    for ranks, options in EVERY_WAY:
        kept_run(*options, ranks=ranks, code=0)
        assert (statuses() == OK).all()
    os.remove("tile1.h5")
    os.remove("odd.h5")
    kept_run(code=6, words=("2 sources of virtual datasets cannot be read", "odd.h5"))
    assert statuses().tolist() == [OK, UNREADABLE, OK, UNREADABLE, OK, UNREADABLE]


def beyond_the_source():
    """A selection that reaches over the end of its source, where other bytes of that file lie."""
    images = [picture() for _ in range(3)]
    layout = h5py.VirtualLayout(shape=(3, ROWS, COLS), dtype="u1")
    for i, image in enumerate(images):
        with h5py.File(f"t{i}.h5", "w") as file:
            file["data"] = np.concatenate([image[:5], image])[:ROWS + 4 + (i != 1)]
            file["more"] = np.zeros((1000, ), "u1")
        layout[i] = h5py.VirtualSource(f"t{i}.h5", "data", shape=(ROWS + 5, COLS))[5:]
    with h5py.File("in.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("images", layout)
        finish(file, images)
    for ranks, options in EVERY_WAY:
        kept_run(*options, ranks=ranks, code=6)
        assert statuses().tolist() == [OK, UNREADABLE, OK]


def without_end():
    """Sources by number, one of which is gone, and a source that grew less than the dataset over it."""
    images = [picture() for _ in range(5)]
    for i, image in enumerate(images):
        whole(f"tile_{i}%.h5", image[None])
    endless = (h5py.h5s.UNLIMITED, ROWS, COLS)
    space = h5py.h5s.create_simple((1, ROWS, COLS), endless)
    space.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), (1, 1, 1), (1, ROWS, COLS))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_virtual(space, b"tile_%b%%.h5", b"data", h5py.h5s.create_simple((1, ROWS, COLS)))
    with h5py.File("in.h5", "w", libver="latest") as file:
        h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, h5py.h5s.create_simple((0, ROWS, COLS), endless), plist)
        finish(file, images)
    kept_run(code=0)
    assert (statuses() == OK).all()
    os.rename("tile_2%.h5", "away.h5")
    kept_run(code=3, words=("/pairs row 2", "expected 0 to 1"))  # HDF5 ends the dataset at the first that is missing
    os.rename("away.h5", "tile_2%.h5")

    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)  # even frames are in one file, odd ones in another
    for start, name in ((0, "even.h5"), (1, "odd.h5")):
        with h5py.File(name, "w") as file:
            file.create_dataset("data", data=np.stack(images[start::2]), maxshape=endless)
        space.select_hyperslab((start, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), (2, 1, 1), (1, ROWS, COLS))
        source = h5py.h5s.create_simple((1, ROWS, COLS), endless)
        source.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), (1, 1, 1), (1, ROWS, COLS))
        plist.set_virtual(space, name.encode(), b"data", source)
    with h5py.File("in.h5", "w", libver="latest") as file:
        h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, h5py.h5s.create_simple((0, ROWS, COLS), endless), plist)
        finish(file, images)
    kept_run(code=0)
    assert (statuses() == OK).all()
    with h5py.File("odd.h5", "r+") as file:
        file["data"].resize(1, axis=0)
    for ranks, options in EVERY_WAY:
        kept_run(*options, ranks=ranks, code=6)
        assert statuses().tolist() == [OK, OK, OK, UNREADABLE, OK]


def where_sources_are_sought():
    """Behind a symbolic link to the input, in the folders of HDF5_VDS_PREFIX, by an absolute name that has moved."""
    images = [picture() for _ in range(3)]
    os.makedirs("store")
    os.makedirs("far")
    names = ["t0.h5", "t1.h5", os.path.abspath("elsewhere/t2.h5")]
    layout = h5py.VirtualLayout(shape=(3, ROWS, COLS), dtype="u1")
    for i, image in enumerate(images):
        whole(f"store/t{i}.h5", image)
        layout[i] = h5py.VirtualSource(names[i], "data", shape=(ROWS, COLS))
    with h5py.File("store/in.h5", "w", libver="latest") as file:
        file.create_virtual_dataset("images", layout)
        finish(file, images)
    os.symlink("store/in.h5", "in.h5")
    kept_run(code=0)
    assert (statuses() == OK).all()
    for i in range(3):
        os.rename(f"store/t{i}.h5", f"far/t{i}.h5")
    kept_run(code=3, words=("no source can be read", "t0.h5"))
    os.unlink("in.h5")
    os.rename("store/in.h5", "in.h5")
    for prefix in ("far", "nowhere:far", "${ORIGIN}/far"):
        kept_run(code=0, env={"HDF5_VDS_PREFIX": prefix})
        assert (statuses() == OK).all()
    kept_run(code=0, ranks=2, env={"HDF5_VDS_PREFIX": os.path.abspath("far")})
    assert (statuses() == OK).all()


def a_group_of_virtual_datasets():
    images = [picture() for _ in range(4)]
    with h5py.File("in.h5", "w", libver="latest") as file:
        for i, image in enumerate(images):
            if i != 2:
                whole(f"t{i}.h5", image)
            layout = h5py.VirtualLayout(shape=(ROWS, COLS), dtype="u1")
            layout[:] = h5py.VirtualSource(f"t{i}.h5", "data", shape=(ROWS, COLS))
            file.create_virtual_dataset(f"images/{i}", layout)
        finish(file, images)
    for ranks, options in EVERY_WAY:
        kept_run(*options, ranks=ranks, code=6, words=("t2.h5", ))
        assert statuses().tolist() == [OK, OK, UNREADABLE, OK]


def tables_of_sources():
    """Pairs, windows and boxes are refused where a source of theirs is gone; HDF5 would give pairs (0, 0)."""
    images = [picture() for _ in range(3)]
    with h5py.File("plain.h5", "w") as file:
        file["images"] = np.stack(images)
        finish(file, images)
        file["search"] = np.array([(0, 0, ROWS, COLS)] * 3)
    for name in ("pairs", "search"):
        for gone in (False, True):
            with h5py.File("plain.h5", "r") as plain, h5py.File("in.h5", "w", libver="latest") as file:
                for other in plain:
                    if other != name:
                        file[other] = plain[other][()]
                layout = h5py.VirtualLayout(shape=plain[name].shape, dtype="i8")
                layout[:] = h5py.VirtualSource("gone.h5" if gone else "plain.h5", name, shape=plain[name].shape)
                file.create_virtual_dataset(name, layout)
            kept_run(code=3 if gone else 0, words=(f"/{name}", "gone.h5") if gone else ())
            assert gone or (statuses() == OK).all()


def external_files():
    """A stack of raw files, one a plane: the planes of one that is short, or gone, are unreadable and no others."""
    images = [picture() for _ in range(5)]
    bytes_ = images[0].nbytes
    with h5py.File("in.h5", "w") as file:
        stack = file.create_dataset("images", (5, ROWS, COLS), "u1",
                                    external=[(f"plane{i}.raw", 100 * i, bytes_) for i in range(5)])
        stack[...] = np.stack(images)
        finish(file, images)
    kept_run(code=0)
    assert (statuses() == OK).all()
    os.truncate("plane1.raw", 100 + bytes_ - 1)
    os.remove("plane3.raw")
    for ranks, options in EVERY_WAY:
        kept_run(*options, ranks=ranks, code=6)
        assert statuses().tolist() == [OK, UNREADABLE, OK, UNREADABLE, OK]


def linked_objects():
    """A link to no file is bad for its pairs: refused, or `invalid` with --on-bad-pair skip. Unneeded, it is a warning."""
    images = [picture() for _ in range(4)]
    with h5py.File("in.h5", "w") as file:
        for i, image in enumerate(images):
            if i != 1:
                whole(f"t{i}.h5", image)
            file[f"images/{i}"] = h5py.ExternalLink(f"t{i}.h5", "/data")
        file["image_names"] = np.array([b"a", b"b", b"c", b"d"])
        finish(file, images)
    kept_run(code=3, words=("/images/1", "t1.h5", "/pairs row 1", "--on-bad-pair skip"))
    assert not os.path.exists("out.h5")
    for ranks, options in EVERY_WAY:
        kept_run("--on-bad-pair", "skip", *options, ranks=ranks, code=6, words=("1 of /images cannot be opened", "t1.h5"))
        assert statuses().tolist() == [OK, INVALID, OK, OK]
    table = subprocess.run([MPIXCORR, "table", "out.h5"], capture_output=True, text=True, check=True).stdout
    assert all(f" {name} " in table or f"{name} " in table for name in ("a", "c", "d")), table
    with h5py.File("in.h5", "r+") as file:
        file["pairs"][1] = (-1, -1)
    kept_run(code=0, words=("1 of /images cannot be opened", "t1.h5"))
    with h5py.File("in.h5", "r+") as file:
        del file["templates"]
        file["templates"] = np.array([(i, 8, 10, 7, 9) for i in range(4)])
        file["pairs"][1] = (0, 1)
    kept_run(code=3, words=("/images/1", "t1.h5"))
    kept_run("--on-bad-pair", "skip", code=6)
    assert statuses().tolist() == [OK, INVALID, OK, OK]


def gone_while_running():
    """Sources that vanish (which may be open still) or shrink between the inspection and reading."""
    for chunks in (None, (ROWS, COLS)):
        images = [picture() for _ in range(40)]
        layout = h5py.VirtualLayout(shape=(40, ROWS, COLS), dtype="u1")
        for i, image in enumerate(images):
            whole(f"t{i}.h5", image, chunks=chunks)
            layout[i] = h5py.VirtualSource(f"t{i}.h5", "data", shape=(ROWS, COLS))
        with h5py.File("in.h5", "w", libver="latest") as file:
            file.create_virtual_dataset("images", layout)
            finish(file, images)
        with open("gate", "w", encoding="ascii"):
            pass
        shim = {"LD_PRELOAD": os.environ["FAULT_SHIM"], "FAULT_CALL": "pread", "FAULT_AFTER": os.path.abspath("out.h5.part"),
                "FAULT_PATH": "in.h5", "FAULT_ACTION": "wait", "FAULT_GATE": os.path.abspath("gate"), "FAULT_COMMAND": "run",
                "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
        command = [MPIXCORR, "run", "in.h5", "out.h5", "--overwrite", "--threads", "1", "--progress", "none"]
        process = subprocess.Popen(command, env={**os.environ, **shim}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.monotonic() + PATIENCE_S
        while not os.path.exists("gate.0") and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        for i in range(20, 40):
            if i % 2:
                os.remove(f"t{i}.h5")
            else:
                os.truncate(f"t{i}.h5", os.path.getsize(f"t{i}.h5") - ROWS * COLS // 2)
        reached = os.path.exists("gate.0")
        os.remove("gate")
        process.communicate(timeout=PATIENCE_S)
        assert reached, "no pixel was read while the gate was there"
        found = statuses()
        assert process.returncode == 6 and (found[20::2] == UNREADABLE).all(), (process.returncode, found)
        os.remove("gate.0")


main(four_hundred_sources, few_descriptors, parts_and_gaps, beyond_the_source, without_end, where_sources_are_sought,
     a_group_of_virtual_datasets, tables_of_sources, external_files, linked_objects, gone_while_running)
