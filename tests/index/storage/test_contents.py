"""The cache of decoded documents stays within its memory limit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from index.collections.collection import Collection
from index.storage.contents import Content, Contents
from index.text.preparation import NO_METADATA
from index.text.structure import Structure
from index.types import Document, Span
from tests.support.damage import created

SENTENCES = 10_000


def put(collection: Collection, source: str, text: str) -> Document:
    collection.writer.put(source, text.encode(), NO_METADATA, lambda _: None)
    return collection.searcher().document(source)


def content_of(sentence: str, encoding: str) -> Content:
    """A document that repeats one sentence, with its positions."""
    file = (sentence * SENTENCES).encode(encoding)
    spans = [Span(n * len(sentence), (n + 1) * len(sentence)) for n in range(SENTENCES)]
    hashed = "0" * 64
    document = Document(
        1, "a.txt", "a", hashed, len(file), encoding, 0, "text/plain", "exact", "", None, None, SENTENCES, ""
    )
    content = Content(document, file, file.decode(encoding), spans, Structure.plain(SENTENCES))
    assert content.positions.byte(0) == 0
    return content


@pytest.mark.parametrize(
    ("sentence", "encoding"),
    [
        ("Owls hunt at night. ", "utf-8"),
        ("é è à ü ö. ", "utf-8"),
        ("Сова охотится. ", "utf-8"),
        ("a🙂b🙂. ", "utf-8"),
        ("a🙂b🙂. ", "utf-16-le"),
        ("é è à ü. ", "latin-1"),
        ("猫a犬b。", "gb18030"),
    ],
)
def test_the_size_of_a_content_is_at_least_the_memory_that_it_takes(sentence: str, encoding: str) -> None:
    tracemalloc.start()
    content = content_of(sentence, encoding)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken * 0.95 < content.size < taken * 20


def test_what_is_kept_stays_within_its_room_however_large_the_documents_are(tmp_path: Path) -> None:
    collection = created(tmp_path)
    small = [put(collection, f"{number}.txt", f"Owl {number} hunts. " * 50) for number in range(20)]
    large = put(collection, "large.txt", "Owls hunt at night. " * 5000)
    contents = Contents(collection.store, room=50_000)
    for document in [*small, large, *small]:
        assert contents.of(document).text.startswith("Owl")
        assert contents.cache.currsize <= 50_000
    assert contents.of(small[-1]) is contents.of(small[-1])
    assert contents.of(large) is contents.of(large)  # although it exceeds the limit
    assert len(contents.cache) == 1
