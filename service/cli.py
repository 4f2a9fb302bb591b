"""Commands that answer: serving, and one question in the terminal."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import click

from index.cli import collection_option, encoder_option, index_option, replace_option
from service.errors import NothingToServe

if TYPE_CHECKING:
    from service.answering import Answering
    from service.schema import AskRequest, AskResponse

F = TypeVar("F", bound=Callable[..., object])

SOME_UNREADABLE = 3  # what the build is told to end with where it could not read some files
ENVIRONMENT = """\
\b
Further environment variables:
  PINCITE_THREADS         threads that compute  [default: one for each core]
  PINCITE_WAITING         calls that may wait for them  [default: 256]
  PINCITE_MAX_BODY_BYTES  the largest body of a request  [default: 9000000]
  PINCITE_COMPACT_S       seconds between two times that deleted bytes leave the disk  [default: 60]
"""


def reader_option(command: F) -> F:
    return click.option(
        "--reader",
        envvar="PINCITE_READER",
        show_envvar=True,
        help="The folder of a reader that you trained, or 'untrained'.  [default: the packaged one]",
    )(command)


@click.command(name="serve", epilog=ENVIRONMENT)
@click.argument("sources", nargs=-1, type=click.Path(exists=True, path_type=Path))
@index_option
@collection_option
@encoder_option
@reader_option
@replace_option
@click.option(
    "--host", envvar="PINCITE_HOST", show_envvar=True, default="127.0.0.1", show_default=True, help="Listen here."
)
@click.option(
    "--port",
    envvar="PINCITE_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Listen here; 0 takes a free port.",
)
@click.option(
    "--allow-anonymous",
    envvar="PINCITE_ALLOW_ANONYMOUS",
    show_envvar=True,
    is_flag=True,
    help="Let anyone ask who can reach the service. Without it, it serves this machine alone.",
)
@click.pass_obj
def serve_command(
    program: Sequence[str],
    /,
    *,
    sources: tuple[Path, ...],
    index: Path,
    collection: str,
    encoder: str | None,
    reader: str | None,
    replace: bool,
    host: str,
    port: int,
    allow_anonymous: bool,
) -> None:
    """Serve an index over HTTP; with SOURCES, build or update it first. Where there is none, an empty one is made.

    Prints the address once the service answers. SIGTERM lets it finish the questions in flight and ends it with
    status 0.
    """
    from service.serving import address_of, bind, check_address, exit_on_sigterm, serve_on
    from service.settings import Settings

    settings = Settings.from_env(os.environ, allow_anonymous=allow_anonymous)
    check_address(host, allow_anonymous=allow_anonymous)
    exit_on_sigterm()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    bound = bind(host, port)
    if sources:
        options = build_options(index, collection, encoder, replace=replace)
        build_first([*program, "build", *options, "--", *map(str, sources)])

    from service.answering import Answering
    from service.app import create_app

    make_default(index, program)
    answering = Answering.open(index, encoder=encoder, reader=reader, collection=collection, program=program)
    answering.collections()  # opened now, so that no question waits for it
    if sources and not answering.searcher(collection).documents(None, 1):
        raise NothingToServe(collection=collection)
    serve_on(bound, create_app(answering, settings), lambda: click.echo(f"Pincite is ready at {address_of(bound)}"))


def build_options(index: Path, collection: str, encoder: str | None, *, replace: bool) -> list[str]:
    """The options for a build in a process of its own: it imports much that a service does not need."""
    options = ["--index", str(index), "--collection", collection, "--unreadable-status", str(SOME_UNREADABLE)]
    return [*options, *(["--encoder", encoder] if encoder else []), *(["--replace"] if replace else [])]


def make_default(index: Path, program: Sequence[str]) -> None:
    """There is always a default collection, though it may be empty. A process of its own makes it: it imports torch."""
    from index.layout import Layout

    present = Layout(index).collections()
    if "default" in present:
        return
    status = subprocess.run(
        [*program, "collections", "make", "default", "--index", str(index)], check=False, stdout=subprocess.DEVNULL
    ).returncode
    if status and not present:
        sys.exit(status if status > 0 else 1)


def build_first(command: Sequence[str]) -> None:
    """Run the build; exit as it does unless there is something to serve."""
    status = subprocess.run(command, check=False).returncode
    if status == SOME_UNREADABLE:
        click.echo("Some files could not be read; the rest is served.", err=True)
    elif status:
        sys.exit(status if status > 0 else 1)


@click.command(name="ask")
@click.argument("question")
@index_option
@collection_option
@encoder_option
@reader_option
@click.option(
    "--max-answers", envvar="PINCITE_MAX_ANSWERS", show_envvar=True, default=1, show_default=True, help="1 to 20."
)
@click.option(
    "--min-confidence",
    envvar="PINCITE_MIN_CONFIDENCE",
    show_envvar=True,
    type=float,
    help="0 to 1: abstain below.  [default: the index's own threshold]",
)
@click.option(
    "--passages",
    envvar="PINCITE_PASSAGES",
    show_envvar=True,
    default=3,
    show_default=True,
    help="0 to 50: passages to return as well.",
)
@click.option(
    "--source",
    "sources",
    envvar="PINCITE_SOURCE",
    show_envvar=True,
    multiple=True,
    help="Only these documents: a pattern such as 'news/**'; may be repeated.",
)
@click.option(
    "--json",
    "as_json",
    envvar="PINCITE_JSON",
    show_envvar=True,
    is_flag=True,
    help="Print the response of POST /v1/ask.",
)
def ask_command(
    *,
    question: str,
    index: Path,
    collection: str,
    encoder: str | None,
    reader: str | None,
    max_answers: int,
    min_confidence: float | None,
    passages: int,
    sources: tuple[str, ...],
    as_json: bool,
) -> None:
    """Answer QUESTION with a quotation from the documents."""
    from service.decoding import check
    from service.schema import AskRequest

    request = check(
        AskRequest(
            question=question,
            max_answers=max_answers,
            passages=passages,
            collection=collection,
            sources=list(sources) or None,
            min_confidence=min_confidence,
        )
    )

    from service.answering import Answering

    answering = Answering.open(index, encoder=encoder, reader=reader, collection=collection)
    try:
        show(answering, request, answering.ask(request, str(uuid4())), as_json=as_json)
    finally:
        answering.close()


def show(answering: Answering, request: AskRequest, response: AskResponse, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(response))
        return
    from rich.console import Console

    from service.printing import print_answers

    print_answers(response, answering.searcher(request.collection).text, Console(highlight=False))
