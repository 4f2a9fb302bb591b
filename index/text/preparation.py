"""Prepares a document: decodes it, splits it into sentences and passages, and makes the texts to embed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import cast

from msgspec import Struct

from index.config import IndexConfig
from index.errors import DocumentTooLarge
from index.text import tokens
from index.text.extraction import AnyMap, Extraction
from index.text.formats import extract, isolated, stem
from index.text.parsing import parse
from index.text.passages import context
from index.text.passages import split as split_passages
from index.text.rendering import Renderer
from index.text.sentences import split as split_sentences
from index.text.structure import Structure, joined
from index.types import Document, Encoder, Passage, Span

LARGEST_DOCUMENT = 64_000_000  # bytes
CONTEXT_SHARE = 4  # largest share of the encoder's window for a context: one part in so many


class Prepared(Struct, frozen=True):
    """A document without its vectors."""

    document: Document
    origin: str | None
    file: bytes
    spans: list[Span]
    passages: list[Passage]
    embedded: list[str]  # per passage, the input of the encoder
    keys: list[bytes]  # per passage, the hash of that input
    structure: Structure
    extraction: Extraction | None = None  # where the text is not the file


class SenderMetadata(Struct, frozen=True):
    """Metadata from the sender of a document, which overrides the file's own."""

    media_type: str | None = None
    charset: str | None = None
    title: str | None = None
    url: str | None = None
    date: str | None = None


NO_METADATA = SenderMetadata()


def prepare(
    source: str,
    data: bytes,
    origin: str | None,
    encoder: Encoder,
    config: IndexConfig,
    *,
    metadata: SenderMetadata = NO_METADATA,
) -> Prepared:
    """Read and split a file. Raises DocumentError."""
    if len(data) > LARGEST_DOCUMENT:
        raise DocumentTooLarge(source=source, bytes=len(data), limit=LARGEST_DOCUMENT)
    read = parse if isolated(source, metadata.media_type) else extract
    extracted = read(data, source, metadata.media_type, metadata.charset)
    text = extracted.text
    title = metadata.title or extracted.title or stem(source)
    sentences = split_sentences(text, joined(text, extracted.blocks))
    structure = Structure.of(sentences)
    renderer = Renderer(text, [sentence.span for sentence in sentences], structure, extracted.media_type)

    @cache
    def above(headings: tuple[str, ...]) -> str:
        line = context(title, headings)
        fits_beside_text = encoder.count(line) <= encoder.window // CONTEXT_SHARE
        return line if fits_beside_text else ""  # rather no context than hardly any passage

    def embedded(part: str, headings: tuple[str, ...]) -> str:
        return config.passage_prompt.format(context=above(headings), text=part)

    def fits(part: str, headings: tuple[str, ...]) -> bool:
        return tokens.count(part) <= config.budget and encoder.count(embedded(part, headings)) <= encoder.window

    passages = split_passages(text, sentences, fits, config.overlap, renderer.text)
    texts = [embedded(renderer.text(each.first, each.last, each.span), each.headings) for each in passages]
    document = Document(
        number=0,
        source=source,
        document_id=hashlib.blake2b(source.encode(), digest_size=12).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        encoding=extracted.encoding,
        bom=extracted.bom,
        media_type=extracted.media_type,
        anchor=extracted.anchor,
        title=title,
        url=metadata.url or extracted.url,
        date=metadata.date or extracted.date,
        sentences=len(sentences),
        updated_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        encoding_guessed=extracted.guessed,
    )
    keys = [hashlib.blake2b(each.encode(), digest_size=16).digest() for each in texts]
    extraction = None if extracted.map is None else Extraction(text, cast("AnyMap", extracted.map))
    return Prepared(document, origin, data, [s.span for s in sentences], passages, texts, keys, structure, extraction)
