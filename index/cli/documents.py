"""Commands that build an index, and list and delete its documents.

Heavy modules are imported where they are used, so that `--help` is fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.cli.options import (
    collection_option,
    encoder_option,
    encoding_option,
    index_option,
    replace_option,
    store_option,
)
from index.cli.printing import print_report, print_table, printable, progress_bar

if TYPE_CHECKING:
    from index.collections.addresses import Address
    from index.collections.build import Workers
    from index.collections.protocols import Searcher
    from index.types import Document

PAGE = 1000  # documents listed at a time
UNREADABLE = 1  # exit status if some files could not be read


@click.command(name="build")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@store_option
@index_option
@collection_option
@encoder_option
@replace_option
@encoding_option
@click.option(
    "--ray",
    envvar="PINCITE_RAY",
    show_envvar=True,
    metavar="ADDRESS",
    help="Prepare and encode on a Ray cluster: local:N for N processes here, auto for the one that this machine "
    "belongs to, or HOST:PORT.  [default: in this process]",
)
@click.option("--unreadable-status", hidden=True, default=UNREADABLE)
@click.pass_context
def build_command(
    context: click.Context,
    /,
    *,
    sources: tuple[Path, ...],
    index: Path,
    store: Address | None,
    collection: str,
    encoder: str | None,
    replace: bool,
    encoding: str | None,
    ray: str | None,
    unreadable_status: int,
) -> None:
    """Create or update an index from files and folders.

    Unchanged files are skipped. Unreadable files are listed at the end with the reason; all others are indexed, and the
    exit status is 1.
    """
    from index.backends import open_backend
    from index.collections.build import BuildOptions, build

    with (
        workers_at(ray) as workers,
        closing(open_backend(index, store)) as backend,
        progress_bar() as progress,
        backend.build_writer(collection, encoder) as writer,
    ):
        report = build(
            writer, sources, BuildOptions(replace=replace, encoding=encoding, workers=workers, progress=progress)
        )
    print_report(report)
    if report.failed:
        context.exit(unreadable_status)


def workers_at(address: str | None) -> AbstractContextManager[Workers | None]:
    if address is None:
        return nullcontext()
    from index.collections.ray_build import ray_workers

    return ray_workers(address)


@click.command(name="list")
@store_option
@index_option
@collection_option
def list_command(index: Path, store: Address | None, collection: str) -> None:
    """List the documents of an index.

    As a table on a terminal, otherwise as tab-separated lines.
    """
    from index.backends import open_backend

    with closing(open_backend(index, store)) as backend, closing(backend.open(collection)) as opened:
        documents = list(listed(opened.searcher()))
    rows = [
        (
            printable(each.source),
            str(each.sentences),
            str(each.bytes),
            each.encoding,
            printable(each.title),
            each.updated_at,
        )
        for each in documents
    ]
    print_table(("source", "sentences", "bytes", "encoding", "title", "updated"), rows)


@click.command(name="delete")
@click.argument("sources", nargs=-1, required=True)
@store_option
@index_option
@collection_option
def delete_command(sources: tuple[str, ...], index: Path, store: Address | None, collection: str) -> None:
    """Delete documents from an index, by the names that `pincite list` shows; all or nothing.

    The service may be running; no later answer cites them.
    """
    from index.backends import open_backend

    with closing(open_backend(index, store)) as backend:
        backend.delete(sources, collection)
    click.echo(f"Deleted: {len(sources)}")


def listed(searcher: Searcher) -> Iterator[Document]:
    """All documents, ordered by source."""
    after = None
    while page := searcher.documents(after, PAGE):
        yield from page
        after = page[-1].source
