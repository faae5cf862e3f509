#!/usr/bin/env python3
"""Whatever fails on the device, a run ends with the right bytes, or in one line with the right code: gpu_faults.py CASE"""
from same_bytes import scene

from gpu_common import INPUT, computed, cpu, expect, gpu, h5py, main, np, os, same

OPTIONS = ("--streams", "4", "--threads", "2")  # four images under way


def make_input():
    """Images of two shapes, templates of two; as many images as are under way at once."""
    rng = np.random.default_rng(21)
    with h5py.File(INPUT, "w") as file:
        for i in range(4):
            file[f"images/{i}"] = (120 + 30 * scene(rng, 60 + 9 * (i % 2), 66)).clip(0, 255).astype("u1")
        for t in range(12):
            file[f"templates/{t}"] = (120 + 30 * scene(rng, 15, 12 + 5 * (t % 2))).clip(0, 255).astype("u1")
        file["pairs"] = np.array([(i, t) for i in range(4) for t in range(12)])
    expected = cpu()
    expect(expected.code == 0, expected, "the CPU engine")
    return expected


def told(done, what):
    """A run that went on without its device says so, once a rank and once more, not for each pair."""
    expect(1 <= len(done.left) <= 4, done, f"{what}: expected to be told in a line or a few")


def ends_well(done, expected, what):
    """The same bytes, having said what happened; or nothing but one line and exit 5, 1 or 3."""
    if done.code == 0:
        same(done, expected, what)
        return True
    expect(done.code == 5 and len(done.errors) == 1, done, f"{what}: expected the right bytes, or one line and exit 5")
    expect(done.tables is None, done, f"{what}: an output was left")
    return False


def undisturbed_run(expected):
    """Several images are under way in it, so that what fails for one comes upon the others at work."""
    undisturbed = gpu(*OPTIONS)
    same(undisturbed, expected)
    computed(undisturbed, expected)
    expect(undisturbed.calls["under_way"] > 1.2 * undisturbed.calls["computed"], undisturbed, "one image at a time")
    return undisturbed


def each_call(part):
    """Each call that a run makes fails once: the first, one in the middle, the last."""
    expected = make_input()
    undisturbed = undisturbed_run(expected)
    calls = {name: n for name, n in undisturbed.calls.items() if name.startswith("cu")}
    recovered = ended = 0
    for i, (name, n) in enumerate(sorted(calls.items())):
        if i % 3 != part:
            continue
        for at in sorted({1, (n + 1) // 2, n}):
            what = f"{name} number {at} of {n}"
            done = gpu(*OPTIONS, CUDA_HOST_FAIL=f"{name}:{at}")
            if ends_well(done, expected, what):
                recovered += 1
            else:
                expect(name in done.errors[0], done, f"{what}: the line does not name the call")
                ended += 1
    print(f"{len(calls)} calls; {recovered} runs recovered, {ended} ended in one line")
    assert recovered > 0


def memory():
    """Too little of it: smaller batches, in the end the CPU, and the bytes are always the same."""
    expected = make_input()
    undisturbed = undisturbed_run(expected)
    fell_back = smaller = 0
    for exponent in range(10, 29, 2):
        done = gpu(*OPTIONS, CUDA_HOST_OOM=str(2**exponent))
        same(done, expected, f"out of memory at 2^{exponent}")
        if done.calls.get("computed", 0) == 0:
            told(done, f"out of memory at 2^{exponent}")
            fell_back += 1
        elif done.calls["computed"] > undisturbed.calls["computed"]:
            smaller += 1
    for exponent in range(16, 28, 2):
        same(gpu(*OPTIONS, CUDA_HOST_MEMORY=str(2**exponent)), expected, f"a device of 2^{exponent} bytes")
    print(f"{fell_back} runs on the CPU alone, {smaller} in smaller batches")
    assert fell_back > 0 and smaller > 0


def lost():
    """The device is lost in mid-run, for several reasons: the run completes, says so, and its bytes are the same."""
    expected = make_input()
    n = undisturbed_run(expected).calls["computed"]
    for at in sorted({1, 2, 3, 7, n // 3, n // 2, n - 1, n}):
        for code in ("719",) if at % 2 else ("214", "46"):
            done = gpu(*OPTIONS, CUDA_HOST_LOST=str(at), CUDA_HOST_LOST_CODE=code)
            same(done, expected, f"lost at {at} of {n}")
            told(done, f"lost at {at} of {n}")
            expect(done.calls["computed"] == at, done, "the device was used after it was lost")


def lost_on_three_ranks():
    """Every rank loses its device, at another time than the others."""
    expected = make_input()
    for at in (1, 5, 11):
        done = gpu(*OPTIONS, ranks=3, CUDA_HOST_LOST=str(at))
        same(done, expected, f"lost at {at}")
        told(done, f"lost at {at}")


if __name__ == "__main__":
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    main({"each_call_0": lambda: each_call(0), "each_call_1": lambda: each_call(1), "each_call_2": lambda: each_call(2),
          "memory": memory, "lost": lost, "lost_on_three_ranks": lost_on_three_ranks})
