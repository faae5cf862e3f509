#!/usr/bin/env python3
"""Which rank uses which GPU, what it says of it, and what happens where there is none: gpu_devices.py CASE

The stand-in's devices have UUIDs that end in their number.
"""
from same_bytes import simple

from gpu_common import INPUT, Done, computed, cpu, expect, gpu, h5py, main, np, os, same

UUID = "GPU-c0da0057-0000-4000-8000-00000000000"


def make_input(images=9):
    with h5py.File(INPUT, "w") as file:
        simple(file, np.random.default_rng(3), images, 6, [(i, t) for i in range(images) for t in range(6)], (60, 70), (17, 20))
    return cpu()


def names(done):
    """The devices that the run's words name."""
    return {number for number in range(8) if UUID + str(number) in done.out}


def shares(done):
    return "shared by ranks" in done.out


def check(expected, devices, *options, ranks, **environment):
    done = gpu(*options, ranks=ranks, **environment)
    same(done, expected)
    computed(done, expected)
    expect(names(done) == devices, done, f"expected the devices {devices}")
    return done


def two_on_three_ranks():
    """Every rank has one, one is shared, and the run says so."""
    done = check(make_input(), {0, 1}, ranks=3)
    expect(shares(done), done, "sharing goes unmentioned")
    done = check(cpu(), {0, 1}, ranks=2)
    expect(not shares(done), done, "nothing is shared here")


def one_for_all_ranks():
    expected = make_input()
    done = check(expected, {0}, ranks=3, CUDA_HOST_DEVICES="1")
    expect(shares(done), done, "sharing goes unmentioned")
    check(expected, {0}, "--gpus", "1", ranks=2)
    check(expected, {2}, "--gpus", "1", ranks=1, CUDA_HOST_DEVICES="4", CUDA_VISIBLE_DEVICES="2,3")


def visible():
    """CUDA_VISIBLE_DEVICES by index, by UUID, by the beginning of one."""
    expected = make_input(3)
    check(expected, {1}, ranks=1, CUDA_VISIBLE_DEVICES="1")
    check(expected, {1}, ranks=1, CUDA_VISIBLE_DEVICES=UUID + "1")
    check(expected, {1, 0}, ranks=2, CUDA_VISIBLE_DEVICES=f"{UUID}1,0")


def none():
    """--device gpu ends before any work, in one line for all ranks; auto takes the CPU."""
    expected = make_input(3)
    for environment in ({"CUDA_HOST_DEVICES": "0"}, {"CUDA_HOST_DEVICES": "-1"}, {"CUDA_VISIBLE_DEVICES": ""},
                        {"CUDA_VISIBLE_DEVICES": "5"}):
        for ranks in (1, 3):
            done = gpu(ranks=ranks, **environment)
            expect(done.code == 5 and len(done.errors) == 1, done, "expected exit 5 and one line")
            expect(done.tables is None and not done.part, done, "a file was left")
        done = Done("auto", (), 1, environment)
        same(done, expected, "auto without a device")
        expect(not done.calls.get("computed"), done, "computed on a device that is not there")


def auto():
    """auto takes the device where there is one."""
    expected = make_input(3)
    done = Done("auto", (), 2, {})
    same(done, expected)
    computed(done, expected)


if __name__ == "__main__":
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    main({"two_on_three_ranks": two_on_three_ranks, "one_for_all_ranks": one_for_all_ranks, "visible": visible,
          "none": none, "auto": auto})
