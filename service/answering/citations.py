"""Citations: a run of sentences with its positions in three units, its quote in context, and a link."""

from __future__ import annotations

from typing import TypedDict

import regex

from index.storage.contents import Content
from index.text.maps import BlockMap, PageMap
from index.text.positions import PositionMap
from index.types import SourceMap, Span
from prompts.packing import Run
from service import schema
from service.answering.text_fragments import shown, text_fragment

CONTEXT = 32  # code points of prefix and suffix
LONGEST_WHOLE = 2000  # code points; of a longer sentence, only the part that was read is cited
LINE = regex.compile(r"\r\n|\r|\n")


def cite(run: Run, content: Content) -> schema.Citation:
    """Cite a run of sentences of the document `content`."""
    start, end = run.span
    document, text = content.document, content.text
    quote = text[start:end]
    return schema.Citation(
        source=document.source,
        document_id=document.document_id,
        sha256=document.sha256,
        title=document.title,
        url=document.url,
        date=document.date,
        media_type=document.media_type,
        encoding=document.encoding,
        encoding_guessed=document.encoding_guessed,
        anchor=document.anchor,
        sentences=schema.SentenceRange(run.first, run.last, len(content.sentences)),
        range=range_of(content.positions, run.span),
        quote=schema.Quote(quote, text[max(0, start - CONTEXT) : start], text[end : end + CONTEXT]),
        text_fragment=text_fragment(shown(run, content)),
        label=label(run, content),
        **places(run.span, content.map),
    )


class Places(TypedDict, total=False):
    """Where a span lies in a file that is not its text, in the form of its anchor."""

    part: str | None
    ocr: bool
    segments: list[schema.Pair] | None
    pages: list[schema.PageBoxes] | None
    blocks: list[schema.BlockPlace] | None


def places(span: Span, source_map: SourceMap | None) -> Places:
    if source_map is None:
        return {}
    found = Places(part=source_map.part(span), ocr=source_map.ocr(span))
    if isinstance(source_map, PageMap):
        found["pages"] = [
            schema.PageBoxes(each.page, each.width, each.height, each.boxes) for each in source_map.pages(span)
        ]
    elif isinstance(source_map, BlockMap):
        found["blocks"] = [
            schema.BlockPlace(each.part, list(each.path), each.codepoint) for each in source_map.places(span)
        ]
    else:
        found["segments"] = source_map.segments(span)
    return found


def label(run: Run, content: Content) -> str:
    """The place in words: "page 3" where the format knows, else the heading above it, else the line or the title.

    Lines are counted from 1, as editors do; a text that is not the file has none that a reader could go to.
    """
    block = content.structure.block(run.first)
    stated = (content.map and content.map.label(run.span)) or block.label
    if stated:
        return stated
    if block.headings:
        return f"§ {block.headings[-1]}"
    if content.map is not None:
        return content.document.title
    return f"line {len(LINE.findall(content.text, 0, run.span.start)) + 1}"


def range_of(positions: PositionMap, span: Span) -> schema.Range:
    found = positions.ranges(span)
    return schema.Range(found.codepoint, found.utf16, found.byte)
