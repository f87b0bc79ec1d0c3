"""Where a figure was measured: processor, versions and commit, as facts for the report."""

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("triptych", "nvidia-pytriton", "openvino", "onnxruntime", "numpy", "pillow", "simplejpeg", "tritonclient", "fastapi", "uvicorn")
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16", "amx_int8", "amx_tile")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory in GiB, the matrix instructions it has, and what else was running (1-minute load)."""
    name, flags = _cpu()
    return {
        "cpu": name,
        "cores": usable_cores(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def describe_versions() -> dict[str, str]:
    """Versions of what takes part, and the commit; `+` behind it when files differ from it."""
    versions = {"python": platform.python_version(), "commit": _commit()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def usable_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0))


def has_amx(flags: Iterable[str]) -> bool:
    """Whether the processor multiplies bf16 matrices in hardware tiles, which the goals of the throughput rows assume."""
    return "amx_bf16" in flags


def _cpu() -> tuple[str, set[str]]:
    """Name and flags as /proc/cpuinfo gives them (x86: `model name`, `flags`; Arm: `Features`)."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    name = fields.get("model name") or platform.processor() or platform.machine()
    return name, set((fields.get("flags") or fields.get("Features") or "").split())


def _commit() -> str:
    def git(*arguments: str) -> str:
        folder = Path(__file__).parent
        return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # an installed package may lie inside somebody else's checkout
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
