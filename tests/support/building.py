"""Builds an index folder, and writes prepared documents, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from index.collections.build import BuildOptions, BuildReport, build
from index.collections.document_writer import DocumentWriter
from index.collections.writer import build_writer


def build_index(
    sources: Sequence[Path], index: Path, options: BuildOptions | None = None, encoder: str | None = None
) -> BuildReport:
    with build_writer(index, encoder=encoder) as writer:
        return build(writer, sources, options)


def write_texts(writer: DocumentWriter, texts: Mapping[str, str], remove: Sequence[str] = ()) -> None:
    """Commit additions and removals of documents in one change."""
    prepared = [writer.prepare(source, text.encode(), None) for source, text in texts.items()]
    writer.commit(writer.encode(prepared), remove, writer.origins())
