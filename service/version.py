"""The version of the installed package, for the command line, the API, the client and traces."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("pincite")
