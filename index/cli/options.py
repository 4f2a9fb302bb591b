"""Options shared by several commands."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from index.collections.addresses import Address

F = TypeVar("F", bound=Callable[..., object])

LOCAL = Path(".pincite")  # beside a store


def index_option(command: F) -> F:
    return click.option(
        "--index",
        envvar="PINCITE_INDEX",
        show_envvar=True,
        type=click.Path(file_okay=False, path_type=Path),
        callback=folder,
        help="The index folder; with --store, the folder for what stays on this machine: keys, exported encoders, a "
        "calibration.  [required; with --store: .pincite]",
    )(command)


def folder(context: click.Context, parameter: click.Parameter, path: Path | None) -> Path:
    if path is None and not (context.params.get("store") or os.environ.get("PINCITE_STORE")):
        raise click.MissingParameter(ctx=context, param=parameter)
    return path or LOCAL


def store_option(command: F) -> F:
    return click.option(
        "--store",
        envvar="PINCITE_STORE",
        show_envvar=True,
        is_eager=True,
        metavar="URL",
        callback=lambda _context, _parameter, value: value and address(value),
        help="Keep collections in Milvus instead of the folder: milvus+http://HOST:19530/DATABASE, milvus+https://…, "
        "or milvus+file:PATH for the engine in process. Its password or token: PINCITE_STORE_TOKEN.",
    )(command)


def address(text: str) -> Address:
    """Raises BadStore."""
    from index.collections.addresses import Address

    return Address.read(text, os.environ.get("PINCITE_STORE_TOKEN", ""))


def environment_of(store: Address | None) -> dict[str, str]:
    """Settings for a subprocess, passed as environment variables, because arguments are visible to all users."""
    return os.environ | ({"PINCITE_STORE": store.text, "PINCITE_STORE_TOKEN": store.secret} if store else {})


def collection_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    """Validate the name: a collection is a folder of the index, and must not lead out of it."""
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
        help="The collection.",
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
        help="Overwrite uploaded documents with the same name.",
    )(command)


def encoding_option(command: F) -> F:
    return click.option(
        "--encoding",
        envvar="PINCITE_ENCODING",
        show_envvar=True,
        metavar="NAME",
        callback=lambda _context, _parameter, name: name and text_encoding(name),
        help="The encoding of all text files, such as windows-1252, whatever they declare.  [default: what a file "
        "declares, else UTF-8, else a guess, which is reported]",
    )(command)


def text_encoding(name: str) -> str:
    """Raises click.BadParameter unless files can be read in it."""
    from index.errors import DocumentError
    from index.text.decoding import canonical

    try:
        canonical(name, "--encoding")
    except DocumentError as error:
        raise click.BadParameter(str(error).removeprefix("--encoding: ")) from error
    return name
