"""Prints an answer to the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from index.cli.printing import printable
from service.schema import (
    Answer,
    AskResponse,
    Citation,
    FoundPassage,
    Highlight,
    Range,
    SentenceRange,
)

TextOf = Callable[[str], str]  # returns the text of a source


def print_answers(response: AskResponse, text_of: TextOf, console: Console) -> None:
    """Print the answers, each quotation with its position; or that there is none, with the nearest passages."""
    if response.status == "abstained":
        console.print(Text("The documents do not seem to answer this.", style="bold"), confidence(response.confidence))
        if response.passages:
            console.print("\nNearest passages:")
        for passage in response.passages:
            print_passage(passage, text_of, console)
        return
    if response.status == "conflicting":
        console.print(Text("The documents contradict each other.\n", style="bold"))
    for number, answer in enumerate(response.answers):
        if number:
            console.print()
        print_answer(answer, text_of, console)


def print_answer(answer: Answer, text_of: TextOf, console: Console) -> None:
    for number, citation in enumerate(answer.citations):
        highlight = answer.highlight if answer.highlight and answer.highlight.citation == number else None
        console.print(marked(citation, highlight, console), soft_wrap=not console.is_terminal)
        place = located(citation.source, citation.range, citation.sentences, text_of)
        console.print(indented(place, console), soft_wrap=not console.is_terminal)
    console.print(indented(confidence(answer.confidence), console))


def print_passage(passage: FoundPassage, text_of: TextOf, console: Console) -> None:
    console.print()
    console.print(Text(printable(passage.text)), soft_wrap=not console.is_terminal)
    place = located(passage.source, passage.range, passage.sentences, text_of)
    console.print(indented(place, console), soft_wrap=not console.is_terminal)


def marked(citation: Citation, highlight: Highlight | None, console: Console) -> Text:
    """The quotation with its highlight bold and underlined, or between asterisks without a terminal."""
    text = Text(printable(citation.quote.exact))
    if highlight is None:
        return text
    start, end = (place - citation.range.codepoint[0] for place in highlight.codepoint)
    if not console.is_terminal:
        return Text.assemble(text[:start], "**", text[start:end], "**", text[end:])
    text.stylize("bold underline", start, end)
    return text


def located(source: str, place: Range, sentences: SentenceRange, text_of: TextOf) -> Text:
    """`news/a.txt, line 3, sentence 2 of 17, characters 790 to 964, bytes 804 to 978`; lines and sentences from 1."""
    start, end = place.codepoint
    numbers = (
        f"{sentences.first + 1}"
        if sentences.first == sentences.last
        else f"{sentences.first + 1} to {sentences.last + 1}"
    )
    parts = [
        f"line {line_at(text_of(source), start)}",
        f"sentence {numbers} of {sentences.total}",
        f"characters {start} to {end}",
    ]
    if place.byte is not None:
        parts.append(f"bytes {place.byte[0]} to {place.byte[1]}")
    return Text.assemble((printable(source), "cyan"), ", " + ", ".join(parts))


def line_at(text: str, codepoint: int) -> int:
    r"""The line of a code point, counted from 1; a line ends with CR, LF or both.

    >>> line_at("a\r\nb\rc", 5)
    3
    """
    return 1 + len(re.findall(r"\r\n|\r|\n", text[:codepoint]))


def confidence(value: float) -> Text:
    return Text(f"confidence {value:.2f}", style="dim")


def indented(text: Text, console: Console) -> Padding | Text:
    return Padding(text, (0, 0, 0, 2)) if console.is_terminal else Text.assemble("  ", text)
