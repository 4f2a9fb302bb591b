"""Builds the index before serving, in a subprocess, because building imports torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.cli.options import environment_of

if TYPE_CHECKING:
    from index.collections.addresses import Address

SOME_UNREADABLE = 3  # exit status of a build that could not read some files


def build_options(index: Path, collection: str, encoder: str | None, *, replace: bool) -> list[str]:
    """The build command's options."""
    options = ["--index", str(index), "--collection", collection, "--unreadable-status", str(SOME_UNREADABLE)]
    return [*options, *(["--encoder", encoder] if encoder else []), *(["--replace"] if replace else [])]


def make_default(index: Path, store: Address | None, program: Sequence[str]) -> None:
    """Create the default collection if it does not exist.

    In a subprocess too, because connections to a store would not survive the fork into several processes.
    """
    from index.storage.layout import Layout

    present = Layout(index).collections() if store is None else []
    if "default" in present:
        return
    status = subprocess.run(
        [*program, "collections", "make", "default", "--exist-ok", "--index", str(index)],
        check=False,
        stdout=subprocess.DEVNULL,
        env=environment_of(store),
    ).returncode
    if status and not present:
        sys.exit(status if status > 0 else 1)


def build_first(command: Sequence[str], store: Address | None) -> None:
    """Run the build; exit with its status unless there is something to serve."""
    status = subprocess.run(command, check=False, env=environment_of(store)).returncode
    if status == SOME_UNREADABLE:
        click.echo("Some files could not be read; serving the others.", err=True)
    elif status:
        sys.exit(status if status > 0 else 1)
