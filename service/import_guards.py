"""Libraries that load others where they find them, kept from it: the service starts in less than a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(module: str) -> Iterator[None]:
    """Within, nobody can import `module`, unless it is loaded already."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # what Python takes for "not to be found"
    try:
        yield
    finally:
        del sys.modules[module]
