"""How much can be computed at once."""

from __future__ import annotations

import os


def cpus() -> int:
    """CPUs that this process may use; those of the machine where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
