"""Commands that make and list an index. Heavy modules are imported where they are used, so that `--help` is quick."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from index.collections.addresses import Address
    from index.collections.build import BuildReport, Progress, Workers
    from index.collections.protocols import Searcher
    from index.types import Document

F = TypeVar("F", bound=Callable[..., object])

LOCAL = Path(".pincite")  # beside a store
PAGE = 1000  # documents listed at a time
UNREADABLE = 1  # exit status where some files could not be read


def index_option(command: F) -> F:
    return click.option(
        "--index",
        envvar="PINCITE_INDEX",
        show_envvar=True,
        type=click.Path(file_okay=False, path_type=Path),
        callback=folder,
        help="The folder of the index; with --store, of what stays on this machine: keys, exported encoders, a "
        "calibration.  [required; with --store: .pincite]",
    )(command)


def folder(context: click.Context, parameter: click.Parameter, given: Path | None) -> Path:
    if given is None and not (context.params.get("store") or os.environ.get("PINCITE_STORE")):
        raise click.MissingParameter(ctx=context, param=parameter)
    return given or LOCAL


def store_option(command: F) -> F:
    return click.option(
        "--store",
        envvar="PINCITE_STORE",
        show_envvar=True,
        is_eager=True,
        metavar="URL",
        callback=lambda _context, _parameter, given: given and address(given),
        help="Keep collections in Milvus instead of the folder: milvus+http://HOST:19530/DATABASE, milvus+https://…, "
        "or milvus+file:PATH for the engine in process. Its password or token: PINCITE_STORE_TOKEN.",
    )(command)


def address(given: str) -> Address:
    """Raises BadStore."""
    from index.collections.addresses import Address

    return Address.read(given, os.environ.get("PINCITE_STORE_TOKEN", ""))


def environment_of(store: Address | None) -> dict[str, str]:
    """For a process of our own: an address may hold a secret, and arguments can be seen by all."""
    return os.environ | ({"PINCITE_STORE": store.text, "PINCITE_STORE_TOKEN": store.secret} if store else {})


def collection_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    """A collection is a folder of the index, so its name must not lead out of it."""
    if not re.fullmatch(r"[a-z0-9-]{1,64}", name):
        raise click.BadParameter("1 to 64 lower-case letters, digits and hyphens.")
    return name


def collection_option(command: F) -> F:
    return click.option(
        "--collection",
        envvar="PINCITE_COLLECTION",
        show_envvar=True,
        default="default",
        show_default=True,
        callback=collection_name,
        help="The collection of documents.",
    )(command)


def encoder_option(command: F) -> F:
    return click.option(
        "--encoder",
        envvar="PINCITE_ENCODER",
        show_envvar=True,
        help="The encoder model, by name or folder.  [default: the index's own, or the packaged one]",
    )(command)


def replace_option(command: F) -> F:
    return click.option(
        "--replace",
        envvar="PINCITE_REPLACE",
        show_envvar=True,
        is_flag=True,
        help="Overwrite uploaded documents of the same name.",
    )(command)


@click.command(name="build")
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@store_option
@index_option
@collection_option
@encoder_option
@replace_option
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
    ray: str | None,
    unreadable_status: int,
) -> None:
    """Make or update an index from files and folders.

    Unchanged files cost nothing. A file that cannot be read is named at the end, with the reason; the rest is
    built, and the exit status is 1.
    """
    from index.backends import open_backend
    from index.collections.build import BuildOptions, build

    with (
        workers_at(ray) as workers,
        closing(open_backend(index, store)) as backend,
        progress_bar() as progress,
        backend.build_writer(collection, encoder) as writer,
    ):
        report = build(writer, sources, BuildOptions(replace=replace, workers=workers, progress=progress))
    print_report(report)
    if report.failed:
        context.exit(unreadable_status)


def workers_at(address: str | None) -> AbstractContextManager[Workers | None]:
    if address is None:
        return nullcontext()
    from index.collections.ray_build import ray_workers

    return ray_workers(address)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar for each stage on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage.capitalize(), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def print_report(report: BuildReport) -> None:
    """What was built, and by name what could not be."""
    changes = f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {report.removed} removed"
    click.echo(f"Documents: {report.documents} ({changes}). Passages: {report.passages}. Version: {report.version}.")
    if report.failed:
        click.echo(f"Could not be read: {len(report.failed)}", err=True)
    for error in report.failed:
        click.echo(f"  {printable(str(error))}", err=True)


@click.command(name="list")
@store_option
@index_option
@collection_option
def list_command(index: Path, store: Address | None, collection: str) -> None:
    """List the documents of an index.

    On a terminal as a table, elsewhere as lines with tabs between the values.
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
    """Take documents out of an index, by the names that `pincite list` shows: all of them, or none.

    The index may be served meanwhile: no later answer cites them.
    """
    from index.backends import open_backend

    with closing(open_backend(index, store)) as backend:
        backend.delete(sources, collection)
    click.echo(f"Deleted: {len(sources)}")


def listed(searcher: Searcher) -> Iterator[Document]:
    """All documents, by source."""
    after = None
    while page := searcher.documents(after, PAGE):
        yield from page
        after = page[-1].source


def print_table(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        for row in (names, *rows):
            click.echo("\t".join(row))
        return
    table = Table()
    for name in names:
        table.add_column(name, overflow="fold", justify="right" if name in ("sentences", "bytes") else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def printable(text: str) -> str:
    r"""`text` with spaces for line breaks and tabs, and nothing in it that could command a terminal. As long as before.

    >>> printable("a\nb\x1b[2J")
    'a b�[2J'
    """
    return "".join(_printable(character) for character in text)


def _printable(character: str) -> str:
    if character in "\t\n\r\v\f\u2028\u2029":
        return " "
    return "\ufffd" if ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 else character
