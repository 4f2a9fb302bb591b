"""Commands that list, create and drop collections. Heavy modules are imported where they are used."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.cli.options import encoder_option, index_option, store_option
from index.cli.printing import printable

if TYPE_CHECKING:
    from index.collections.addresses import Address


@click.group(name="collections")
def collections_command() -> None:
    """List, create and drop the collections of an index. The service may be running."""


@collections_command.command(name="list")
@store_option
@index_option
def list_collections(index: Path, store: Address | None) -> None:
    """List the collections with their encoders."""
    from index.backends import open_backend

    with closing(open_backend(index, store)) as backend:
        for name, documents, encoder in backend.listed():
            click.echo(f"{name}\t{documents} documents\t{printable(encoder)}")


@collections_command.command(name="make")
@click.argument("name")
@store_option
@index_option
@encoder_option
@click.option("--exist-ok", envvar="PINCITE_EXIST_OK", show_envvar=True, is_flag=True, help="Do nothing if it exists.")
def make_collection(name: str, index: Path, store: Address | None, encoder: str | None, exist_ok: bool) -> None:  # noqa: FBT001
    """Create the empty collection NAME."""
    from index.backends import open_backend

    with closing(open_backend(index, store)) as backend:
        if exist_ok and backend.has(name):
            backend.open(name, encoder).close()
            return
        backend.make(name, encoder)
    click.echo(f"Made: {name}")


@collections_command.command(name="drop")
@click.argument("name")
@store_option
@index_option
def drop_collection(name: str, index: Path, store: Address | None) -> None:
    """Drop the collection NAME with all its documents."""
    from index.backends import open_backend

    with closing(open_backend(index, store)) as backend:
        backend.drop(name)
    click.echo(f"Dropped: {name}")
