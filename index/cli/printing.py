"""Output of commands: progress, reports, tables, and document text without terminal control characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from index.collections.build import BuildReport, Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar per stage on a terminal, otherwise nothing."""
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
    """Print what was built, and list the guessed encodings, the skipped links and the files that could not be read."""
    changes = f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, {report.removed} removed"
    click.echo(f"Documents: {report.documents} ({changes}). Passages: {report.passages}. Version: {report.version}.")
    if report.guessed:
        click.echo(f"Encoding guessed (--encoding NAME says which it is): {len(report.guessed)}", err=True)
    for source, encoding in report.guessed:
        click.echo(f"  {printable(source)}: {encoding}", err=True)
    if report.skipped:
        click.echo(f"Links not followed, to folders, out of the folder or to no file: {len(report.skipped)}", err=True)
    for source in report.skipped:
        click.echo(f"  {printable(source)}", err=True)
    if report.failed:
        click.echo(f"Could not be read: {len(report.failed)}", err=True)
    for error in report.failed:
        click.echo(f"  {printable(str(error))}", err=True)


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
    r"""`text` without control characters; line breaks and tabs become spaces. The length stays the same.

    >>> printable("a\nb\x1b[2J")
    'a b�[2J'
    """
    return "".join(_printable(character) for character in text)


def _printable(character: str) -> str:
    if character in "\t\n\r\v\f\u2028\u2029":
        return " "
    return "\ufffd" if ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 else character
