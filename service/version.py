"""The version of Pincite: that of the installed package, told by the command, the API, its client and traces."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("pincite")
