"""Offsets are exact: in any document, every citation slices to its quote, in every unit."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.collections.build import build
from index.collections.collection import Collection
from index.collections.writer import Writer
from index.config import IndexConfig
from index.storage.layout import Layout
from index.storage.store import Store
from service.answering.answering import Answering
from service.answering.catalogue import Catalogue
from service.reader.baseline import FittedReader
from service.schema import AskRequest, AskResponse, Citation
from tests.support.fakes import FakeEncoder

PIECES = [
    "The council met on Monday.",
    " It voted! ",
    "Who was there?",
    "👨‍👩‍👧‍👦 family 👍🏽",
    "e\u0301\u0327",
    "שלום עולם.",
    "مرحبا بالعالم؟",
    "İstanbul'da 1923.",
    "zero\u200bwidth\u200d\ufeff",
    "北京市。東京！",
    "Mr. St. John paid $3.50 at 5 p.m. in the U.S. today.",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "\r\n\r\n",
    "\u2028",
    "\t- item\n",
    "# Heading\n",
    "> quoted\n",
    "```\ncode\n```\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "…",
    "\u0000",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢.",
    "same sentence again. " * 20,
    "x" * 3000,
]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
documents = st.builds(
    lambda pieces, glue: glue.join(pieces),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=30)), max_size=12),
    st.sampled_from(["", " "]),
)


def answering_of(folder: Path, files: dict[str, bytes]) -> tuple[Answering, list[str]]:
    """An index of these files with the fake encoder, and the files that could not be read."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for name, data in files.items():
        (corpus / name).write_bytes(data)
    encoder = FakeEncoder()
    place = Layout(folder / "index").collection("default")
    config = IndexConfig(encoder.name, encoder.sha256, encoder.dimension, budget=60)
    store = Store.create(place.store, config, "test")
    report = build(Writer(place, store, encoder), [corpus])
    return Answering(Catalogue({"default": Collection(place, store, encoder)}), FittedReader()), [
        str(error.facts["source"]) for error in report.failed
    ]


def ask(answering: Answering, question: str) -> AskResponse:
    return answering.ask(AskRequest(question=question, max_answers=20, min_confidence=0.0, passages=50), "test")


def cited(response: AskResponse) -> list[Citation]:
    citations = [citation for answer in response.answers for citation in answer.citations]
    return citations + [other for citation in citations for other in citation.also]


def check_response(response: AskResponse, files: dict[str, bytes], encodings: dict[str, str]) -> None:
    for citation in cited(response):
        file = files[citation.source]
        text = decoded(file, citation.encoding)
        where, quote = citation.range, citation.quote.exact
        assert where.byte is not None
        assert text[slice(*where.codepoint)] == quote
        assert file[slice(*where.byte)].decode(citation.encoding) == quote
        assert text.encode("utf-16-le")[2 * where.utf16[0] : 2 * where.utf16[1]].decode("utf-16-le") == quote
        assert text[: where.codepoint[0]].endswith(citation.quote.prefix)
        assert text[where.codepoint[1] :].startswith(citation.quote.suffix)
        assert quote == quote.strip()
    for answer in response.answers:
        assert answer.text == " ".join(citation.quote.exact for citation in answer.citations)
    for passage in response.passages:
        assert passage.range.byte is not None
        assert files[passage.source][slice(*passage.range.byte)].decode(encodings[passage.source]) == passage.text


def encodings_of(answering: Answering) -> dict[str, str]:
    return {document.source: document.encoding for document in answering.searcher("default").documents(None, 100)}


def decoded(file: bytes, encoding: str) -> str:
    """The file as any client would decode it, without its byte-order mark."""
    return file.decode(encoding).removeprefix("\ufeff")


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(documents, st.sampled_from(ENCODINGS), st.sampled_from(["txt", "md"])), min_size=1, max_size=4)
)
def test_every_citation_of_any_document_is_exact(drawn: list[tuple[str, str, str]]) -> None:
    files = {f"{i}.{suffix}": text.encode(codec) for i, (text, codec, suffix) in enumerate(drawn)}
    with TemporaryDirectory() as folder:
        answering, failed = answering_of(Path(folder), files)
        readable = {name: data for name, data in files.items() if name not in failed}
        for question in ("Who met on Monday?", "same sentence", "北京 family item"):
            check_response(ask(answering, question), readable, encodings_of(answering))
        answering.close()


BIG = "word " * 400_000  # a line of 2 MB
# A guess at an encoding needs more than a single accented word.
LATIN = (
    "Le conseil s’est réuni lundi à cinq heures. Après un débat animé, il a décidé d’élargir la bibliothèque. "
    "The café’s council met on Monday – at 5 o’clock. Où étaient les élèves ? À l’école, très tôt déjà. "
)
HARD = {
    "empty.txt": b"",
    "blank.txt": b" \r\n\t\n",
    "line.txt": ("The answer is on Monday. " + BIG + "met.").encode(),
    "unspaced.txt": ("é" * 60_000).encode(),
    "same.txt": ("The council met on Monday.\n\n" * 300).encode("utf-16"),
    "bom.md": "# Kopf\r\rDer Rat tagte am Montag. 👍🏽 The council met.\r".encode("utf-8-sig"),
    "latin.txt": (LATIN * 3).encode("cp1252"),
    "rtl.txt": "اجتمع المجلس يوم الاثنين. The council met on Monday! התכנסה המועצה.".encode(),
    "utf32.txt": "𝔘𝔫𝔦 met on Monday. İstanbul’da e\u0301.".encode("utf-32"),
}


class Hard(NamedTuple):
    responses: list[AskResponse]
    encodings: dict[str, str]


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Hard:
    answering, failed = answering_of(tmp_path_factory.mktemp("hard"), HARD)
    assert failed == []
    questions = ["Who met on Monday?", "council 👍🏽", "word word", "é" * 50, "Der Rat", "İstanbul’da"]
    made = Hard([ask(answering, question) for question in questions], encodings_of(answering))
    answering.close()
    return made


def test_hard_documents_are_cited_exactly(hard: Hard) -> None:
    for response in hard.responses:
        assert response.answers
        check_response(response, HARD, hard.encodings)


def test_equal_sentences_are_one_answer_that_cites_them_all(hard: Hard) -> None:
    answers = [answer for answer in hard.responses[0].answers if answer.text == "The council met on Monday."]
    assert len(answers) == 1
    places = [citation.range.codepoint for citation in [answers[0].citations[0], *answers[0].citations[0].also]]
    assert len(places) == len(set(places)) > 1


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed: UTF-16 ranges are not sliced by it")
def test_utf16_ranges_slice_to_the_quote_in_javascript(hard: Hard) -> None:
    cases = [
        {
            "text": decoded(HARD[citation.source], citation.encoding),
            "range": citation.range.utf16,
            "quote": citation.quote.exact,
        }
        for response in hard.responses
        for citation in cited(response)
        if len(HARD[citation.source]) < 100_000
    ]
    program = """
        const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
        console.log(cases.filter(c => c.text.slice(c.range[0], c.range[1]) === c.quote).length);
    """
    done = subprocess.run(["node", "-e", program], input=json.dumps(cases).encode(), capture_output=True, check=True)
    assert int(done.stdout) == len(cases) > 20


def test_a_response_is_the_same_again(tmp_path: Path) -> None:
    answering, _ = answering_of(tmp_path, {"a.txt": b"The council met on Monday. It voted. Nobody came.\n\nThe end."})
    first, second = (msgspec.to_builtins(ask(answering, "Who met?")) for _ in range(2))
    del first["timings_ms"], second["timings_ms"]
    assert first == second
