"""Options of several commands for the reader and the language model."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from service.llm.choosing import Chooser
    from service.settings import ChooserSettings

F = TypeVar("F", bound=Callable[..., object])


def reader_option(command: F) -> F:
    return click.option(
        "--reader",
        envvar="PINCITE_READER",
        show_envvar=True,
        help="The folder of a reader that you trained, or 'untrained'.  [default: the packaged one]",
    )(command)


def chooser_options(command: F) -> F:
    """Options for a language model that may choose sentences, at an OpenAI-compatible endpoint."""
    url = click.option(
        "--chooser",
        envvar="PINCITE_CHOOSER",
        show_envvar=True,
        metavar="URL",
        help="Let a language model choose, by number only, the sentences of an answer that needs several. Its "
        "OpenAI-compatible endpoint, such as http://127.0.0.1:8080/v1. PINCITE_CHOOSER_KEY holds its key.  "
        "[default: none]",
    )
    model = click.option(
        "--chooser-model", envvar="PINCITE_CHOOSER_MODEL", show_envvar=True, metavar="NAME", help="The model's name."
    )
    return url(model(command))


def opened(settings: ChooserSettings | None) -> Chooser | None:
    if settings is None:
        return None
    from service.llm.choosing import Chooser
    from service.settings import chooser_key

    return Chooser.open(settings, chooser_key(os.environ))
