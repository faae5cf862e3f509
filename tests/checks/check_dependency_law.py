"""The dependency law of CONTRIBUTING.md: which room may include which, which one a foreign library, and no circles.

check_dependency_law.py [ROOT]: prints what breaks it, and exits with 1.
"""
import os
import re
import sys

# room: (rooms that it may include beside itself, foreign headers)
LAW = {
    "src": ("", ""),
    "src/base": ("src", ""),
    "src/match/kernels": ("src src/base", ""),
    "src/filter": ("src src/base src/match/kernels", ""),
    "src/match": ("src src/base src/filter src/match/kernels src/match/cpu", "fftw"),
    "src/match/cpu": ("src src/base src/match src/match/kernels", "fftw"),
    "src/plan": ("src src/base src/match", ""),
    "src/options": ("src src/base src/filter", ""),
    "src/mosaic": ("src src/base", ""),
    "src/synth": ("src src/base", ""),
    "src/selftest": ("src src/base src/match src/match/kernels src/synth", ""),
    "gpu": ("src src/base src/match src/match/kernels", "cuda"),
    "io/base": ("src src/base", "hdf5 tiff"),
    "io/codec": ("src src/base io/base", "codecs"),
    "io/volume": ("src src/base io/base io/codec", "hdf5 tiff png jpeg jansson"),
    "io/input": ("src src/base src/filter src/plan io/base io/volume", "hdf5"),
    "io/output": ("src src/base src/match src/plan src/options io/base io/input", "hdf5"),
    "io/import": ("src src/base src/plan io/base io/input io/volume", "hdf5 matio"),
    "io/stage": ("src src/base io/base io/volume", ""),
    "io/picture": ("src src/base src/match io/base", "hdf5 cairo"),
    "mpi/rank": ("src src/base src/match src/plan src/options io/input io/output gpu", "hwloc"),
    "mpi/start": ("src src/base src/match src/plan src/options io/base io/input mpi mpi/rank gpu", "mpi"),
    "mpi": ("src src/base src/match src/plan src/options io/base io/input io/output mpi/rank mpi/start gpu", "mpi"),
    "src/app": ("src src/base src/match src/mosaic src/plan src/options src/selftest src/synth io/base io/input io/output io/import io/stage io/volume io/picture mpi "
                "mpi/rank gpu", "jansson"),
}
FOREIGN = {"fftw": r"fftw3", "cuda": r"cuda|cufft|nvml|nvrtc", "hdf5": r"hdf5|H5", "mpi": r"mpi\.h", "tiff": r"tiff",
           "png": r"png", "jpeg": r"jpeg", "codecs": r"zlib|zstd|lz4|blosc", "matio": r"matio", "cairo": r"cairo", "hwloc": r"hwloc", "jansson": r"jansson"}
TOP = ("src", "gpu", "io", "mpi")


def sources(root):
    for top in TOP:
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".cu", ".cuh", ".inc")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def circle(graph):
    """The modules of one circle, or none."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return []
        path.append(node)
        for target in sorted(graph.get(node, ())):
            found = visit(target)
            if found:
                return found
        done.add(path.pop())
        return []

    for node in sorted(graph):
        found = visit(node)
        if found:
            return found
    return []


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    files = list(sources(root))
    known, bad, headers, rooms = set(files), [], {}, {}
    for path in files:
        room = os.path.dirname(path)
        if room not in LAW:
            bad.append(f"{path}: {room}/ is no room that the law knows")
            continue
        with open(os.path.join(root, path), encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
                if not match:
                    continue
                name = match[2]
                for library, pattern in FOREIGN.items():
                    if re.match(pattern, name) and library not in LAW[room][1].split():
                        bad.append(f"{path}:{number}: {room}/ must not include <{name}>")
                target = next((t for t in (name, f"src/{name}") if t in known), None)
                if match[1] == '"' and not target and name not in ("commit.h", "dependencies.h", "page_html.h") and not name.startswith("lazy_"):  # generated
                    bad.append(f'{path}:{number}: "{name}" is no path from src/ or from the top')
                if not target:
                    continue
                if os.path.dirname(target) not in [room, *LAW[room][0].split()]:
                    bad.append(f"{path}:{number}: {room}/ must not include {name}")
                if path.endswith((".h", ".cuh")):
                    headers.setdefault(path, set()).add(target)
                if room != os.path.dirname(target):
                    rooms.setdefault(room, set()).add(os.path.dirname(target))
    for what, graph in (("headers", headers), ("modules", modules(root, files, known))):
        found = circle(graph)
        if found:
            bad.append(f"a circle of {what}: " + " -> ".join(found))
    print("\n".join(bad) if bad else f"{len(files)} files keep the law")
    sys.exit(bool(bad))


def modules(root, files, known):
    """Module (a source with its header) -> modules whose headers it includes."""
    graph = {}
    for path in files:
        module = os.path.splitext(path)[0]
        with open(os.path.join(root, path), encoding="utf-8") as source:
            for name in re.findall(r'#\s*include\s*"([^"]+)', source.read()):
                target = next((t for t in (name, f"src/{name}") if t in known), None)
                if target and os.path.splitext(target)[0] != module:
                    graph.setdefault(module, set()).add(os.path.splitext(target)[0])
    return graph


if __name__ == "__main__":
    main()
