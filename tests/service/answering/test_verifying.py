"""Verifying citations: never a false `valid`, and moved quotes are found."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from index.collections.build import build
from index.collections.collection import Collection
from index.config import IndexConfig
from index.search.searcher import Searcher
from index.storage.contents import Content
from index.storage.layout import Layout
from index.storage.store import Store
from index.types import Span
from prompts.packing import Run
from service.answering.citations import cite
from service.answering.verifying import verify
from service.schema import (
    Citation,
    GivenCitation,
    GivenQuote,
    GivenRange,
    SentenceRange,
    Verified,
)
from tests.support.fakes import FakeEncoder
from tests.support.mutations import (
    BESIDE,
    COPIES,
    EDITS,
    MOVES,
    ODD,
    Edit,
    Maker,
    Sentence,
    Text,
    places,
    rendered,
)

CASES = 1020  # documents, each changed once: 20 of each kind per change
KINDS = ("prose", "template", "repeating")
CODECS = ("utf-8-sig", "utf-16", "utf-16-be", "utf-32", "crlf")
CHANGES: tuple[Edit | str, ...] = (*MOVES, *COPIES, *BESIDE, *EDITS, *CODECS)
MOVED = {edit.__name__ for edit in MOVES} | {*CODECS}
EDITED = {"negate", "put_in_front", "put_behind"}


def searcher_of(folder: Path, files: dict[str, bytes]) -> Searcher:
    """A collection of these files, with the fake encoder."""
    for source, data in files.items():
        (folder / "files" / source).parent.mkdir(parents=True, exist_ok=True)
        (folder / "files" / source).write_bytes(data)
    encoder = FakeEncoder()
    place = Layout(folder / "index").collection("default")
    store = Store.create(place.store, IndexConfig("fake", encoder.sha256, encoder.dimension, budget=100), "test")
    collection = Collection(place, store, encoder)
    assert build(collection.writer, [folder / "files"]).failed == []
    return collection.searcher()


def cite_span(content: Content, first: int, last: int, span: Span) -> Citation:
    return cite(Run(content.document.number, first, last, span), content)


def given(citation: Citation) -> GivenCitation:
    """As a client sends it."""
    return msgspec.json.decode(msgspec.json.encode(citation), type=GivenCitation)


class Case(NamedTuple):
    change: str
    source: str
    before: Text
    after: Text
    newline: str = "\n"
    codec: str = "utf-8"


def case(number: int) -> Case:
    maker = Maker(number)
    change = CHANGES[number // len(KINDS) % len(CHANGES)]
    text = maker.text(KINDS[number % len(KINDS)], ODD)
    if change == "crlf":
        return Case(change, f"{number}.txt", text, text, newline="\r\n")
    if isinstance(change, str):
        return Case(change, f"{number}.txt", text, text, codec=change)
    target = maker.random.choice([sentence for paragraph in text for sentence in paragraph])
    return Case(change.__name__, f"{number}.txt", text, change(maker, text, target))


class Outcome(NamedTuple):
    """The status of one sentence; `place` is its true current position, None if it was edited or deleted."""

    case: Case
    sentence: Sentence
    place: tuple[int, int] | None
    result: Verified


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """Verify every sentence of every document after a change, and check the reported positions."""
    folder = tmp_path_factory.mktemp("mutations")
    cases = [case(number) for number in range(CASES)]
    before = searcher_of(folder / "before", {each.source: rendered(each.before).encode() for each in cases})
    files = {each.source: rendered(each.after, each.newline).encode(each.codec) for each in cases}
    after = searcher_of(folder / "after", files)
    found = []
    for each in cases:
        content = before.content(before.document(each.source).number)
        numbers = {span: number for number, span in enumerate(content.sentences)}
        now = dict(places(each.after, each.newline))
        whole = [(s, numbers[Span(*place)]) for s, place in places(each.before) if place in numbers]
        citations = [cite_span(content, number, number, content.sentences[number]) for _, number in whole]
        result = verify(after, [given(citation) for citation in citations])
        for citation, verified in zip(citations, result, strict=True):
            check(after, citation, verified)
        found += [Outcome(each, s, now.get(s), verified) for (s, _), verified in zip(whole, result, strict=True)]
    return found


def check(searcher: Searcher, sent: Citation, result: Verified) -> None:
    """`valid` only for the same bytes. The current file, sliced in each unit, is the quote, in whole sentences."""
    if result.citation is None:
        assert result.status in ("changed", "deleted")
        return
    now, quote = result.citation, sent.quote.exact
    file, where = searcher.file(now.source), now.range
    assert sha256(file).hexdigest() == now.sha256
    assert (result.status == "valid") == (now.source == sent.source and now.sha256 == sent.sha256)
    assert where.byte is not None
    text = file.decode(now.encoding).removeprefix("\ufeff")
    assert now.quote.exact == text[slice(*where.codepoint)] == quote
    assert file[slice(*where.byte)].decode(now.encoding) == quote
    assert text.encode("utf-16-le")[2 * where.utf16[0] : 2 * where.utf16[1]].decode("utf-16-le") == quote
    content = searcher.content(searcher.document(now.source).number)
    assert now == cite_span(content, now.sentences.first, now.sentences.last, Span(*where.codepoint))


def stands(outcome: Outcome) -> bool:
    return outcome.result.citation is not None and outcome.result.citation.range.codepoint == outcome.place


def test_what_only_moved_is_found_where_it_went(outcomes: list[Outcome]) -> None:
    moved = [each for each in outcomes if each.case.change in MOVED and each.place]
    right = sum(stands(each) for each in moved)
    elsewhere = sum(each.result.citation is not None and not stands(each) for each in moved)
    assert len(moved) > 8000
    assert right >= 0.995 * len(moved)
    assert elsewhere <= 0.0005 * len(moved)  # an equal sentence, with an equal context as far as it is recorded


def test_an_edited_sentence_is_changed_even_if_its_like_stands_elsewhere(outcomes: list[Outcome]) -> None:
    edited = [each for each in outcomes if each.case.change in EDITED and each.place is None]
    assert len(edited) > 150
    assert {each.result.status for each in edited} == {"changed"}


def test_neither_copies_nor_edited_neighbours_hide_a_sentence(outcomes: list[Outcome]) -> None:
    for change in ("duplicate_sentence", "duplicate_paragraph", "edit_neighbours", *EDITED):
        kept = [each for each in outcomes if each.case.change == change and each.place]
        assert len(kept) > 800
        assert sum(each.result.status == "moved" for each in kept) >= 0.98 * len(kept), change


# ---- changes of files, and false citations

FERRY = "The ferry leaves Aldhaven at 7:40 each morning. It returns at noon.\n\nDogs travel free on every boat.\n"
OTHER = "Pilots board every ship longer than 90 metres.\n"


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path)


class Versions:
    """Collections with these versions of the files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def of(self, **files: str | bytes) -> Searcher:
        self._made += 1
        data = {f"{name}.txt": file if isinstance(file, bytes) else file.encode() for name, file in files.items()}
        return searcher_of(self._folder / str(self._made), data or {"empty.txt": b""})


def cited(searcher: Searcher, source: str, quote: str) -> Citation:
    """The first sentences of a document that equal the quote."""
    content = searcher.content(searcher.document(source).number)
    for first, start in enumerate(content.sentences):
        for last, end in enumerate(content.sentences[first:], start=first):
            if content.text[start.start : end.end] == quote:
                return cite_span(content, first, last, Span(start.start, end.end))
    raise AssertionError(quote)


def verified(before: Searcher, after: Searcher, quote: str, source: str = "a.txt") -> Verified:
    sent = cited(before, source, quote)
    (verified,) = verify(after, [given(sent)])
    check(after, sent, verified)
    return verified


def test_an_unchanged_citation_comes_back_as_it_was(versions: Versions) -> None:
    now = versions.of(a=FERRY, b=OTHER)
    sent = cited(now, "a.txt", "It returns at noon.")
    also = replace(sent, also=[cited(now, "b.txt", OTHER.strip())])
    assert verify(now, [given(also), given(sent)]) == [Verified("valid", also), Verified("valid", sent)]
    (after,) = verify(versions.of(a="New.\n\n" + FERRY), [given(also)])
    assert after.citation is not None
    assert (after.status, after.citation.also) == ("moved", [])  # b.txt is deleted


def test_what_happens_to_a_file(versions: Versions) -> None:
    before = versions.of(a=FERRY, b=OTHER)
    quote = "The ferry leaves Aldhaven at 7:40 each morning."

    def status(**files: str | bytes) -> tuple[str, str | None]:
        found = verified(before, versions.of(**files), quote)
        return found.status, found.citation.source if found.citation else None

    assert status(a=FERRY, c=FERRY) == ("valid", "a.txt")
    assert status(a="New.\n\n" + FERRY, b=FERRY) == ("moved", "a.txt")
    assert status(c=FERRY, b=OTHER) == ("moved", "c.txt")
    assert status(d=FERRY, c=FERRY) == ("moved", "c.txt")
    assert status(a=OTHER, b=FERRY) == ("moved", "b.txt")
    assert status(a=FERRY.replace("7:40", "8:10"), c=FERRY) == ("moved", "c.txt")
    assert status(a=OTHER) == ("changed", None)
    assert status(c="New. " + FERRY) == ("deleted", None)
    assert status() == ("deleted", None)


@pytest.mark.parametrize(
    "after",
    [
        "It is not true that the ferry leaves Aldhaven at 7:40 each morning. It returns at noon.",
        "Nobody says: The ferry leaves Aldhaven at 7:40 each morning. It returns at noon.",
        "“The ferry leaves Aldhaven at 7:40 each morning.” It returns at noon.",
        "The ferry leaves Aldhaven at 7:40 each morning, but not on Sundays. It returns at noon.",
        "The ferry never leaves Aldhaven at 7:40 each morning. It returns at noon.",
        "The ferry leaves Aldhaven\nat 7:40 each morning. It returns at noon.",
        "The  ferry leaves Aldhaven at 7:40 each morning. It returns at noon.",
        "the ferry leaves Aldhaven at 7:40 each morning. It returns at noon.",
    ],
)
def test_a_sentence_that_says_more_or_otherwise_is_changed(versions: Versions, after: str) -> None:
    quote = "The ferry leaves Aldhaven at 7:40 each morning."
    assert verified(versions.of(a=FERRY), versions.of(a=after), quote).status == "changed"


def test_another_answer_to_another_question_is_not_the_one_that_was_cited(versions: Versions) -> None:
    before = versions.of(a="Are dogs allowed on the boat?\n\nYes.\n\nAre bicycles allowed on the boat?\n\nNo.\n")
    after = versions.of(a="Are dogs allowed on the boat?\n\nNo.\n\nAre bicycles allowed on the boat?\n\nYes.\n")
    assert verified(before, after, "Yes.").status == "changed"


def test_of_equal_sentences_the_one_in_its_context_is_found(versions: Versions) -> None:
    regions = ["The north sold little. Sales were flat. Snow fell.", "The south sold more. Sales were flat. Sun shone."]
    before = versions.of(a="\n\n".join(regions))
    after = versions.of(a="\n\n".join(["Preface.", *reversed(regions)]))
    found = verified(before, after, "Sales were flat.")
    assert found.citation is not None
    assert found.citation.quote.prefix.endswith("The north sold little. ")


def test_line_breaks_inside_a_quote_are_part_of_it(versions: Versions) -> None:
    line = "The ferry leaves Aldhaven at 7:40 each morning from the\nold pier. It returns at noon.\n"
    before, after = versions.of(a=line), versions.of(a=line.replace("\n", "\r\n"))
    assert verified(before, after, line[: line.index(" It")]).status == "changed"
    assert verified(before, after, "It returns at noon.").status == "moved"


def test_a_part_of_a_sentence_too_long_to_be_cited_whole_is_found_in_its_context(versions: Versions) -> None:
    words = [f"item {number} of the list" for number in range(300)]
    text = "The list has " + ", ".join(words) + "."
    before = versions.of(a=text)
    content = before.content(before.document("a.txt").number)
    start = text.index("item 100 of")
    sent = given(cite_span(content, 0, 0, Span(start, text.index(", item 110 of"))))

    def status(after: str) -> tuple[str, tuple[int, int] | None]:
        (found,) = verify(versions.of(a=after), [sent])
        return found.status, found.citation.range.codepoint if found.citation else None

    assert status(text) == ("valid", sent.range.codepoint)
    moved = (sent.range.codepoint[0] + 6, sent.range.codepoint[1] + 6)
    assert status("New.\n\n" + text) == ("moved", moved)
    assert status(text.replace("item 105 of", "item 105 not of")) == ("changed", None)
    assert status(text.replace("item 99 of", "no item 99 of")) == ("changed", None)
    assert status(text + "\n\n" + text) == ("changed", None)
    assert status(text[start - 100 : start + 1000] + ".") == ("changed", None)
    (blank,) = verify(versions.of(a="New.\n\n" + text), [replace(sent, quote=replace(sent.quote, exact=" "))])
    assert blank.status == "changed"


ODD_NUMBERS = [-1, 0, 1, 10**6, 2**31, 2**63, 2**64, 10**30]
numbers = st.one_of(st.sampled_from(ODD_NUMBERS), st.integers(-5, 120))
pairs = st.tuples(numbers, numbers)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    text = "\ufeffZoë 🙂 left. Zoë 🙂 left.\n\nשלום עולם. e\u0301te\u0301! " + FERRY
    return searcher_of(tmp_path_factory.mktemp("unchanged"), {"a.txt": text.encode("utf-16-le"), "b.txt": b""})


@settings(max_examples=300)
@for_all(st.data())
def test_a_citation_that_lies_is_never_valid(unchanged: Searcher, data: st.DataObject) -> None:
    """Against an oracle that slices the file in all units."""
    file = unchanged.file("a.txt")
    text = file.decode("utf-16")
    true = given(cited(unchanged, "a.txt", data.draw(st.sampled_from(["Zoë 🙂 left.", "It returns at noon."]))))
    sent = GivenCitation(
        source=data.draw(st.sampled_from(["a.txt", "b.txt", "c.txt"])),
        sha256=data.draw(st.sampled_from([true.sha256, true.sha256.upper(), "0" * 64, ""])),
        range=GivenRange(
            codepoint=data.draw(st.one_of(st.just(true.range.codepoint), pairs)),
            utf16=data.draw(st.one_of(st.just(true.range.utf16), st.none(), pairs)),
            byte=data.draw(st.one_of(st.just(true.range.byte), st.none(), pairs)),
        ),
        quote=GivenQuote(
            exact=data.draw(st.one_of(st.just(true.quote.exact), st.sampled_from(["", " ", "Zoë", "left. Zoë"]))),
            prefix=data.draw(st.sampled_from([true.quote.prefix, "", "x" * 50])),
            suffix=data.draw(st.sampled_from([true.quote.suffix, "", "x" * 50])),
        ),
        sentences=data.draw(st.one_of(st.none(), st.builds(SentenceRange, numbers, numbers, numbers))),
    )
    (found,) = verify(unchanged, [sent])
    (start, end), quote = sent.range.codepoint, sent.quote.exact
    true_now = sent.source == "a.txt" and sent.sha256.lower() == true.sha256 and 0 <= start < end <= len(text)
    true_now = true_now and text[start:end] == quote and quote.strip() != ""
    if true_now and sent.range.utf16 is not None:
        true_now = sent.range.utf16 == tuple(len(text[:n].encode("utf-16-le")) // 2 for n in (start, end))
    if true_now and sent.range.byte is not None:
        true_now = sent.range.byte == tuple(len(text[:n].encode("utf-16-le")) + 2 for n in (start, end))
    assert (found.status == "valid") == true_now
    if found.citation is not None:
        assert found.citation.quote.exact == quote == text[slice(*found.citation.range.codepoint)]


def test_a_sentence_repeated_twenty_thousand_times_is_told_by_its_number(versions: Versions) -> None:
    same = "The council met on Monday.\n\n" * 20_000
    before, after = versions.of(a=same), versions.of(a=same.replace("council", "Council", 1))
    content = before.content(before.document("a.txt").number)
    sent = [cite_span(content, n, n + n % 3, content.sentences[n]) for n in range(2, 20_000 - 3, 20)]
    found = verify(after, [given(citation) for citation in sent])
    assert len(found) > 900
    for citation, verified in zip(sent, found, strict=True):
        check(after, citation, verified)
        assert verified.citation is not None
        assert verified.citation.range == citation.range
