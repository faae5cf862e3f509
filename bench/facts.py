"""What a figure was measured on: the machine, and the versions of what took part."""
import contextlib
import importlib.metadata
import os
import subprocess
import sys


def machine():
    def output(*command):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    cpu = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in output("lscpu").splitlines() if ":" in line}
    memory = next(line for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    release = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release") if "=" in line)
    return {"cpu": cpu.get("Model name", "?"), "cores": len(os.sched_getaffinity(0)),
            "caches": {key: cpu.get(f"{key} cache", "?") for key in ("L1d", "L2", "L3")},
            "isa": [flag for flag in ("avx2", "fma", "avx512f") if flag in cpu.get("Flags", "").split()],
            "memory_gib": round(int(memory.split()[1]) / 2**20), "system": release.get("PRETTY_NAME", "?").strip('"'),
            "kernel": os.uname().release}


def versions(build):
    program = subprocess.run([build / "mpixcorr", "--version"], capture_output=True, text=True, check=True)
    found = {"mpixcorr": program.stdout.splitlines(), "python": sys.version.split()[0]}
    for name in ("numpy", "scipy", "mkl", "mkl-fft", "opencv-python-headless", "scikit-image"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
