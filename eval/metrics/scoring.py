"""Scores the response to a question."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from eval.datasets.dataset import Dataset, Gold, Question
from eval.metrics import ranking
from eval.metrics.ranking import Place
from eval.metrics.spans import exact_match, token_f1
from service import schema

Sentences = set[tuple[str, int]]  # source, sentence number


class ServedDocument(Struct, frozen=True):
    """A served document: the file, and the spans of its sentences in code points."""

    file: bytes
    text: str
    sentences: list[schema.Pair]


SourceOf = Callable[[str], ServedDocument | None]


class Response(Struct, frozen=True):
    """The recorded part of a response: all but `request_id` and `timings_ms`, which always differ."""

    status: str
    confidence: float
    answers: list[schema.Answer]
    passages: list[schema.FoundPassage]  # without their texts, which are in the corpus
    skipped: list[str]
    index: schema.IndexInfo


class Score(Struct, frozen=True):
    """The score of a response. `values` are the measures that apply to its question, each from 0 to 1."""

    id: str
    type: str | None
    answerable: bool
    expected: str
    given: str  # at the served threshold
    confidence: float
    values: dict[str, float]
    citations: int = 0
    exact: int = 0  # citations whose ranges all match their quote

    @property
    def right(self) -> bool:
        """Whether the first answer is right."""
        return self.values.get("hit@1", 0.0) == 1.0


def score_all(dataset: Dataset, responses: Sequence[Response], source_of: SourceOf, threshold: float) -> list[Score]:
    """One score per question, in order."""
    ranked = ranking.measure(
        {
            question.id: _rankings(dataset, question, response)
            for question, response in zip(dataset.questions, responses, strict=True)
            if question.answerable
        }
    )
    scores = []
    for question, response in zip(dataset.questions, responses, strict=True):
        status = response.status if response.answers and response.confidence >= threshold else "abstained"
        values = ranked.get(question.id, {})
        if not dataset.judges_documents:
            values |= {"status accuracy": float(status == question.status)}
            values |= _answer_values(question, response, source_of) if question.answerable else {}
        scores.append(_score(question, response, status, values, source_of))
    return scores


def _rankings(dataset: Dataset, question: Question, response: Response) -> list[ranking.Ranked]:
    places = [Place(each.source, *each.range.codepoint) for each in response.passages]
    if dataset.judges_documents:
        return ranking.of_documents(places, dataset.relevant[question.id])
    return ranking.of_passages(places, question.needed)


def _score(question: Question, response: Response, status: str, values: dict[str, float], source_of: SourceOf) -> Score:
    citations = [citation for answer in response.answers for citation in citations_of(answer)]
    return Score(
        id=question.id,
        type=question.type,
        answerable=question.answerable,
        expected=question.status,
        given=status,
        confidence=response.confidence,
        values=values,
        citations=len(citations),
        exact=sum(is_exact(citation, source_of(citation.source)) for citation in citations),
    )


def _answer_values(question: Question, response: Response, source_of: SourceOf) -> dict[str, float]:
    hits = [float(answers_hit(question, response.answers[:depth])) for depth in (1, 3)]
    precision, recall = citation_values(question, response, source_of)
    answer = highlighted(response)
    return {
        "hit@1": hits[0],
        "hit@3": hits[1],
        "citation precision": precision,
        "citation recall": recall,
        "exact match": max(exact_match(answer, gold.text) for gold in question.answers),
        "token F1": max(token_f1(answer, gold.text) for gold in question.answers),
    }


def answers_hit(question: Question, answers: Sequence[schema.Answer]) -> bool:
    """Whether a cited sentence overlaps a gold answer; sentences in `also` count, because they are identical."""
    return any(
        citation.source == gold.doc and overlap(citation.range.codepoint, gold)
        for answer in answers
        for citation in citations_of(answer)
        for gold in question.answers
    )


def citation_values(question: Question, response: Response, source_of: SourceOf) -> tuple[float, float]:
    """Precision and recall of the cited sentences: of the first answer, or of all sides of a conflict.

    Precision: the share that overlaps an answer or a piece of evidence. Recall: the share of the needed sentences that
    is cited, for the alternative with the highest share. Both are 0 if nothing is cited.
    """
    sides = response.answers if response.status == "conflicting" else response.answers[:1]
    cited: Sentences = {
        (citation.source, number)
        for answer in sides
        for citation in answer.citations
        for number in range(citation.sentences.first, citation.sentences.last + 1)
    }
    if not cited:
        return 0.0, 0.0
    alternatives = [gold_sentences(alternative, source_of) for alternative in question.needed]
    right = gold_sentences(question.answers, source_of).union(*alternatives)
    recall = max((len(cited & needed) / len(needed) for needed in alternatives if needed), default=0.0)
    return len(cited & right) / len(cited), recall


def gold_sentences(golds: Iterable[Gold], source_of: SourceOf) -> Sentences:
    """The sentences that overlap any of the spans."""
    sentences: Sentences = set()
    for gold in golds:
        source = source_of(gold.doc)
        if source is not None:
            first = bisect_right(source.sentences, gold.start, key=lambda span: span[1])
            last = bisect_left(source.sentences, gold.end, key=lambda span: span[0])
            sentences.update((gold.doc, number) for number in range(first, last))
    return sentences


def highlighted(response: Response) -> str:
    """The words highlighted in the first answer, or an empty text."""
    marked = response.answers[0].highlight if response.answers else None
    return marked.text if marked else ""


def citations_of(answer: schema.Answer) -> list[schema.Citation]:
    return [each for citation in answer.citations for each in (citation, *citation.also)]


def overlap(range_: schema.Pair, gold: Gold) -> bool:
    return range_[0] < gold.end and gold.start < range_[1]


def is_exact(citation: schema.Citation, source: ServedDocument | None) -> bool:
    """Whether all three ranges of a citation match its quote in the file itself."""
    if source is None or citation.range.byte is None:
        return False
    quote, place = citation.quote.exact, citation.range
    try:
        text = source.file.decode(citation.encoding).removeprefix("\ufeff")
        by_byte = source.file[slice(*citation.range.byte)].decode(citation.encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    by_codepoint = text[slice(*place.codepoint)]
    units = text.encode("utf-16-le", "surrogatepass")[2 * place.utf16[0] : 2 * place.utf16[1]]
    return quote == by_byte == by_codepoint == units.decode("utf-16-le", "surrogatepass")
