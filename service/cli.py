"""Commands that answer: serving, and one question in the terminal."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar
from uuid import uuid4

import click

from index.cli import collection_option, encoder_option, environment_of, index_option, replace_option, store_option
from service.errors import NothingToServe
from service.issuing import keyring

if TYPE_CHECKING:
    from index.addresses import Address
    from service.answering import Answering
    from service.choosing import Chooser
    from service.schema import AskRequest, AskResponse
    from service.settings import ChooserSettings, Settings

F = TypeVar("F", bound=Callable[..., object])

SOME_UNREADABLE = 3  # what the build is told to end with where it could not read some files
ENVIRONMENT = """\
\b
Further environment variables:
  PINCITE_THREADS             passages read at the same time  [default: one for each core, shared by --processes]
  PINCITE_WAITING             questions that may wait to be answered  [default: 256]
  PINCITE_CACHE_BYTES         answers kept for when they are asked for again; 0 keeps none  [default: 32000000]
  PINCITE_COMPACT_S           seconds between two times that deleted bytes leave the disk  [default: 60]
\b
For the language model of --chooser:
  PINCITE_CHOOSER_KEY         its key, if it wants one; sent as a bearer token
  PINCITE_CHOOSER_TIMEOUT     seconds for its reply; after that the answer goes without  [default: 10]
  PINCITE_CHOOSER_TOKENS      tokens (cl100k_base) of the sentences that it is shown  [default: 2000]
  PINCITE_CHOOSER_SENTENCES   sentences of an answer at most, with the reader's own  [default: 3]
  PINCITE_CHOOSER_FLOOR       confidence that the reader must have in each, 0 to 1  [default: 0.01]
\b
Limits; what is beyond them is answered with an error that names the limit:
  PINCITE_MAX_QUESTION        characters of a question  [default and most: 2000]
  PINCITE_MAX_BATCH           questions of a batch  [default and most: 1000]
  PINCITE_MAX_BODY_BYTES      bytes of a body that is no document  [default: 9000000]
  PINCITE_MAX_DOCUMENT_BYTES  bytes of an uploaded document  [default and most: 64000000]
  PINCITE_MAX_UPLOADS         uploads at the same time  [default: 16]
  PINCITE_MAX_CONNECTIONS     open connections  [default: 500]
  PINCITE_MAX_HEADER_BYTES    bytes of a request line and its headers  [default: 16384]
  PINCITE_MAX_HEADERS         headers of a request  [default: 100]
  PINCITE_HEADER_TIMEOUT      seconds for these to come  [default: 10]
  PINCITE_BODY_TIMEOUT        seconds for a body, and one for each further KiB  [default: 20]
  PINCITE_IDLE_TIMEOUT        seconds between two requests of a connection  [default: 10]
"""


def reader_option(command: F) -> F:
    return click.option(
        "--reader",
        envvar="PINCITE_READER",
        show_envvar=True,
        help="The folder of a reader that you trained, or 'untrained'.  [default: the packaged one]",
    )(command)


def chooser_options(command: F) -> F:
    """A language model that may choose sentences, of an endpoint that speaks as OpenAI's does."""
    url = click.option(
        "--chooser",
        envvar="PINCITE_CHOOSER",
        show_envvar=True,
        metavar="URL",
        help="Let a language model choose, by numbers alone, the sentences of an answer that needs several: its "
        "OpenAI-compatible endpoint, such as http://127.0.0.1:8080/v1. PINCITE_CHOOSER_KEY holds its key.  "
        "[default: none]",
    )
    model = click.option(
        "--chooser-model", envvar="PINCITE_CHOOSER_MODEL", show_envvar=True, metavar="NAME", help="Its name there."
    )
    return url(model(command))


@click.command(name="serve", epilog=ENVIRONMENT)
@click.argument("sources", nargs=-1, type=click.Path(exists=True, path_type=Path))
@store_option
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
    help="Let anyone ask and read who can reach the service; anything else takes a key, once there is one.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    envvar="PINCITE_CORS_ORIGIN",
    show_envvar=True,
    multiple=True,
    help="Let pages of this origin use the service, such as https://example.com; may be repeated.",
)
@click.option(
    "--rate-limit",
    envvar="PINCITE_RATE_LIMIT",
    show_envvar=True,
    help="Requests of each key, such as 600/minute.  [default: any]",
)
@click.option(
    "--address-limit",
    envvar="PINCITE_ADDRESS_LIMIT",
    show_envvar=True,
    help="Requests of each address without a key, with a bad one, or with a token of a page.  [default: any]",
)
@click.option(
    "--processes",
    envvar="PINCITE_PROCESSES",
    show_envvar=True,
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Serve in so many processes that share the index.",
)
@click.option(
    "--device",
    envvar="PINCITE_DEVICE",
    show_envvar=True,
    help="Read on a GPU, many pairs of like length at once: a device of torch's, such as cuda.  [default: the CPU]",
)
@click.option(
    "--log-format",
    envvar="PINCITE_LOG_FORMAT",
    show_envvar=True,
    type=click.Choice(["console", "json"]),
    default="console",
    show_default=True,
    help="How the log is written to the standard error.",
)
@click.option(
    "--otlp",
    envvar="PINCITE_OTLP",
    show_envvar=True,
    metavar="URL",
    help="Send traces to this OTLP/HTTP collector, such as http://127.0.0.1:4318.  [default: none]",
)
@chooser_options
@click.pass_obj
def serve_command(
    program: Sequence[str],
    /,
    *,
    sources: tuple[Path, ...],
    index: Path,
    store: Address | None,
    collection: str,
    encoder: str | None,
    reader: str | None,
    replace: bool,
    host: str,
    port: int,
    allow_anonymous: bool,
    processes: int,
    cors_origins: tuple[str, ...],
    rate_limit: str | None,
    address_limit: str | None,
    device: str | None,
    log_format: Literal["console", "json"],
    otlp: str | None,
    chooser: str | None,
    chooser_model: str | None,
) -> None:
    """Serve an index over HTTP; with SOURCES, build or update it first. Where there is none, an empty one is made.

    Without keys (see `pincite keys`), it serves this machine alone.

    Prints the address once the service answers. SIGTERM lets it finish the questions in flight and ends it with
    status 0.
    """
    from service.logs import configure_logs
    from service.processes import in_processes
    from service.serving import address_of, bind, check_address, exit_on_sigterm, serve_on
    from service.settings import Settings

    settings = Settings.from_env(
        os.environ,
        allow_anonymous=allow_anonymous,
        processes=processes,
        cors_origins=cors_origins,
        rate_limit=rate_limit,
        address_limit=address_limit,
        otlp=otlp,
        chooser=chooser,
        chooser_model=chooser_model,
    )
    keys = keyring(index)
    keys.listed()  # read now, so that damaged ones are heard of
    check_address(host, allow_anonymous=allow_anonymous or keys.configured)
    exit_on_sigterm()
    configure_logs(log_format)
    bound = bind(host, port)
    if sources:
        options = build_options(index, collection, encoder, replace=replace)
        build_first([*program, "build", *options, "--", *map(str, sources)], store)
    make_default(index, store, program)
    told = f"Pincite is ready at {address_of(bound)}\n{who_may_ask(keys=keys.configured, anonymous=allow_anonymous)}"
    announce: Callable[[], None] = partial(click.echo, told)
    if processes > 1:
        announce = in_processes(processes, announce)

    from service.answering import Answering
    from service.app import create_app

    answering = Answering.open(
        index,
        store=store,
        encoder=encoder,
        reader=reader,
        collection=collection,
        program=program,
        threads=settings.threads,
        device=device,
        cache_bytes=settings.cache_bytes,
        chooser=opened(settings.chooser),
    )
    answering.collections()  # opened now, so that no question waits for it
    if sources and not answering.searcher(collection).documents(None, 1):
        raise NothingToServe(collection=collection)

    def tell() -> None:
        log_ready(answering, settings, address_of(bound))
        announce()

    serve_on(bound, create_app(answering, settings), settings.connection, tell)


def opened(settings: ChooserSettings | None) -> Chooser | None:
    if settings is None:
        return None
    from service.choosing import Chooser
    from service.settings import chooser_key

    return Chooser.open(settings, chooser_key(os.environ))


def who_may_ask(*, keys: bool, anonymous: bool) -> str:
    if keys:
        return "Asking and reading is free to all; the rest needs a key." if anonymous else "Every call needs a key."
    return (
        "Anyone may do everything who can reach it."
        if anonymous
        else "There are no keys: it serves this machine alone."
    )


def log_ready(answering: Answering, settings: Settings, address: str) -> None:
    served = answering.collections()
    holding = {"documents": sum(each.documents for each in served), "passages": sum(each.passages for each in served)}
    facts = {"address": address, "collections": len(served), **holding, "threads": settings.threads}
    logging.getLogger("pincite").info("ready", extra=facts)


def build_options(index: Path, collection: str, encoder: str | None, *, replace: bool) -> list[str]:
    """The options for a build in a process of its own: it imports much that a service does not need."""
    options = ["--index", str(index), "--collection", collection, "--unreadable-status", str(SOME_UNREADABLE)]
    return [*options, *(["--encoder", encoder] if encoder else []), *(["--replace"] if replace else [])]


def make_default(index: Path, store: Address | None, program: Sequence[str]) -> None:
    """There is always a default collection, though it may be empty. A process of its own makes it: it imports torch.

    What is open to a store would not survive the fork into several processes either.
    """
    from index.layout import Layout

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
    """Run the build; exit as it does unless there is something to serve."""
    status = subprocess.run(command, check=False, env=environment_of(store)).returncode
    if status == SOME_UNREADABLE:
        click.echo("Some files could not be read; the rest is served.", err=True)
    elif status:
        sys.exit(status if status > 0 else 1)


@click.command(name="ask")
@click.argument("question")
@store_option
@index_option
@collection_option
@encoder_option
@reader_option
@chooser_options
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
    store: Address | None,
    collection: str,
    encoder: str | None,
    reader: str | None,
    chooser: str | None,
    chooser_model: str | None,
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
    from service.settings import chooser_settings

    chosen = opened(chooser_settings(os.environ, chooser, chooser_model))
    answering = Answering.open(
        index, store=store, encoder=encoder, reader=reader, collection=collection, chooser=chosen
    )
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
