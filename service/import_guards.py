"""Blocks optional imports of libraries, so that the service starts in less than a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(module: str) -> Iterator[None]:
    """In this context, `module` cannot be imported, unless it is already loaded."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # what Python takes for "not to be found"
    try:
        yield
    finally:
        del sys.modules[module]
