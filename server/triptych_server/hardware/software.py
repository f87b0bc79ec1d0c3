"""The inference runtimes that are installed: Python packages, Triton's own backends, and whether their libraries load."""

import importlib.metadata
import re
from dataclasses import dataclass
from pathlib import Path

from triptych_server.hardware.tree import Tree

PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-migraphx",
    "onnxruntime-openvino",
    "openvino",
    "ai-edge-litert",
    "rknn-toolkit-lite2",
)
SITES = ("opt/*/lib/python3*/site-packages", "usr/lib/python3*/*-packages", "usr/local/lib/python3*/*-packages")
"""Where a recorded tree has its Python packages; the live machine's are those of this Python."""

NATIVE = "opt/tritonserver/backends/*/libtriton_*.so"


@dataclass(frozen=True, slots=True)
class Package:
    """An installed distribution. `cuda` is the CUDA release that it is built for, e.g. `13`, where its metadata tells."""

    name: str
    version: str
    folder: str
    cuda: str = ""


@dataclass(frozen=True, slots=True)
class Software:
    """`native` are the backends of a Triton in /opt/tritonserver (the NGC container), which bring their own runtimes; `native_cuda` is
    the CUDA release that they are built for, e.g. `13`, as the container tells."""

    packages: tuple[Package, ...]
    native: tuple[str, ...]
    native_cuda: str = ""

    def package(self, name: str) -> Package | None:
        """The package, if it is installed."""
        return next((package for package in self.packages if package.name == name), None)

    @property
    def onnxruntimes(self) -> tuple[Package, ...]:
        """Every build of ONNX Runtime; they share one folder, so more than one is a mistake."""
        return tuple(package for package in self.packages if package.name.startswith("onnxruntime"))


def probe_software(tree: Tree) -> Software:
    """What is installed; nothing is imported."""
    native = {path.parent.name for path in tree.glob(NATIVE)}
    cuda = re.match(r"\d{1,3}", tree.environment().get("CUDA_VERSION", ""), re.ASCII) if native else None
    return Software(_installed_here() if tree.live else _installed_in(tree), tuple(sorted(native)), cuda[0] if cuda else "")


def provider_library(package: Package, provider: str) -> list[str]:
    """The files to load, in turn, for an execution provider of an ONNX Runtime package, e.g. `cuda`."""
    folder = Path(package.folder) / "onnxruntime" / "capi"
    return [*_cuda_wheels(package), *(str(folder / f"libonnxruntime_providers_{name}.so") for name in ("shared", provider))]


def _cuda_wheels(package: Package) -> list[str]:
    """CUDA's and cuDNN's libraries where they came as Python packages, in the order in which they need each other."""
    wheels = Path(package.folder) / "nvidia"
    order = ("cudart", "nvrtc", "cublasLt", "cublas", "cufft", "curand", "nvJitLink", "cudnn")
    return [
        str(file)
        for name in order
        for file in sorted(wheels.glob(f"*/lib/lib{name}.so.*")) + sorted(wheels.glob(f"*/*/lib/lib{name}.so.*"))
    ]


def _installed_here() -> tuple[Package, ...]:
    found = []
    for name in PACKAGES:
        try:
            installed = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(Package(name, installed.version, str(installed.locate_file("")), cuda_release("\n".join(installed.requires or ()))))
    return tuple(found)


def _installed_in(tree: Tree) -> tuple[Package, ...]:
    found = []
    for path in (path for site in SITES for path in tree.glob(f"{site}/*.dist-info")):
        name, _, version = path.name.removesuffix(".dist-info").partition("-")
        if (name := name.replace("_", "-").lower()) in PACKAGES:
            found.append(Package(name, version, f"/{path.parent}", cuda_release(tree.text(path / "METADATA"))))
    return tuple(found)


def cuda_release(requirements: str) -> str:
    """From what the package's extra `cuda` requires, as `nvidia-cuda-runtime~=13.0`."""
    found = re.search(r"nvidia-cuda-runtime(?:-cu\d+)?\s*\(?[~=>]=\s*(\d{1,3})", requirements, re.ASCII)
    return found[1] if found else ""
