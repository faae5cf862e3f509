#!/usr/bin/env python3
"""What can be said of the Spack recipe and the Apptainer definition without Spack and Apptainer.

The recipe is executed with recorders in place of Spack's directives: what it passes to cmake are options that this
project has. The definition's sections are known ones, and its scripts pass shellcheck.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import types

TOP = pathlib.Path(__file__).resolve().parents[2]
SECTIONS = {"help", "setup", "files", "labels", "environment", "post", "runscript", "startscript", "test", "arguments",
            "appinstall"}


class Spec:
    """A concrete spec, as far as the recipe looks."""

    def __init__(self, variants):
        self.on = variants
        self.variants = {"cuda_arch": types.SimpleNamespace(value=("90",))}
        self.prefix = "/somewhere"
        self.package = types.SimpleNamespace(component_prefix="/somewhere/mkl")

    def satisfies(self, text):
        return text[1:] in self.on

    def __getitem__(self, name):
        return self


def recipe():
    path = TOP / "jobs/spack/packages/mpixcorr/package.py"
    told = {"variant": [], "depends_on": [], "version": [], "conflicts": [], "generator": [], "license": []}
    module = types.ModuleType("spack.package")
    for name, calls in told.items():
        setattr(module, name, lambda *words, _calls=calls, **more: _calls.append((words, more)))
    module.CMakePackage = type("CMakePackage", (), {"define": staticmethod(lambda name, value: (name, value)),
                                                    "run_tests": False})
    module.CudaPackage = type("CudaPackage", (), {})
    sys.modules["spack"], sys.modules["spack.package"] = types.ModuleType("spack"), module
    names = {"__file__": str(path)}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    package = names["Mpixcorr"]()
    assert {words[0] for words, _ in told["variant"]} >= {"mkl"}, told["variant"]
    assert (names["SOURCES"] / "CMakeLists.txt").samefile(TOP / "CMakeLists.txt")
    cmake = "".join(file.read_text(encoding="utf-8") for file in [TOP / "CMakeLists.txt", *TOP.glob("cmake/*.cmake")])
    for variants in (set(), {"mkl"}, {"cuda"}, {"cuda", "mkl"}):
        package.spec = Spec(variants)
        args = dict(package.cmake_args())
        assert args["MPIXCORR_FFT"] == ("mkl" if "mkl" in variants else "fftw")
        assert args["MPIXCORR_CUDA"] == ("on" if "cuda" in variants else "off")
        assert ("CMAKE_CUDA_ARCHITECTURES" in args) == ("cuda" in variants)
        for name in args:
            assert name in ("BUILD_TESTING", "CMAKE_CUDA_ARCHITECTURES", "HDF5_ROOT") or f"set({name} " in cmake, name
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    for library in re.findall(r"ncc_library\(\w+ (\w+) ", cmake):
        assert re.search(rf"^\|[^|]*\b{library}\b[^|]*\|", readme, re.MULTILINE), f"README's table of libraries lacks {library}"
    needed = {words[0].split("@")[0].split("+")[0].split(" ")[0] for words, _ in told["depends_on"]}
    for library in ("mpi", "hdf5", "fftw", "hwloc", "jansson", "openssl", "cuda", "intel-oneapi-mkl"):
        assert library in needed, library
    assert told["license"] == [(("BSD-3-Clause",), {})] and "BSD 3-Clause" in (TOP / "LICENSE").read_text(encoding="utf-8")
    assert re.search(r"^repo:\n  namespace: \w+$", (TOP / "jobs/spack/repo.yaml").read_text(encoding="utf-8"), re.M)


def definition():
    text = (TOP / "jobs/apptainer/mpixcorr.def").read_text(encoding="utf-8")
    assert re.match(r"Bootstrap: docker\nFrom: debian:12\.\d+-slim\n", text)
    assert "licenses GPL-2.0-or-later AND BSD-3-Clause" in text, "it holds FFTW"
    sections = re.split(r"^%", text, flags=re.M)[1:]
    for section in sections:
        name, _, body = section.partition("\n")
        assert name.split()[0] in SECTIONS, name
        if name in ("post", "runscript", "test", "environment"):
            script = "#!/bin/sh\n" + body
            subprocess.run(["sh", "-n"], input=script, text=True, check=True)
            if shutil.which("shellcheck"):
                subprocess.run(["shellcheck", "-"], input=script, text=True, check=True)
    for file in re.findall(r"\$\(cat ([^/)][^)]*)\)", text):
        assert (TOP / file).exists(), file


recipe()
definition()
print("passed")
