"""What the machine has."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def physical_memory() -> int:
    """Bytes of the machine's memory; where the system does not tell, those of a small one."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def free_memory() -> int:
    """Bytes of memory that this process may still take; where the system does not tell, all that there is."""
    return max(0, min(physical_memory(), *_free()))


def _free() -> Iterator[int]:
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
