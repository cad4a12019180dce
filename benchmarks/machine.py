"""On what a benchmark ran."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

# How a processor without AVX-512 computes, on one that has it. TensorFlow takes oneDNN by itself only where the
# processor has AVX-512, and heeds no limit in that.
AS_AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "TF_ENABLE_ONEDNN_OPTS": "0"}

_TELLING = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16", "sve")


def usable_cores() -> int:
    """The processor cores that this process may use; here, too, where cnnlab is not installed."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> dict[str, Any]:
    """Processor, cores, memory, system, and how busy it was; the graphics card where one answers."""
    processor = _cpuinfo()
    flags = processor.get("flags", processor.get("Features", "")).split()
    return {
        "processor": processor.get("model name") or platform.processor() or platform.machine(),
        "family": "/".join(processor[key] for key in ("cpu family", "model") if key in processor) or None,
        "cores": usable_cores(),
        "flags": [flag for flag in _TELLING if flag in flags],
        "memory_gib": _memory(),
        "system": platform.platform(terse=True),
        "accelerator": _accelerator(),
        "load_at_start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def versions(*names: str) -> dict[str, str]:
    """Of the distributions that are installed."""
    there = {name: list(importlib.metadata.distributions(name=name)) for name in names}
    return {name: found[0].version for name, found in there.items() if found}


def kind(machine: dict[str, Any], like: str | None = None) -> str:
    """The kind of processor that a result stands for: ``avx512-bf16``, ``avx512``, ``avx2`` or its architecture.

    :param like: the kind that is imitated, if one is.
    """
    if like:
        return like
    flags = set(machine["flags"])
    if "avx512_bf16" in flags:
        return "avx512-bf16"
    return next((name for flag, name in (("avx512f", "avx512"), ("avx2", "avx2")) if flag in flags), platform.machine())


def sentence(machine: dict[str, Any]) -> str:
    """The machine in one line."""
    family = f" (family/model {machine['family']})" if machine["family"] else ""
    extras = [f"{machine['cores']} cores", *machine["flags"], machine["accelerator"]]
    memory = f"{machine['memory_gib']} GiB memory" if machine["memory_gib"] else None
    rest = ", ".join(part for part in (*extras, memory, machine["system"]) if part)
    return f"{machine['processor']}{family}, {rest}; load before the start {machine['load_at_start']:.1f}"


def _cpuinfo() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError, AttributeError):
        return None


def _accelerator() -> str | None:
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None
