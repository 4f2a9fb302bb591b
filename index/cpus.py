"""The number of available CPUs."""

from __future__ import annotations

import os


def cpus() -> int:
    """CPUs that this process may use; if the system does not say, those of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
