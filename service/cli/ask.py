"""The command that answers one question in the terminal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from index.cli.options import collection_option, encoder_option, index_option, store_option
from service.cli.options import chooser_options, opened, reader_option

if TYPE_CHECKING:
    from index.collections.addresses import Address
    from service.answering.answering import Answering
    from service.schema import AskRequest, AskResponse


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
    help="0 to 1; abstain below it.  [default: the threshold of the index]",
)
@click.option(
    "--passages",
    envvar="PINCITE_PASSAGES",
    show_envvar=True,
    default=3,
    show_default=True,
    help="0 to 50; passages to return as well.",
)
@click.option(
    "--source",
    "sources",
    envvar="PINCITE_SOURCE",
    show_envvar=True,
    multiple=True,
    help="Only these documents: a glob pattern such as 'news/**'; repeatable.",
)
@click.option(
    "--json",
    "as_json",
    envvar="PINCITE_JSON",
    show_envvar=True,
    is_flag=True,
    help="Print the response of POST /v1/ask as JSON.",
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
    """Answer QUESTION with quotations from the documents."""
    from service.http.validation import check
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

    from service.answering.answering import Answering
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

    from service.cli.printing import print_answers

    print_answers(response, answering.searcher(request.collection).text, Console(highlight=False))
