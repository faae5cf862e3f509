# A Spack recipe (Spack 0.23 or newer) that builds the sources that it lies in:
#   spack repo add jobs/spack && spack install mpixcorr            # +cuda cuda_arch=90, +mkl
from pathlib import Path

from spack.package import *

SOURCES = Path(__file__).resolve().parents[4]


class Mpixcorr(CMakePackage, CudaPackage):
    """Batch normalised cross-correlation of EM images and templates over MPI, with float64-exact peaks."""

    license("BSD-3-Clause")  # of the sources; linked with FFTW the GPL's terms hold

    # The last commit of these sources. From sources without git: spack develop --path SOURCES mpixcorr@main
    version("main", git=f"file://{SOURCES}", branch="main")

    variant("mkl", default=False, description="Transforms by Intel's MKL instead of FFTW")
    variant("pictures", default=True, description="Draw matches (cairo)")
    variant("import", default=True, description="Read TIFF, PNG, JPEG, MATLAB, Zarr and N5")

    depends_on("c", type="build")
    depends_on("cxx", type="build", when="+cuda")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi@3:")
    depends_on("hdf5@1.10:+mpi+hl")
    depends_on("fftw@3.3: precision=float,double", when="~mkl")
    depends_on("intel-oneapi-mkl", when="+mkl")
    depends_on("hwloc@2:")
    depends_on("jansson")
    depends_on("openssl")
    depends_on("cairo", when="+pictures")
    depends_on("libtiff", when="+import")
    depends_on("libpng", when="+import")
    depends_on("matio", when="+import")
    depends_on("jpeg", when="+import")
    depends_on("zlib-api", when="+import")
    depends_on("libdeflate", when="+import")
    depends_on("zstd", when="+import")
    depends_on("lz4", when="+import")
    depends_on("c-blosc", when="+import")
    depends_on("cuda@12:", when="+cuda")

    conflicts("cuda_arch=none", when="+cuda", msg="name the GPUs: cuda_arch=80 (A100), cuda_arch=90 (H100)")

    generator("ninja")

    def cmake_args(self):
        args = [
            self.define("BUILD_TESTING", self.run_tests),
            self.define("HDF5_ROOT", self.spec["hdf5"].prefix),
            self.define("MPIXCORR_FFT", "mkl" if self.spec.satisfies("+mkl") else "fftw"),
            self.define("MPIXCORR_CUDA", "on" if self.spec.satisfies("+cuda") else "off"),
        ]
        if self.spec.satisfies("+mkl"):
            args.append(self.define("MKLROOT", self.spec["intel-oneapi-mkl"].package.component_prefix))
        if self.spec.satisfies("+cuda"):
            args.append(self.define("CMAKE_CUDA_ARCHITECTURES", list(self.spec.variants["cuda_arch"].value)))
        return args

    def setup_run_environment(self, env):
        env.set("MPIXCORR_HOME", self.prefix)
