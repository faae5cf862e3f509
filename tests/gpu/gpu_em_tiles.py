#!/usr/bin/env python3
"""Real EM tiles: the GPU engine gives the CPU engine's bytes, on 2 ranks with a device each; skipped (77) without
MPIXCORR_TEST_DATA."""
import os
import sys

from em_tiles import read_expected

from gpu_common import INPUT, computed, cpu, gpu, h5py, main, np, same


def tiles():
    data = os.environ.get("MPIXCORR_TEST_DATA")
    if not data:
        print("skipped: MPIXCORR_TEST_DATA is not set")
        sys.exit(77)
    images, templates, _, _ = read_expected(os.path.join(data, "em_tiles"))
    with h5py.File(INPUT, "w") as file:
        for i, (image, template) in enumerate(zip(images, templates)):
            file[f"images/{i}"] = image
            file[f"templates/{i}"] = template
        file["pairs"] = np.repeat(np.arange(len(images))[:, None], 2, axis=1)
    for options in ((), ("--min-overlap", "1"), ("--crop", "half", "--quality")):
        expected, done = cpu(*options), gpu(*options, ranks=2)
        same(done, expected)
        computed(done, expected)
        print(f"{len(images)} pairs, {' '.join(options) or 'no options'}: the same bytes")


if __name__ == "__main__":
    main({"tiles": tiles})
