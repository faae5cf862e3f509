#!/usr/bin/env python3
"""The host stand-in finds what it is there to find, and nothing in a program that is right: check.py CASES GROUP

Each case of cases.cu is run and must end as the tables below say. Groups: right, hidden, caught, faults.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile

CASES, GROUP = sys.argv[1:3]
SCHEDULES = [{"CUDA_HOST_SCHEDULE": "early"}, {"CUDA_HOST_SCHEDULE": "late"}]
SCHEDULES += [{"CUDA_HOST_SEED": str(seed)} for seed in range(1, 9)]
SANITIZED = "ASAN_OPTIONS" in os.environ  # bounds are then the sanitizer's to tell

RIGHT = ["sums", "counts", "warps", "copies_2d", "fresh_memory_is_garbage", "inverse_destroys_input", "stream_of_another_device",
         "bad_launches", "child_has_no_device"]

# What is left out, and the schedule under which the answers must then be wrong.
HIDDEN = {"event_wait": "late", "host_wait": "late", "barrier": "late"}

CAUGHT = {
    "without_bounds": r"scale.* touched byte \d+ of allocation|scale wrote to byte \d+ of allocation",
    "without_work_area": "cufftExecR2C: the plan has no work area",
    "early_return": "early_return: 7 of 8 threads of block .* the others have returned",
    "divergence": "divergence: threads of block .* wait at .*, others at",
    "warp_early_return": "warp_early_return: 31 of 32 threads of block .* the others have returned",
    "half_a_warp": "warp: an operation of a warp at .* in a block of 16 threads",
    "shared_overrun": r"touch_shared, thread \(0, 0, 0\) of block|SIGSEGV",
    "shared_slack": "touch_shared wrote to byte 60 of its 60 of shared memory",
    "no_shared": "touch_shared has no shared memory",
    "write_behind": "poke wrote to byte 400 of allocation 3, which has 400",
    "write_before": "poke wrote to byte -4 of allocation 3, which has 400",
    "write_far": r"poke, thread .* touched byte \d+ of allocation 3|SIGSEGV",
    "null_pointer": "SIGSEGV",
    "host_pointer": "poke: .* is not in device memory",
    "pageable_copy": "cudaMemcpyAsync: .* is not in pinned memory",
    "long_copy": "cudaMemcpyAsync: bytes 0 to 401 of allocation 3, which has 400",
    "default_stream": "cudaMemsetAsync in the default stream",
    "host_read": "the host touched byte 0 of allocation 3, 400 bytes of device memory",
    "host_write_before_use": "the host touched byte 0 of allocation 3",
    "host_overrun": "wrote to byte 400 of allocation 4",
    "bad_free": "cudaFree: .* was not allocated so",
    "work_area_of_two_streams": "its work area is in use by another stream",
    "memory_of_another_device": "poke: .* is not in device memory",
}

UUID = "GPU-c0da0057-0000-4000-8000-00000000000"
DEVICES = [
    ({}, "cudaSuccess 2 host stand-in 0:c000 host stand-in 1:c001"),
    ({"CUDA_HOST_DEVICES": "0"}, "cudaErrorNoDevice 0"),
    ({"CUDA_HOST_DEVICES": "-1"}, "cudaErrorInsufficientDriver -7"),
    ({"CUDA_HOST_DEVICES": "3", "CUDA_VISIBLE_DEVICES": "2,0"}, "cudaSuccess 2 host stand-in 2:c002 host stand-in 0:c000"),
    ({"CUDA_VISIBLE_DEVICES": UUID + "1"}, "cudaSuccess 1 host stand-in 1:c001"),
    ({"CUDA_VISIBLE_DEVICES": "1,7,0"}, "cudaSuccess 1 host stand-in 1:c001"),
    ({"CUDA_VISIBLE_DEVICES": ""}, "cudaErrorNoDevice 0"),
    ({"CUDA_VISIBLE_DEVICES": "-1"}, "cudaErrorNoDevice 0"),
    ({"CUDA_VISIBLE_DEVICES": "GPU-5"}, "cudaErrorNoDevice 0"),
]


def run(case, environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CUDA_")}
    done = subprocess.run([CASES, case], env={**clean, **environment}, capture_output=True, text=True, timeout=600)
    if done.returncode == -signal.SIGSEGV:
        done.stderr += "SIGSEGV\n"
    return done


def expect(condition, case, environment, done):
    if not condition:
        sys.exit(f"{case} {environment}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def is_right(case, environment):
    done = run(case, environment)
    expect((done.returncode, done.stdout, done.stderr) == (0, "right\n", ""), case, environment, done)


def right():
    for case in RIGHT:
        for schedule in SCHEDULES:
            is_right(case, schedule)
    is_right("out_of_memory", {"CUDA_HOST_MEMORY": "1000000", "CUDA_HOST_OOM": "600000"})
    for environment, words in DEVICES:
        done = run("devices", environment)
        expect(done.returncode == 0 and done.stdout == words + "\nright\n", "devices", environment, done)


def hidden():
    for what, schedule in HIDDEN.items():
        environment = {"CUDA_HOST_SCHEDULE": schedule}
        done = run("without_" + what, environment)
        expect(done.stdout == "wrong\n", "without_" + what, environment, done)
        wrong = sum(run("without_" + what, {"CUDA_HOST_SEED": str(seed)}).stdout == "wrong\n" for seed in range(8))
        print(f"without {what}: wrong when late, and in {wrong} of 8 random orders")
        assert wrong > 0


def caught():
    for case, words in CAUGHT.items():
        done = run(case, {})
        found = re.search(words, done.stderr)
        if SANITIZED and not found:
            found = re.search("AddressSanitizer|runtime error", done.stderr)
        expect(done.returncode != 0 and found, case, {}, done)
    done = run("without_free", {})
    expect(done.returncode == 99 and done.stderr.count("leaked: allocation") == 2, "without_free", {}, done)


def faults():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "counts")
        is_right("sums", {"CUDA_HOST_COUNT": path})
        with open(path, encoding="ascii") as file:
            counts = dict(line.split() for line in file)
    assert counts["cudaLaunchKernel"] == "24" and counts["computed"] == "48" and counts["cudaMalloc"] == "5", counts
    assert counts["bytes_in"] == str(12 * 98 * 20 * 4) and counts["bytes_out"] == str(12 * 20 * 4), counts
    # Seven operations a batch, of which the first may run beside the batch before, and what the host waits for at the end.
    assert counts["chain"] == "88" and counts["under_way"] == counts["computed"], counts
    for name, n in counts.items():
        if not name.startswith("cu"):
            continue
        for at in sorted({1, int(n)}):
            environment = {"CUDA_HOST_FAIL": f"nothing:1,{name}:{at}"}
            done = run("sums", environment)
            expect(done.returncode in (3, 99) and done.stdout, "sums", environment, done)
    environment = {"CUDA_HOST_FAIL": "cudaMalloc:3=214"}
    done = run("sums", environment)
    expect("cudaErrorECCUncorrectable" in done.stdout, "sums", environment, done)
    done = run("lost_device", {"CUDA_HOST_LOST": "2"})
    expect(done.returncode == 0, "lost_device", {}, done)


def main():
    {"right": right, "hidden": hidden, "caught": caught, "faults": faults}[GROUP]()
    print(f"passed {GROUP}")


if __name__ == "__main__":
    main()
