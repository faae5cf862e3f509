#!/usr/bin/env python3
"""An engine against an independent oracle in numpy (long double), geometry and rules included.

usage: reference_numpy.py MATCH_CASES ENGINE [SEED [COUNT]]

Random small pairs with random options go through tests/oracle/match_cases.c; the oracle below is written from the definition
alone: every window of the zero-padded image, all sums two-pass in long double.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

DTYPES = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float16, np.float32, np.float64]
OK, FLAT, NONFINITE, INVALID, MASKED = 1, 2, 3, 6, 7
TIE = 1e-12
SEPARATION_PX = 10


def normalized(a, valid):
    """(a - mean) / population deviation over what is valid, the quotient rounded to float64; zeros where that is equal."""
    if not valid.any() or (a[valid] == a[valid][0]).all():
        return np.zeros(a.shape)
    shifted = a.astype(np.longdouble)
    shifted = shifted - shifted[valid][0]
    shifted = shifted - shifted[valid].mean()
    return (shifted / np.sqrt((shifted[valid] ** 2).mean())).astype(np.float64)


def ncc_map(image, tmpl, eps):
    """The full map in long double, and where a rule makes it 0."""
    m, n = tmpl.shape
    padded = np.pad(image.astype(np.longdouble), ((m - 1, m - 1), (n - 1, n - 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (m, n))
    windows = windows - windows[:, :, :1, :1]
    t = tmpl.astype(np.longdouble)
    t = t - t[0, 0]
    zero = (windows == 0).all((2, 3)) | (t == 0).all()
    t = t - t.mean()
    windows = windows - windows.mean((2, 3), keepdims=True)
    energy = np.sqrt((windows**2).sum((2, 3)) * (t**2).sum())
    numerator = (windows * t).sum((2, 3))
    if eps > 0:
        zero |= energy <= eps
    return np.where(zero, 0, numerator / np.where(zero, 1, energy)), zero


def overlap_map(image, tmpl, valid, t_valid, eps):
    """The same over the pixels that are valid in both, where nothing lies outside the image; and how many these are."""
    m, n = tmpl.shape
    pad = ((m - 1, m - 1), (n - 1, n - 1))
    view = lambda a: np.lib.stride_tricks.sliding_window_view(np.pad(a, pad), (m, n))
    both = view(valid) & t_valid
    count = both.sum((2, 3))
    parts, flat = [], count == 0
    for a in (view(np.where(valid, image.astype(np.longdouble), 0)), np.where(t_valid, tmpl.astype(np.longdouble), 0)):
        a = np.broadcast_to(a, both.shape)
        first = np.argmax(both.reshape(*count.shape, -1), axis=2)
        pivot = np.take_along_axis(a.reshape(*count.shape, -1), first[:, :, None], axis=2)[:, :, :, None]
        a = np.where(both, a - pivot, 0)
        flat |= (a == 0).all((2, 3))
        mean = a.sum((2, 3)) / np.maximum(count, 1)
        parts.append(np.where(both, a - mean[:, :, None, None], 0))
    w, t = parts
    energy = np.sqrt((w**2).sum((2, 3)) * (t**2).sum((2, 3)))
    if eps > 0:
        flat |= energy <= eps
    return np.where(flat, 0, (w * t).sum((2, 3)) / np.where(flat, 1, energy)), flat, count


def searched(image, tmpl, options):
    """Mask of the positions that count; None where the pair is invalid."""
    (rows, cols), (m, n) = image.shape, tmpl.shape
    if m > rows or n > cols:
        return None
    y, x = np.mgrid[: rows + m - 1, : cols + n - 1]
    crop_y, crop_x = (m // 2, n // 2) if options["crop_half"] else (options["crop_y"], options["crop_x"])
    mask = (y >= crop_y) & (y < y.shape[0] - crop_y) & (x >= crop_x) & (x < y.shape[1] - crop_x)
    if options["window"]:
        y0, x0, y1, x1 = options["window"]
        if y1 > y.shape[0] or x1 > y.shape[1]:
            return None
        mask &= (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
    height = np.minimum(y, rows - 1) - np.maximum(y - m + 1, 0) + 1
    width = np.minimum(x, cols - 1) - np.maximum(x - n + 1, 0) + 1
    if not any(masked is not None for masked in options["masks"]):
        mask &= height * width / (m * n) >= options["min_overlap"]
    return mask if mask.any() else None


def first_best(values, mask):
    """First position in row-major order within 1e-12 of the maximum, and that maximum."""
    best = values[mask].max()
    y, x = np.argwhere(mask & (values >= best - TIE))[0]
    return int(y), int(x), best


def parabola(before, middle, after):
    curvature = 2 * middle - before - after
    return min(0.5, max(-0.5, (after - before) / (2 * curvature))) if curvature > 0 else 0


def wrong_list(values, mask, listed, options, tolerance):
    """What is wrong with a list of peaks: each is the best of what is farther from those before it; or None."""
    yy, xx = np.mgrid[: mask.shape[0], : mask.shape[1]]
    rest, apart = mask.copy(), options["separation"] or SEPARATION_PX
    for k, (y, x, peak) in enumerate(listed):
        if not rest.any() or y == -1:
            none = not rest.any() and all(p[0] == -1 and p[1] == -1 and np.isnan(p[2]) for p in listed[k:])
            return None if none else f"peak {k} of the list: {y} {x} {peak}"
        want_y, want_x, best = first_best(values, rest)
        if not (0 <= y < rest.shape[0] and 0 <= x < rest.shape[1] and rest[y, x]):
            return f"peak {k} of the list is too near to a better one, or not searched"
        if abs(values[y, x] - peak) > tolerance:
            return f"peak {k} of the list is {float(values[y, x]):.17g}"
        if (y, x) != (want_y, want_x) and abs(values[y, x] - best) > 2 * TIE:
            return f"peak {k} of the list: expected ({want_y}, {want_x}) {float(best):.17g}"
        rest &= (abs(yy - y) > apart) | (abs(xx - x) > apart)
    return None


def check(image, tmpl, options, answer, tolerance):
    """What is wrong with an answer, or None; and the error of its peak."""
    status, y, x, peak, sub_y, sub_x, second_y, second_x, second_peak, *curvatures = answer[:11]
    listed = [answer[k : k + 3] for k in range(11, len(answer), 3)]
    mask = searched(image, tmpl, options)
    bad = INVALID if mask is None else 0
    masked = any(given is not None for given in options["masks"])
    valid, t_valid = (
        np.ones(a.shape, bool) if given is None else given != 0 for a, given in zip((image, tmpl), options["masks"]))
    if not bad and not (np.isfinite(image[valid]).all() and np.isfinite(tmpl[t_valid]).all()):
        bad = NONFINITE
    if bad:
        right = (status, y, x) == (bad, -1, -1) and np.isnan(peak) and all(p[0] == -1 for p in listed)
        return (None if right else f"expected status {bad}"), 0
    if options["normalize"]:
        image, tmpl = normalized(image, valid), normalized(tmpl, t_valid)
    if options["outside"]:
        values, zero, count = overlap_map(image, tmpl, valid, t_valid, options["eps"])
        flat = t_valid.any() and (tmpl[t_valid] == tmpl[t_valid][0]).all()
        zero |= flat
        if masked:
            mask &= (count > 0) & (count / max(t_valid.sum(), 1) >= options["min_overlap"])
            if not mask.any():
                right = flat and status == FLAT or (status, y, x) == (MASKED, -1, -1) and np.isnan(peak)
                return (None if right else f"expected status {MASKED}"), 0
    else:
        values, zero = ncc_map(image, tmpl, options["eps"])
    expected = FLAT if zero[mask].all() else OK
    want_y, want_x, best = first_best(values, mask)
    error = abs(float(values[y, x] - peak)) if mask.shape[0] > y >= 0 <= x < mask.shape[1] else np.inf
    if status != expected:
        return f"expected status {expected}", error
    if not mask[y, x] or ((y, x) != (want_y, want_x) and abs(values[y, x] - best) > 2 * TIE):
        return f"expected ({want_y}, {want_x}) {float(best):.17g}", error
    if error > tolerance or abs(peak) > 1:
        return f"expected the peak {float(values[y, x]):.17g}", error
    if listed and listed[0] != [y, x, peak]:
        return "the first of the list is not the peak", error
    wrong = wrong_list(values, mask, listed, options, tolerance)
    if wrong:
        return wrong, error
    if options["quality"] and status == OK:
        at = lambda i, j: values[i, j] if 0 <= i < mask.shape[0] and 0 <= j < mask.shape[1] and mask[i, j] else np.nan
        neighbours = ((sub_y, y, at(y - 1, x), at(y + 1, x)), (sub_x, x, at(y, x - 1), at(y, x + 1)))
        for (found, whole, before, after), told in zip(neighbours, curvatures):
            curvature = abs(2 * values[y, x] - before - after)
            second = before - 2 * values[y, x] + after
            if np.isnan(told) != np.isnan(second) or abs(told - second) > 4 * tolerance + 1e-15:
                return f"expected the curvature {float(second):.17g}", error
            allowed = 4 * tolerance / curvature if curvature > 0 else 0
            if not np.isnan(curvature) and curvature <= 4 * tolerance:
                continue  # rounding decides
            if abs(found - (whole + parabola(before, values[y, x], after))) > allowed + 1e-12:
                return "sub-pixel position", error
        yy, xx = np.mgrid[: mask.shape[0], : mask.shape[1]]
        apart = options["separation"] or SEPARATION_PX
        rest = mask & ((abs(yy - y) > apart) | (abs(xx - x) > apart))
        if not rest.any():
            return (None if second_y == -1 and np.isnan(second_peak) else "a second peak where none is left"), error
        want_y, want_x, best = first_best(values, rest)
        if not rest[second_y, second_x] or abs(values[second_y, second_x] - second_peak) > tolerance:
            return "second peak's value", error
        if (second_y, second_x) != (want_y, want_x) and abs(values[second_y, second_x] - best) > 2 * TIE:
            return f"expected the second peak ({want_y}, {want_x}) {float(best):.17g}", error
    return None, error


def random_pixels(rng, shape, dtype):
    kind = rng.integers(7)
    if kind == 0:
        pixels = rng.normal(0, 30, shape)
    elif kind == 1:
        pixels = rng.normal(100, 25, shape)
    elif kind == 2:
        pixels = rng.integers(0, 3, shape) * 1.0
    elif kind == 3:
        pixels = 10000 + rng.normal(0, 1, shape)
    elif kind == 4:
        pixels = np.full(shape, 0.1) + (rng.random(shape) < 0.05) * 20
    elif kind == 5:
        pixels = np.add.outer(np.arange(shape[0]) % 4, np.arange(shape[1]) % 3) * 7.3
    else:
        pixels = rng.normal(80, 20, shape)
        pixels[: shape[0] // 3] = 0
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return np.clip(np.rint(pixels), limits.min, limits.max).astype(dtype)
    if dtype != np.float16 and rng.random() < 0.3:
        pixels *= 10.0 ** rng.integers(-30, 30)
    if rng.random() < 0.03:
        pixels[rng.integers(shape[0]), rng.integers(shape[1])] = rng.choice([np.nan, np.inf, -np.inf])
    return np.clip(pixels, -65504, 65504).astype(dtype) if dtype == np.float16 else pixels.astype(dtype)


def random_mask(rng, pixels):
    """What is valid: all but a frame, half, a checkerboard, one pixel, one row, nothing, at random. What is not is spoilt."""
    rows, cols = pixels.shape
    mask = np.zeros(pixels.shape, np.uint8)
    kind = rng.integers(9)
    if kind == 0:
        mask[1:-1, 1:-1] = 1
    elif kind == 1:
        mask[: max(1, rows // 2)] = 255
    elif kind == 2:
        mask[::2, ::2] = mask[1::2, 1::2] = 1
    elif kind == 3:
        mask[rng.integers(rows), rng.integers(cols)] = 7
    elif kind == 4:
        mask[rng.integers(rows)] = 1
    elif kind > 5:
        mask[rng.random(pixels.shape) < rng.random()] = 1
    if pixels.dtype.kind == "f":
        pixels[mask == 0] = rng.choice([np.nan, np.inf, 60000 if pixels.dtype == np.float16 else 1e30])
    else:
        pixels[mask == 0] = np.iinfo(pixels.dtype).max
    return mask


def random_case(rng):
    rows, cols = (int(v) for v in rng.integers(1, 31, 2))
    m, n = (int(rng.integers(1, v + 1)) for v in (rows, cols))
    if rng.random() < 0.03:
        m = rows + 1
    image = random_pixels(rng, (rows, cols), DTYPES[rng.integers(9)])
    tmpl = random_pixels(rng, (m, n), DTYPES[rng.integers(9)])
    if rng.random() < 0.5 and m <= rows:
        y, x = rng.integers(0, rows - m + 1), rng.integers(0, cols - n + 1)
        tmpl = image[y : y + m, x : x + n].copy()
    masks = [None, None]
    if rng.random() < 0.4:
        masks = [random_mask(rng, a) if rng.random() < 0.7 else None for a in (image, tmpl)]
    options = {
        "crop_y": int(rng.integers(0, rows)) if rng.random() < 0.2 else 0,
        "crop_x": int(rng.integers(0, cols)) if rng.random() < 0.2 else 0,
        "crop_half": int(rng.random() < 0.15),
        "normalize": int(rng.random() < 0.3),
        "quality": int(rng.random() < 0.4),
        "eps": 0.0,
        "masks": masks,
        "outside": int(rng.random() < 0.5 or any(given is not None for given in masks)),
        "min_overlap": float(rng.choice([rng.random(), 1, 0.5, 0.07])) if rng.random() < 0.3 else 0.0,
        "window": None,
        "peaks": int(rng.choice([1, 2, 3, 8, 40])) if rng.random() < 0.4 else 0,
        "separation": int(rng.choice([1, 2, 3, 7, 25])) if rng.random() < 0.5 else 0,
    }
    if rng.random() < 0.25:
        y0, x0 = int(rng.integers(rows + m - 1)), int(rng.integers(cols + n - 1))
        options["window"] = (y0, x0, y0 + int(rng.integers(1, rows + 2)), x0 + int(rng.integers(1, cols + 2)))
    if rng.random() < 0.2 and np.isfinite(image).all() and np.isfinite(tmpl).all():
        scale = np.std(tmpl.astype(np.float64)) * np.std(image.astype(np.float64)) * m * n
        options["eps"] = float(scale) * rng.uniform(0.2, 1.5) if scale > 0 else 1e-3
    return image, tmpl, options


def main():
    program, engine = sys.argv[1:3]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 500
    tolerance = 2e-16 if engine == "reference" else TIE
    rng = np.random.default_rng(seed)
    cases = [random_case(rng) for _ in range(count)]
    with tempfile.NamedTemporaryFile(delete=False) as file:
        for image, tmpl, o in cases:
            types = [DTYPES.index(a.dtype.type) for a in (image, tmpl)]
            head = [*image.shape, types[0], *tmpl.shape, types[1], o["crop_y"], o["crop_x"], o["crop_half"]]
            bits = sum((given is not None) << k for k, given in enumerate(o["masks"], 2))
            head += [o["normalize"], o["quality"] + 2 * o["outside"] + bits]
            head += [int(o["window"] is not None), *(o["window"] or (0, 0, 0, 0)), o["peaks"], o["separation"]]
            file.write(np.array(head, np.int64).tobytes() + np.array([o["eps"], o["min_overlap"]]).tobytes())
            file.write(image.tobytes() + tmpl.tobytes())
            file.write(b"".join(given.tobytes() for given in o["masks"] if given is not None))
    try:
        run = subprocess.run([program, engine, file.name], stdout=subprocess.PIPE, check=True, text=True)
    finally:
        os.unlink(file.name)
    lines = run.stdout.splitlines()
    failures, largest, statuses = abs(len(lines) - count), 0.0, {}
    for i, ((image, tmpl, options), line) in enumerate(zip(cases, lines)):
        answer = [float(v) if k in (3, 4, 5, 8, 9, 10) or (k > 11 and k % 3 == 1) else int(v) for k, v in enumerate(line.split())]
        wrong, error = check(image, tmpl, options, answer, tolerance)
        largest = max(largest, error)
        statuses[answer[0]] = statuses.get(answer[0], 0) + 1
        if wrong:
            failures += 1
            print(f"seed {seed} case {i}: {image.shape} {image.dtype}, {tmpl.shape} {tmpl.dtype}, {options}: {line}: {wrong}")
    print(f"{count} pairs, statuses {statuses}, largest error of a peak {largest:.2g}, {failures} failures")
    return 1 if failures or count == 0 else 0


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        sys.exit(main())
