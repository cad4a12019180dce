"""What the machine is and has."""

import ctypes
import os
import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

WINDOWS = os.name == "nt"
"""Whether what POSIX systems do with files, signals and process groups is not to be had."""
_GROUP = Path("/sys/fs/cgroup")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class _WindowsMemory(ctypes.Structure):
    """``MEMORYSTATUSEX``, as ``GlobalMemoryStatusEx`` fills it; bytes."""

    _fields_ = [
        ("length", ctypes.c_uint32),
        ("percent_used", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "free", "total_page", "free_page", "total_virtual")),
        ("free_virtual", ctypes.c_uint64),
        ("free_extended", ctypes.c_uint64),
    ]


def machine_facts() -> dict[str, str | None]:
    """What tells this machine from others: its name as ``host``, and ``boot``, which no other start of one has.

    Machines may be of one name, as containers often are. ``boot`` is None where the system is not Linux.
    """
    try:
        boot = _BOOT.read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        boot = None
    return {"host": platform.node(), "boot": boot}


def usable_cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def physical_memory() -> int:
    """Bytes of the machine's memory; where the system does not tell, those of a small one."""
    try:
        return int(_windows_memory().total) if WINDOWS else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def free_memory() -> int:
    """Bytes of memory that this process may still take; where the system does not tell, all that there is."""
    return max(0, min(physical_memory(), *_free()))


def _windows_memory() -> _WindowsMemory:
    memory = _WindowsMemory(length=ctypes.sizeof(_WindowsMemory))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(memory)):  # type: ignore[attr-defined]
        raise OSError("the system does not tell its memory")
    return memory


def _free() -> Iterator[int]:
    if WINDOWS:
        with suppress(AttributeError, OSError):
            yield int(_windows_memory().free)
    with suppress(OSError, ValueError, TypeError):
        found = re.search(r"^MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
        yield int(found[1]) * 1024 if found else physical_memory()
    with suppress(OSError, ValueError):
        # A container's share; "max" where it has no bound.
        most = int((_GROUP / "memory.max").read_text(encoding="ascii"))
        yield most - int((_GROUP / "memory.current").read_text(encoding="ascii"))
    with suppress(ImportError, OSError, ValueError):
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        if most != resource.RLIM_INFINITY:
            yield most - pages * os.sysconf("SC_PAGE_SIZE")
