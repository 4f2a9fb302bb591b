"""The wire structs of the HTTP contract. The OpenAPI document is generated from these types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

Pair = tuple[int, int]
Question = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]  # the pattern: not blank
Glob = Annotated[str, Meta(min_length=1, max_length=1000)]
Globs = Annotated[list[Glob], Meta(max_length=100)]


class AskParameters(Struct, forbid_unknown_fields=True, kw_only=True):
    """The parameters that `ask` and `ask/batch` share."""

    max_answers: Annotated[int, Meta(ge=1, le=20)] = 3
    passages: Annotated[int, Meta(ge=0, le=50)] = 0
    collection: str = "default"
    sources: Globs | None = None
    min_confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    nearest: Annotated[int, Meta(ge=0, le=3)] = 3
    deadline_ms: Annotated[int, Meta(ge=1, le=3_600_000)] | None = None


class AskRequest(AskParameters, kw_only=True):
    question: Question


class BatchRequest(AskParameters, kw_only=True):
    """Questions stay undecoded, so that an invalid one affects only its own line."""

    questions: Annotated[list[Raw], Meta(min_length=1, max_length=1000)]


class SearchRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    query: Question
    top_k: Annotated[int, Meta(ge=1, le=100)] = 10
    collection: str = "default"
    sources: Globs | None = None


class ContextRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    question: Question
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000)]
    encoding: Annotated[str, Meta(min_length=1, max_length=100)] = "cl100k_base"
    collection: str = "default"
    sources: Globs | None = None


class Range(Struct, frozen=True):
    """The same half-open range in three units; `byte` counts bytes of the original file."""

    codepoint: Pair
    utf16: Pair
    byte: Pair | None


class SentenceRange(Struct, frozen=True):
    first: int
    last: int
    total: int


class Quote(Struct, frozen=True):
    exact: str
    prefix: str
    suffix: str


class PageBoxes(Struct, frozen=True):
    """One box a line, in points from the top left of the page as it is displayed, rotation and crop box applied."""

    page: int  # from 1
    width: float
    height: float
    boxes: list[tuple[float, float, float, float]]


class BlockPlace(Struct, frozen=True):
    """A paragraph, shape or cell of an office file, and where in its text."""

    part: str  # of the file: "word/document.xml"
    path: list[int]
    codepoint: Pair


class Citation(Struct, frozen=True, kw_only=True):
    source: str
    document_id: str
    sha256: str
    title: str
    url: str | None
    date: str | None
    media_type: str
    encoding: str
    anchor: Literal["exact", "mapped", "page", "block"]
    sentences: SentenceRange
    range: Range
    quote: Quote
    text_fragment: str
    label: str  # the place in words: "page 3", "§ Notice period", "line 120"
    part: str | None = None  # the member of a container
    ocr: bool = False  # whether the text was recognised in a picture
    segments: list[Pair] | None = None  # with the anchor "mapped": the slices of the file that the quote comes from
    pages: list[PageBoxes] | None = None  # with the anchor "page"
    blocks: list[BlockPlace] | None = None  # with the anchor "block"
    also: list[Citation] = []
    encoding_guessed: bool = False  # neither the sender nor the file declares `encoding`


class MarkedCitation(Citation, frozen=True, kw_only=True):
    mark: str  # in the context, before the quote: "[1]"


class Highlight(Struct, frozen=True):
    citation: int
    text: str
    codepoint: Pair
    utf16: Pair
    byte: Pair | None


class Answer(Struct, frozen=True):
    text: str
    confidence: float
    highlight: Highlight | None
    citations: list[Citation]
    kind: Literal["sentences", "list", "steps", "row", "code"] = "sentences"


class FoundPassage(Struct, frozen=True):
    source: str
    document_id: str
    sha256: str
    sentences: SentenceRange
    range: Range
    text: str
    score: float


class IndexInfo(Struct, frozen=True):
    version: str
    documents: int
    passages: int


class AskTimings(Struct, frozen=True, omit_defaults=True):
    retrieve: float
    read: float
    total: float
    choose: float = 0.0  # only if a language model was asked


class SearchTimings(Struct, frozen=True):
    retrieve: float
    total: float


class Matched(Struct, frozen=True):
    documents: int  # that `sources` leaves to be searched


class AskResponse(Struct, frozen=True):
    request_id: str
    status: Literal["answered", "conflicting", "abstained"]
    confidence: float
    answers: list[Answer]
    passages: list[FoundPassage]
    skipped: list[str]
    index: IndexInfo
    timings_ms: AskTimings
    nearest: list[Answer] = []  # on abstention the best answers below the threshold, which are no answers
    matched: Matched | None = None  # only where `sources` is given


class SearchResponse(Struct, frozen=True):
    passages: list[FoundPassage]
    index: IndexInfo
    timings_ms: SearchTimings


class ContextResponse(Struct, frozen=True):
    request_id: str
    context: str  # ready for a prompt
    tokens: int  # that it takes
    citations: list[MarkedCitation]  # in the order of the context
    left_out: int  # passages that did not fit, or only in part
    index: IndexInfo
    timings_ms: SearchTimings


class GivenRange(Struct, frozen=True):
    codepoint: Pair
    utf16: Pair | None = None
    byte: Pair | None = None


class GivenQuote(Struct, frozen=True):
    exact: str
    prefix: str = ""
    suffix: str = ""


class GivenCitation(Struct, frozen=True, kw_only=True):
    """A Citation sent back by a client. Members that are not needed to locate it are ignored, also unknown ones."""

    source: str
    sha256: str
    range: GivenRange
    quote: GivenQuote
    sentences: SentenceRange | None = None
    also: list[GivenCitation] = []


class VerifyRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    citations: Annotated[list[GivenCitation], Meta(max_length=1000)]
    collection: str = "default"


class Verified(Struct, frozen=True):
    status: Literal["valid", "moved", "changed", "deleted"]
    citation: Citation | None  # its current position


class VerifyResponse(Struct, frozen=True):
    citations: list[Verified]
    index: IndexInfo


class DocumentRecord(Struct, frozen=True):
    source: str
    document_id: str
    sha256: str
    bytes: int
    encoding: str
    media_type: str
    title: str
    url: str | None
    date: str | None
    sentences: int
    updated_at: str
    encoding_guessed: bool


class DocumentList(Struct, frozen=True):
    documents: list[DocumentRecord]
    next: str | None


class TextView(Struct, frozen=True):
    text: str
    encoding: str
    sha256: str
    anchor: Literal["exact", "mapped", "page", "block"]
    sentences: list[Range]


class CollectionRequest(Struct, forbid_unknown_fields=True, kw_only=True):
    encoder: Annotated[str, Meta(min_length=1, max_length=1000)] | None = None


class CollectionInfo(Struct, frozen=True):
    name: str
    documents: int
    passages: int
    encoder: str


class CollectionList(Struct, frozen=True):
    collections: list[CollectionInfo]


class ModelInfo(Struct, frozen=True):
    role: Literal["encoder", "reader"]
    name: str
    sha256: str


class ChooserInfo(Struct, frozen=True):
    """The language model that may choose sentences, and its limits."""

    model: str
    template: str
    template_sha256: str
    floor: float  # minimum reader confidence of each sentence
    sentences: int  # of an answer, at most
    tokens: int  # maximum, of the sentences in the prompt
    left_alone: bool  # whether its circuit breaker is open


class Ready(Struct, frozen=True, omit_defaults=True):
    status: Literal["ready"]
    index_version: str
    collections: list[CollectionInfo]
    recall: float | None  # recall@10 of dense search against exact search; 1 if it is exact
    threshold: float  # minimum confidence of an answer
    models: list[ModelInfo]
    chooser: ChooserInfo | None = None  # only if one is configured
    threshold_precision: float | None = None  # share of the answers that was right where it was fitted
    threshold_coverage: float | None = None  # share of the questions that was answered there


class Health(Struct, frozen=True):
    status: Literal["alive"]


class Problem(Struct, frozen=True):
    """RFC 9457 problem details. Each problem type has further members for its facts."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
