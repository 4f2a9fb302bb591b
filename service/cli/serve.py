"""The command that serves."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from index.cli.options import collection_option, encoder_option, index_option, replace_option, store_option
from service.cli.first_build import build_first, build_options, make_default
from service.cli.keys import WAY_BACK, keyring
from service.cli.options import chooser_options, opened, reader_option
from service.errors import NothingToServe

if TYPE_CHECKING:
    from index.collections.addresses import Address
    from service.answering.answering import Answering
    from service.auth.keys import Keyring
    from service.settings import Settings

ENVIRONMENT = """\
\b
Further environment variables:
  PINCITE_THREADS             passages read at the same time  [default: the number of cores, shared by --processes]
  PINCITE_WAITING             questions that may wait in the queue  [default: 256]
  PINCITE_CACHE_BYTES         size of the answer cache; 0 disables it  [default: 32000000]
  PINCITE_COMPACT_S           seconds between compactions, which erase deleted documents  [default: 60]
\b
For the language model of --chooser:
  PINCITE_CHOOSER_KEY         API key, if it needs one; sent as a bearer token
  PINCITE_CHOOSER_TIMEOUT     seconds to wait for its reply  [default: 10]
  PINCITE_CHOOSER_TOKENS      tokens (cl100k_base) of the sentences in the prompt  [default: 2000]
  PINCITE_CHOOSER_SENTENCES   maximum sentences of an answer, including the reader's own  [default: 3]
  PINCITE_CHOOSER_FLOOR       minimum reader confidence of each sentence, 0 to 1  [default: 0.01]
\b
Limits; a request that exceeds one gets an error that names it:
  PINCITE_MAX_QUESTION        characters of a question  [default and most: 2000]
  PINCITE_MAX_BATCH           questions of a batch  [default and most: 1000]
  PINCITE_MAX_BODY_BYTES      bytes of a request body other than a document   [default: 9000000]
  PINCITE_MAX_DOCUMENT_BYTES  bytes of an uploaded document  [default and most: 64000000]
  PINCITE_MAX_UPLOADS         uploads at the same time  [default: 16]
  PINCITE_MAX_CONNECTIONS     open connections  [default: 500]
  PINCITE_MAX_HEADER_BYTES    bytes of a request line and its headers  [default: 16384]
  PINCITE_MAX_HEADERS         headers of a request  [default: 100]
  PINCITE_HEADER_TIMEOUT      seconds to receive them   [default: 10]
  PINCITE_BODY_TIMEOUT        seconds to receive a body, plus one per further KiB   [default: 20]
  PINCITE_IDLE_TIMEOUT        seconds a connection may be idle between requests   [default: 10]
"""


@click.command(name="serve", epilog=ENVIRONMENT)
@click.argument("sources", nargs=-1, type=click.Path(exists=True, path_type=Path))
@store_option
@index_option
@collection_option
@encoder_option
@reader_option
@replace_option
@click.option(
    "--host", envvar="PINCITE_HOST", show_envvar=True, default="127.0.0.1", show_default=True, help="The address."
)
@click.option(
    "--port",
    envvar="PINCITE_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port; 0 takes a free one.",
)
@click.option(
    "--allow-anonymous",
    envvar="PINCITE_ALLOW_ANONYMOUS",
    show_envvar=True,
    is_flag=True,
    help="Let anyone who can reach the service ask and read without a key. Writing needs a key.",
)
@click.option(
    "--allow-anonymous-writes",
    envvar="PINCITE_ALLOW_ANONYMOUS_WRITES",
    show_envvar=True,
    is_flag=True,
    help="Let anyone who can reach the service do everything without a key, also delete documents and collections.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    envvar="PINCITE_CORS_ORIGIN",
    show_envvar=True,
    multiple=True,
    help="Allow pages of this origin to use the service, such as https://example.com; repeatable.",
)
@click.option(
    "--rate-limit",
    envvar="PINCITE_RATE_LIMIT",
    show_envvar=True,
    help="Rate limit per key, such as 600/minute.  [default: none]",
)
@click.option(
    "--address-limit",
    envvar="PINCITE_ADDRESS_LIMIT",
    show_envvar=True,
    help="Rate limit per address for requests without a valid key or with a page token.  [default: none]",
)
@click.option(
    "--processes",
    envvar="PINCITE_PROCESSES",
    show_envvar=True,
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="The number of processes; they share the index.",
)
@click.option(
    "--device",
    envvar="PINCITE_DEVICE",
    show_envvar=True,
    help="Run the reader on a GPU in batches: a torch device such as cuda.  [default: the CPU]",
)
@click.option(
    "--log-format",
    envvar="PINCITE_LOG_FORMAT",
    show_envvar=True,
    type=click.Choice(["console", "json"]),
    default="console",
    show_default=True,
    help="The format of the log on standard error.",
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
    allow_anonymous_writes: bool,
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
    """Serve an index over HTTP; with SOURCES, build or update it first. Without an index, create an empty one.

    Without keys (see `pincite keys`), it answers requests from this machine only.

    Prints the address when it is ready. On SIGTERM, it finishes the requests in flight and exits with
    status 0.
    """
    from service.server.processes import in_processes
    from service.server.serving import address_of, bind, check_address, exit_on_sigterm, serve_on
    from service.settings import Settings
    from service.telemetry.logs import configure_logs

    settings = Settings.from_env(
        os.environ,
        allow_anonymous=allow_anonymous,
        allow_anonymous_writes=allow_anonymous_writes,
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
    check_address(host, allow_anonymous=settings.allow_anonymous or keys.configured)
    exit_on_sigterm()
    configure_logs(log_format)
    bound = bind(host, port)
    if sources:
        options = build_options(index, collection, encoder, replace=replace)
        build_first([*program, "build", *options, "--", *map(str, sources)], store)
    make_default(index, store, program)
    message = f"Pincite is ready at {address_of(bound)}\n{who_may_ask(keys, settings)}"
    announce: Callable[[], None] = partial(click.echo, message)
    if processes > 1:
        announce = in_processes(processes, announce)

    from service.answering.answering import Answering
    from service.http.app import create_app

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


def who_may_ask(keys: Keyring, settings: Settings) -> str:
    if settings.allow_anonymous_writes:
        return "Anyone who can reach it may ask, read and write."
    if settings.allow_anonymous:
        return "Anyone who can reach it may ask and read. Writing needs a key."
    if not keys.configured:
        return "There are no keys, so it serves this machine only."
    if keys.usable():
        return "Every call needs a key."
    return f"Every call needs a key, and none is left. {WAY_BACK}"


def log_ready(answering: Answering, settings: Settings, address: str) -> None:
    served = answering.collections()
    holding = {"documents": sum(each.documents for each in served), "passages": sum(each.passages for each in served)}
    facts = {"address": address, "collections": len(served), **holding, "threads": settings.threads}
    logging.getLogger("pincite").info("ready", extra=facts)
