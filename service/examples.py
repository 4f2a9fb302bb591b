"""Examples for the documentation, built from the wire structs, so that they cannot fall behind them."""

from __future__ import annotations

from msgspec import to_builtins
from msgspec.structs import replace

from service.schema import (
    Answer,
    AskResponse,
    AskTimings,
    Citation,
    CollectionInfo,
    CollectionList,
    DocumentList,
    DocumentRecord,
    FoundPassage,
    Highlight,
    IndexInfo,
    Quote,
    Range,
    SearchResponse,
    SearchTimings,
    SentenceRange,
    TextView,
    Verified,
    VerifyResponse,
)

_TEXT = "The ferry leaves Aldhaven at 7:40 each morning."
_SHA256 = "8d2c1a7e0b0f4f7f9a6e5c3d2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0f9e"
_PLACE = Range(codepoint=(112, 159), utf16=(112, 159), byte=(114, 161))
_SENTENCE = SentenceRange(first=2, last=2, total=9)
_INDEX = IndexInfo(version="5f0c2a91d7b4-3", documents=12, passages=80)
_RECORD = DocumentRecord(
    source="harbour/timetable.txt",
    document_id="d7f3",
    sha256=_SHA256,
    bytes=1204,
    encoding="utf-8",
    media_type="text/plain",
    title="timetable",
    url=None,
    date=None,
    sentences=9,
    updated_at="2026-11-02T08:15:00Z",
)
_CITATION = Citation(
    source=_RECORD.source,
    document_id=_RECORD.document_id,
    sha256=_SHA256,
    title=_RECORD.title,
    url=None,
    date=None,
    media_type=_RECORD.media_type,
    encoding=_RECORD.encoding,
    anchor="exact",
    sentences=_SENTENCE,
    range=_PLACE,
    quote=Quote(exact=_TEXT, prefix="boats run all year.\n", suffix=" It returns at noon."),
    text_fragment="#:~:text=The%20ferry%20leaves,each%20morning.",
)
_PASSAGE = FoundPassage(
    source=_RECORD.source,
    document_id=_RECORD.document_id,
    sha256=_SHA256,
    sentences=_SENTENCE,
    range=_PLACE,
    text=_TEXT,
    score=0.0328,
)
_HIGHLIGHT = Highlight(citation=0, text="7:40", codepoint=(141, 145), utf16=(141, 145), byte=(143, 147))

ASK = {"question": "When does the ferry leave?", "max_answers": 1}
BATCH = {"questions": ["When does the ferry leave?", "Who runs the harbour?"], "max_answers": 1}
SEARCH = {"query": "ferry timetable", "top_k": 1}

ANSWERED = AskResponse(
    request_id="0e8dca29-6c3c-4d52-9d2a-3f6a3c1c0f51",
    status="answered",
    confidence=0.93,
    answers=[Answer(text=_TEXT, confidence=0.93, highlight=_HIGHLIGHT, citations=[_CITATION])],
    passages=[],
    skipped=[],
    index=_INDEX,
    timings_ms=AskTimings(retrieve=3.1, read=21.4, total=24.9),
)
FOUND = SearchResponse(passages=[_PASSAGE], index=_INDEX, timings_ms=SearchTimings(retrieve=3.1, total=3.3))
VERIFY = {"citations": [to_builtins(_CITATION)]}
_NOW = replace(
    _CITATION,
    sha256="41b0c6e2d7a95f83c1e4607db92a5f3e88d0617c4ba2f95e3d7c60b18f24a9e5",
    sentences=SentenceRange(first=3, last=3, total=10),
    range=Range(codepoint=(150, 197), utf16=(150, 197), byte=(152, 199)),
)
VERIFIED = VerifyResponse(citations=[Verified("moved", _NOW)], index=_INDEX)
DOCUMENTS = DocumentList(documents=[_RECORD], next=None)
_WHOLE = Range(codepoint=(0, 47), utf16=(0, 47), byte=(0, 47))
VIEW = TextView(text=_TEXT, encoding="utf-8", sha256=_SHA256, anchor="exact", sentences=[_WHOLE])
COLLECTIONS = CollectionList(
    collections=[CollectionInfo(name="default", documents=12, passages=80, encoder="all-MiniLM-L6-v2")]
)


def example(value: object) -> object:
    """As it looks in JSON."""
    return to_builtins(value)
