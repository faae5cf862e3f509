"""Processor time of each test, dearest last: processor_time.py BUILD [ctest arguments that select tests]

Daemons that a test leaves to others (those of SLURM) are not counted.
"""
import json
import os
import resource
import subprocess
import sys
import time


def main():
    build, *chosen = sys.argv[1:]
    listed = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1", *chosen], check=True, capture_output=True)
    rows = []
    for test in json.loads(listed.stdout)["tests"]:
        properties = {p["name"]: p["value"] for p in test["properties"]}
        environment = dict(os.environ, **dict(v.split("=", 1) for v in properties.get("ENVIRONMENT", [])))
        for change in properties.get("ENVIRONMENT_MODIFICATION", []):
            environment["PATH"] = change.removeprefix("PATH=path_list_prepend:") + ":" + environment["PATH"]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        code = subprocess.run(test["command"], env=environment, cwd=properties["WORKING_DIRECTORY"],
                              stdin=subprocess.DEVNULL, capture_output=True).returncode
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        rows.append((used, time.monotonic() - began, test["name"], {0: "", 77: "skipped"}.get(code, f"exit {code}")))
        print(f"{used:8.1f} {rows[-1][1]:8.1f} s  {test['name']} {rows[-1][3]}", file=sys.stderr, flush=True)
    print("processor time, wall time, test")
    for used, wall, name, remark in sorted(rows):
        print(f"{used:8.1f} {wall:8.1f} s  {name} {remark}")
    print(f"{sum(row[0] for row in rows):8.1f} {sum(row[1] for row in rows):8.1f} s  in all, one after another")


if __name__ == "__main__":
    main()
