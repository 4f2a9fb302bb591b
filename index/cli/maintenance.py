"""Maintenance commands. Heavy modules are imported where they are used, so that `--help` is fast."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.cli.options import collection_name, index_option, store_option
from index.cli.printing import printable, progress_bar

if TYPE_CHECKING:
    from index.collections.addresses import Address
    from index.maintenance.checking import Checked

BACKUP = "Use Milvus's own tool: milvus-backup. Keys and exported encoders are in the folder of --index."


@click.command(name="check")
@store_option
@index_option
@click.option(
    "--collection",
    envvar="PINCITE_COLLECTION",
    show_envvar=True,
    callback=lambda context, parameter, name: name and collection_name(context, parameter, name),
    help="Only this collection.  [default: all]",
)
@click.option(
    "--repair",
    envvar="PINCITE_REPAIR",
    show_envvar=True,
    is_flag=True,
    help="Rebuild damaged derived files from the store, without encoding again.",
)
@click.option(
    "--save-to",
    envvar="PINCITE_SAVE_TO",
    show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the original files of all readable documents to this folder.",
)
@click.pass_context
def check_command(
    context: click.Context,
    /,
    *,
    index: Path,
    store: Address | None,
    collection: str | None,
    repair: bool,
    save_to: Path | None,
) -> None:
    """Check the data of an index; the exit status is 1 if there are problems.

    Checks documents against their hashes, sentences, passages and vectors against the documents, and the search indexes
    against the store. The service may be running.
    """
    from index.backends import open_backend

    if save_to is not None:
        only_in_folder(store, "check --save-to", "GET /v1/files/SOURCE returns the file of a document.")
    with closing(open_backend(index, store)) as backend, progress_bar() as progress:
        checked = backend.check(collection, repair=repair, progress=progress)
    for each in checked:
        tell(each)
    if save_to is not None:
        save(index, [each.collection for each in checked], save_to)
    if any(each.findings for each in checked):
        context.exit(1)


def only_in_folder(store: Address | None, command: str, way: str) -> None:
    """Raise OnlyInFolder if --store is given."""
    from index.errors import OnlyInFolder

    if store is not None:
        raise OnlyInFolder(command=command, way=way)


def tell(checked: Checked) -> None:
    """Print counts to standard output, and problems with their remedies to standard error."""
    state = f"{len(checked.findings)} findings" if checked.findings else "no problems"
    counts = f"{checked.documents} documents, {checked.passages} passages"
    click.echo(f"{checked.collection}: {counts}, {state}.{dense_search(checked)}")
    for finding in checked.findings:
        click.echo(f"  {printable(finding.where)}: {printable(finding.what)}", err=True)
    for remedy in dict.fromkeys(finding.remedy for finding in checked.findings):
        click.echo(f"  {remedy}", err=True)


def dense_search(checked: Checked) -> str:
    dense = checked.dense
    if dense is None:
        return ""
    if dense.graph:
        return f" Dense search has a recall@10 of {dense.recall:.3f}."
    if not dense.lists:
        return " Dense search is exact."
    return f" Dense search has a recall@10 of {dense.recall:.3f}, probing {dense.probed} of {dense.lists} lists."


def save(index: Path, collections: list[str], folder: Path) -> None:
    from index.maintenance.salvage import salvage
    from index.storage.layout import Layout

    for name in collections:
        saved, lost = salvage(Layout(index).collection(name).store, folder / name)
        click.echo(f"{name}: {len(saved)} documents written to {folder / name}, {lost} could not be read.")


@click.command(name="backup")
@click.argument("folder", type=click.Path(path_type=Path))
@store_option
@index_option
def backup_command(folder: Path, index: Path, store: Address | None) -> None:
    """Back up an index to FOLDER, including uploads and encoders. The service may be running."""
    from index.maintenance.backup import backup

    only_in_folder(store, "backup", BACKUP)
    with progress_bar() as progress:
        names = backup(index, folder, progress)
    click.echo(f"Copied to {folder}: {', '.join(names)}")


@click.command(name="restore")
@click.argument("backup", type=click.Path(exists=True, file_okay=False, path_type=Path))
@store_option
@index_option
def restore_command(backup: Path, index: Path, store: Address | None) -> None:
    """Restore an index from BACKUP, a folder written by `pincite backup`, after checking it."""
    from index.maintenance.backup import restore

    only_in_folder(store, "restore", BACKUP)
    with progress_bar() as progress:
        checked = restore(backup, index, progress)
    for each in checked:
        tell(each)
