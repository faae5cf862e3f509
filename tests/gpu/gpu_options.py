#!/usr/bin/env python3
"""Every option and every kind of input give the same bytes on the GPU engine as on the CPU engine: gpu_options.py CASE"""
from gpu_common import INPUT, compare, computed, cpu, expect, gpu, h5py, main, np, same
from same_bytes import mixed, scene, simple

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"]
OPTIONS = [
    (),
    ("--crop", "half"),
    ("--crop", "5,3"),
    ("--normalize",),
    ("--eps", "2500"),
    ("--min-overlap", "0.4"),
    ("--min-overlap", "1"),
    ("--quality",),
    ("--quality", "--normalize", "--crop", "half"),
    ("--quality", "--min-overlap", "0.3", "--eps", "900"),
    ("--no-group",),
    ("--read", "all", "--threads", "3"),
    ("--streams", "1"),
    ("--streams", "4"),
    ("--streams", "16", "--quality"),
    ("--normalize", "--eps", "30"),
    ("--outside", "ignore", "--quality"),
    ("--peaks", "3", "--separation", "4"),
    ("--filter", "gauss:1.5"),
    ("--rotate", "-6:6:6", "--peaks", "2"),
]


def pixels(rng, shape, dtype):
    """A scene in the type's own range: with an offset far from zero where it has one."""
    values = scene(rng, *shape)
    offset, gain = {"u1": (120, 35), "i1": (-20, 30), "u2": (30000, 300), "i2": (-9000, 2000), "u4": (3e9, 1e7),
                    "i4": (-1e9, 3e8), "f2": (4, 1), "f4": (1000, 1), "f8": (1e-30, 1e-31)}[dtype]
    values = offset + gain * values
    if dtype[0] == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return values.clip(limits.min, limits.max).astype(dtype)


def some_options(make, table):
    with h5py.File(INPUT, "w") as file:
        make(file, np.random.default_rng(11))
    for options in table:
        if "--outside" in options:  # of those that overhang
            handed_over("--on-bad-pair", "skip", *options)
        else:
            compare("--on-bad-pair", "skip", *options)


def handed_over(*options):
    """What the device does not do, the CPU engine does, and the run says so, once for each reason."""
    expected, done = (run(*options) for run in (cpu, gpu))
    expect(expected.code in (0, 6), expected, "the CPU engine")
    same(done, expected)
    said = [line for line in done.err.splitlines() if line.endswith("the CPU engine does it")]
    expect(len(said) == len(set(said)) > 0, done, "handed over without a word, or with too many")
    return done


def masks():
    """Of some images and templates pixels are masked, some are masked as a whole."""
    rng = np.random.default_rng(13)
    with h5py.File(INPUT, "w") as file:
        for i in range(5):
            file[f"images/{i}"] = pixels(rng, (60, 66), "u1" if i % 2 else "f4")
        for t in range(7):
            file[f"templates/{t}"] = pixels(rng, (14 + t % 2, 17), "u1")
        file["image_masks/1"] = rng.random((60, 66)) > 0.1
        file["image_masks/2"] = np.arange(60 * 66).reshape(60, 66) % 66 < 40
        file["template_masks/3"] = rng.random((15, 17)) > 0.2
        file["template_masks/4"] = np.zeros((14, 17), "u1")
        file["pairs"] = np.array([(i, t) for i in range(5) for t in range(7)])
    for options in ((), ("--quality", "--min-overlap", "0.5"), ("--peaks", "3"), ("--rotate", "-10:10:10"), ("--streams", "4", "--crop", "half"),
                    ("--mask-value", "120"), ("--normalize", "--filter", "median:3")):
        handed_over(*options)
    done = handed_over("--min-overlap", "1")
    expect(done.calls.get("computed", 0) > 0, done, "what has no masked pixels was not computed on the GPU")


def dtypes():
    """Images and templates of each type, and of each other's."""
    for i, dtype in enumerate(TYPES):
        rng = np.random.default_rng(i)
        with h5py.File(INPUT, "w") as file:
            for k in range(2):
                file[f"images/{k}"] = pixels(rng, (53 + 8 * k, 71 - 5 * k), dtype)
            for k in range(4):
                other = dtype if k < 3 else TYPES[(i + 4) % 9]
                file[f"templates/{k}"] = pixels(rng, (13 + 2 * k, 17 - 3 * k), other)
            file["templates/9"] = file["images/0"][20:33, 11:40]
            file["pairs"] = np.array([(image, t) for image in range(2) for t in (0, 1, 2, 3, 9)])
        compare()
        compare("--quality", "--normalize", "--crop", "3,2")


def boxes(file, rng):
    """Templates cut from images, and search windows."""
    for i in range(3):
        file[f"images/{i}"] = pixels(rng, (70, 90), "u1")
    file["templates"] = np.array([(i % 3, 5 + 3 * i, 2 * i, 20 + i % 2, 24) for i in range(12)])
    pairs = [(i, t) for i in range(3) for t in range(12)]
    file["pairs"] = np.array(pairs)
    file["search"] = np.array([(y, y % 7, y + 40, 60 + y % 9) for y in range(len(pairs))])


def awkward(file, rng):
    """Flat regions, flat templates, pixels that are no numbers, one hot pixel, one pixel, one row, equal values."""
    images = [pixels(rng, (48, 52), "f4") for _ in range(6)]
    images[0][:20, :30] = 7
    images[1][30, 30] = np.nan
    images[2][10, 10] = 1e8
    images[3][:] = 0.1
    images[4] = np.tile(images[4][:8, :8], (6, 7))[:48, :52]  # every peak many times
    images.append(pixels(rng, (1, 60), "f4"))
    templates = [image[16:28, 20:36] for image in images[:6]]
    templates += [np.full((5, 5), 3, "f4"), images[0][:1, :1], images[0][40:41, :], images[0], images[4][:8, :16]]
    templates += [np.full((4, 4), np.inf, "f4")]
    for i, image in enumerate(images):
        file[f"images/{i}"] = image
    for i, template in enumerate(templates):
        file[f"templates/{i}"] = template
    file["pairs"] = np.array([(i, t) for i in range(len(images)) for t in range(len(templates))])


def batches():
    """1 to many templates on an image, not all of one shape, in one stream and in several."""
    for n in (1, 2, 3, 5, 8, 17, 100):
        with h5py.File(INPUT, "w") as file:
            simple(file, np.random.default_rng(n), 2, n, [(i, t) for i in range(2) for t in range(n)], (41, 57), (11, 14))
        expected = cpu()
        for options in ((), ("--streams", "3")):
            done = gpu(*options)
            same(done, expected, f"{n} templates")
            computed(done, expected, f"{n} templates")
    with h5py.File(INPUT, "w") as file:
        rng = np.random.default_rng(5)
        file["images"] = np.stack([pixels(rng, (60, 64), "u2") for _ in range(2)])
        for t in range(60):  # batches that a change of shape ends at each length
            file[f"templates/{t}"] = pixels(rng, (9 + int(np.sqrt(2 * t)) % 3, 12), "u2")
        file["pairs"] = np.array([(i, t) for i in range(2) for t in range(60)])
    compare()
    compare("--streams", "2", "--no-group")


def schedules(make):
    """Whatever order the device finds for what it is asked: the same bytes, from the same candidates."""
    with h5py.File(INPUT, "w") as file:
        make(file, np.random.default_rng(7))
    expected, first = cpu(), None
    for order in [{"CUDA_HOST_SCHEDULE": "early"}, {"CUDA_HOST_SCHEDULE": "late"}] + [{"CUDA_HOST_SEED": str(i)} for i in (1, 2, 3, 4)]:
        done = gpu(**order)
        same(done, expected, str(order))
        counters = computed(done, expected, str(order))
        first = first or counters
        expect(counters["candidates"] == first["candidates"], done, f"{order}: {counters} where early gives {first}")


def all_streams(file, rng):
    """So many templates of one shape that every stream has a batch of them."""
    simple(file, rng, 4, 40, [(i, t) for i in range(4) for t in range(40)], (60, 70), (17, 20))


def in_flight():
    """Of many images with one template each, and with a few, several are under way on the device, though a busy machine lets
    few threads of the host run at once; with --streams 1, one."""
    for templates, options, least, most in ((1, ("--streams", "4"), 1.5, 4), (5, ("--streams", "4"), 1.5, 4),
                                            (5, ("--threads", "4"), 1.15, 2), (5, ("--streams", "1"), 1, 1)):
        with h5py.File(INPUT, "w") as file:
            pairs = [(i, t) for i in range(24) for t in range(templates)]
            simple(file, np.random.default_rng(9), 24, templates, pairs, (60, 70), (17, 20))
        done = compare(*options, CUDA_HOST_SCHEDULE="early")
        under_way = done.calls["under_way"] / done.calls["computed"]
        print(f"{templates} templates an image, {' '.join(options)}: {under_way:.2f} images under way")
        expect(least <= under_way <= most, done, f"{under_way} images under way, expected {least} to {most}")


if __name__ == "__main__":
    main({"in_flight": in_flight,
          "mixed": lambda: some_options(mixed, OPTIONS), "boxes": lambda: some_options(boxes, OPTIONS[::2]),
          "awkward": lambda: some_options(awkward, OPTIONS[1::2]), "masks": masks,
          "dtypes": dtypes, "batches": batches, "schedules": lambda: schedules(mixed),
          "schedules_all_streams": lambda: schedules(all_streams)})
