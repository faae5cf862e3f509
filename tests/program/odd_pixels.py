#!/usr/bin/env python3
"""Pixels that no instrument should make (NaN, Inf, denormals, zeros, one hot pixel, a huge range), all in one run: each
pair gets its status, and no neighbour is poisoned: every pair has the bytes that it has in a run of its own.
Skipped (77) without the Python modules.
"""
import os
import tempfile

from launch import MPIXCORR, h5py, launch, np, on_ranks

OK, FLAT, NONFINITE = 1, 2, 3


def arrays(rng, shape, dtype):
    """(name, array, the status of its pairs with ordinary arrays)."""
    def with_pixel(value):
        array = rng.standard_normal(shape).astype(dtype)
        array[shape[0] // 2, shape[1] // 3] = value
        return array

    ordinary = rng.standard_normal(shape)
    tiny, large = np.finfo(dtype).smallest_subnormal, float(np.finfo(dtype).max)
    return [("ordinary", ordinary.astype(dtype), OK), ("NaN", with_pixel(np.nan), NONFINITE),
            ("+Inf", with_pixel(np.inf), NONFINITE), ("-Inf", with_pixel(-np.inf), NONFINITE),
            ("all NaN", np.full(shape, np.nan, dtype), NONFINITE), ("zeros", np.zeros(shape, dtype), FLAT),
            ("constant", np.full(shape, 7.25, dtype), FLAT), ("denormals", rng.integers(0, 1000, shape) * tiny, OK),
            ("a hot pixel", with_pixel(1e6), OK), ("a hotter pixel", with_pixel(large / 2), OK),
            ("a huge range", np.exp(rng.uniform(-80, 80, shape)).astype(dtype), OK),
            ("huge pixels", (ordinary * (large / 16)).astype(dtype), OK)]


def run(path, ranks, *options):
    output = path + ".out"
    launcher = on_ranks(ranks)
    done = launch([*launcher, MPIXCORR, "run", path, output, "--overwrite", "--progress", "none", "--threads", "1",
                   *options])
    assert not [line for line in done.stderr.splitlines() if line.startswith("mpixcorr: ")], done.stderr
    with h5py.File(output, "r") as file:
        return done.returncode, {name: file[name][()] for name in ("status", "coords", "peaks")}


def expected(image, template):
    """Nonfinite comes before flat. A constant image is not flat under a template that overhangs it."""
    if NONFINITE in (image[2], template[2]):
        return {NONFINITE}
    if template[2] == FLAT or image[0] == "zeros":
        return {FLAT}
    return {OK}


def main(dtype):
    rng = np.random.default_rng(5)
    images, templates = arrays(rng, (30, 34), dtype), arrays(rng, (9, 11), dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "all.h5")
        pairs = np.array([(i, t) for i in range(len(images)) for t in range(len(templates))])
        with h5py.File(path, "w") as file:
            file["images"] = np.stack([image[1] for image in images])
            file["templates"] = np.stack([template[1] for template in templates])
            file["pairs"] = pairs
        code, found = run(path, 1)
        assert code == 6, code
        for options, ranks in (((), 3), (("--no-group",), 1), (("--read", "all"), 2)):
            again = run(path, ranks, *options)[1]
            for name, values in found.items():
                assert values.tobytes() == again[name].tobytes(), (name, options, ranks)
        for row, (i, t) in enumerate(pairs):
            status, words = found["status"][row], f"{dtype}: {images[i][0]} with {templates[t][0]}"
            assert status in expected(images[i], templates[t]), f"{words}: {status}"
            peak = found["peaks"][row]
            assert np.isnan(peak) if status == NONFINITE else -1 <= peak <= 1, f"{words}: {peak}"
        alone = [(i, t) for i in range(len(images)) for t in range(len(templates)) if "ordinary" in (images[i][0], templates[t][0])]
        for i, t in alone:  # each in a file of its own, beside nothing
            path = os.path.join(folder, "alone.h5")
            with h5py.File(path, "w") as file:
                file["images"], file["templates"] = images[i][1][None], templates[t][1][None]
                file["pairs"] = np.array([[0, 0]])
            _, single = run(path, 1)
            row = i * len(templates) + t
            for name, values in single.items():
                assert values[0].tobytes() == found[name][row].tobytes(), f"{dtype}: {images[i][0]} with {templates[t][0]}: {name}"
    print(f"{np.dtype(dtype)}: {len(pairs)} pairs, {len(alone)} of them alone too")


if __name__ == "__main__":
    main("f4")
    main("f8")
