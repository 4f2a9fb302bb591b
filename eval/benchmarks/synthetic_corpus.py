"""A large, realistic corpus: real passages, encoded once, and many slightly different copies of them.

The vector of a copy is that of its original, rotated to a cosine drawn between NEAREST and FARTHEST, in the direction
of a random sum of differences between real vectors, so that copies are distributed like passages. Its words are
shuffled, and a share SWAPPED is replaced by words of other passages, so that BM25 does not find all copies at once.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from eval.runs.run import replace
from index.config import IndexConfig
from index.errors import DocumentError
from index.storage.tables import NewDocument, NewPassage
from index.text.preparation import Prepared, SenderMetadata, prepare
from index.text.structure import Structure
from index.types import Document, Encoder, Passage, Span

LEFT_OUT = ("pairs_", "qamr_")  # single sentences
DOCUMENTATION = Path("/usr/share/doc")  # on Debian and derivatives
TEXT = (".txt", ".md", ".html", "")
LARGEST = 200_000  # bytes
MOST = 12_000  # real passages, a quarter of them documentation
QUESTIONS = 1000
SEED = 20267
NEAREST, FARTHEST = 0.95, 0.8
DIRECTIONS = 8  # differences summed for a direction
SWAPPED = 0.3
PASSAGES = 10  # per document


class Real(Struct, frozen=True):
    """Real passages, each a list of sentences, with vectors float16 [n, dimension], and real questions."""

    passages: list[list[str]]
    vectors: bytes
    questions: list[str]


def real(path: Path, data: Path, encoder: Encoder, config: IndexConfig) -> Real:
    """Read them from the file `path`, or make them from available data and write them there."""
    if path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=Real)
    contexts, questions = contexts_and_questions(data)
    passages: list[list[str]] = []
    texts: list[str] = []
    for share, documents in ((MOST, documentation(MOST // 4)), (MOST, iter(contexts))):
        for source, file, title in documents:
            if len(passages) >= share:
                break
            try:
                prepared = prepare(source, file, None, encoder, config, metadata=SenderMetadata(title=title))
            except DocumentError:
                continue
            passages += sentences_of(prepared)
            texts += prepared.embedded
    if not passages:
        raise FileNotFoundError(f"There are no documents in {data} or {DOCUMENTATION}.")
    real_corpus = Real(passages, encoder.encode(texts).astype(np.float16).tobytes(), questions)
    replace(path, msgspec.msgpack.encode(real_corpus))
    return real_corpus


def contexts_and_questions(data: Path) -> tuple[list[tuple[str, bytes, str]], list[str]]:
    """Distinct contexts of training sets, as (source, file, title), and a random sample of their questions."""
    contexts: dict[str, str] = {}
    questions: set[str] = set()
    for path in sorted(data.glob("*.jsonl.gz")):
        if path.name.startswith(LEFT_OUT):
            continue
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = msgspec.json.decode(line)
                contexts.setdefault(row["context"], row["title"])
                questions.add(row["question"])
    random = Random(SEED)  # noqa: S311
    mixed = random.sample(sorted(contexts), len(contexts))
    documents = [(f"{number}.txt", context.encode(), contexts[context]) for number, context in enumerate(mixed)]
    return documents, random.sample(sorted(questions), min(QUESTIONS, len(questions)))


def documentation(most: int) -> Iterator[tuple[str, bytes, str | None]]:
    """Documentation installed on this machine, as (source, file, title): slightly more than `most` passages."""
    paths = [path for path in sorted(DOCUMENTATION.rglob("*")) if path.is_file() and path.suffix in TEXT]
    budget = most * 500  # approximate bytes per passage
    for path in Random(SEED).sample(paths, len(paths)):  # noqa: S311
        file = path.read_bytes()
        if path.name != "copyright" and len(file) <= LARGEST:
            budget -= len(file)
            if budget < 0:
                return
            yield path.relative_to(DOCUMENTATION).as_posix(), file, None


def sentences_of(prepared: Prepared) -> list[list[str]]:
    """For each passage its sentences, or the part it has of one that was too long."""
    document = prepared.document
    text = prepared.file[document.bom :].decode(document.encoding)
    parts = []
    for passage in prepared.passages:
        spans = prepared.spans[passage.first : passage.last + 1]
        start, end = passage.span
        parts.append([text[max(span.start, start) : min(span.end, end)] for span in spans])
    return parts


class Copies:
    """Documents made of copies of real passages; deterministic."""

    def __init__(self, originals: Real, dimension: int) -> None:
        self._vectors = np.frombuffer(originals.vectors, np.float16).reshape(-1, dimension).astype(np.float32)
        self._centred = self._vectors - self._vectors.mean(axis=0)
        split = [[sentence.split() for sentence in passage] for passage in originals.passages]
        self._lengths = [[len(words) for words in passage if words] for passage in split]
        words = sorted({word for passage in split for sentence in passage for word in sentence})
        places = {word: place for place, word in enumerate(words)}
        self._words = np.array(words, object)
        self._texts = [np.array([places[w] for sentence in passage for w in sentence], np.int32) for passage in split]
        self._usable = np.flatnonzero([len(text) > 0 for text in self._texts])
        self._pool = np.concatenate(self._texts)

    def documents(self, passages: int) -> Iterator[NewDocument]:
        """Documents of PASSAGES passages each, up to this number of passages in all."""
        random = np.random.default_rng(SEED)
        for number, start in enumerate(range(0, passages, PASSAGES)):
            of = self._usable[np.arange(start, min(start + PASSAGES, passages)) % len(self._usable)]
            yield document_of(number, [self._text(each, random) for each in of], self._turned(of, random))

    def _turned(self, of: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float16]:
        vectors = self._vectors[of]
        drawn = self._centred[random.integers(0, len(self._centred), (len(of), DIRECTIONS))]
        away = (drawn * random.standard_normal((len(of), DIRECTIONS, 1), np.float32)).sum(axis=1)
        away -= (away * vectors).sum(axis=1, keepdims=True) * vectors
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        cosine = random.uniform(FARTHEST, NEAREST, (len(of), 1)).astype(np.float32)
        turned: NDArray[np.float32] = cosine * vectors + np.sqrt(1 - cosine**2) * away
        return turned.astype(np.float16)

    def _text(self, of: int, random: np.random.Generator) -> list[str]:
        words = random.permutation(self._texts[of])
        swapped = random.random(len(words)) < SWAPPED
        words[swapped] = self._pool[random.integers(0, len(self._pool), int(swapped.sum()))]
        spelled, sentences, start = self._words[words].tolist(), [], 0
        for length in self._lengths[of]:
            sentences.append(" ".join(spelled[start : start + length]))
            start += length
        return sentences


def document_of(number: int, passages: Sequence[Sequence[str]], vectors: NDArray[np.float16]) -> NewDocument:
    """A document for the store, with one passage per list of sentences."""
    spans: list[Span] = []
    rows, text = [], ""
    for sentences, vector in zip(passages, vectors, strict=True):
        first = len(spans)
        text += "\n\n" if text else ""
        for place, sentence in enumerate(sentences):
            text += " " if place else ""
            spans.append(Span(len(text), len(text) + len(sentence)))
            text += sentence
        passage = Passage(first, len(spans) - 1, Span(spans[first].start, len(text)))
        key = hashlib.blake2b(" ".join(sentences).encode(), digest_size=16).digest()
        rows.append(NewPassage(passage, key, vector))
    file = text.encode()
    source = f"{number % 100:02}/{number}.txt"
    document = Document(
        number=0,
        source=source,
        document_id=hashlib.blake2b(source.encode(), digest_size=12).hexdigest(),
        sha256=hashlib.sha256(file).hexdigest(),
        bytes=len(file),
        encoding="utf-8",
        bom=0,
        media_type="text/plain",
        anchor="exact",
        title=str(number),
        url=None,
        date=None,
        sentences=len(spans),
        updated_at="2026-01-01T00:00:00Z",
    )
    return NewDocument(document, None, file, spans, rows, Structure.plain(len(spans)))
