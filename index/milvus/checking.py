"""Checks a collection in Milvus: documents against their hashes, passages against documents, and the totals."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

import msgspec
import numpy as np

from index.collections.build import Progress
from index.maintenance.checking import UNIT, Checked, Finding, in_order, matches
from index.milvus.collection import Bound
from index.milvus.contents import Whole
from index.milvus.tables import DOCUMENTS, JOURNAL, PIECES_TABLE, Row, passage_key, quoted
from index.milvus.writer import FIELDS, Named, Present
from index.text.extraction import text_of
from index.types import Span

AT_ONCE = 32  # documents read together
PUT_AGAIN = "Upload the document again, or restore Milvus from a backup (milvus-backup)."
REPAIR = "`pincite check --repair` corrects the totals and erases orphaned rows."


def check_collection(bound: Bound, repair: bool, progress: Progress) -> Checked:  # noqa: FBT001
    """Check a collection. `repair` corrects the totals and erases orphans; findings are those that remain."""
    state = bound.state()
    rows = [Present.of(row) for row in bound.part.engine.rows(DOCUMENTS.name, bound.part.rows, FIELDS)]
    findings: list[Finding] = []
    for done in range(0, len(rows), AT_ONCE):
        progress("documents", done, len(rows))
        findings += check_documents(bound, rows[done : done + AT_ONCE])
    progress("documents", len(rows), len(rows))
    lost = orphans(bound, rows)
    if repair:
        bound.writer.erase(sorted(lost))
        bound.writer.recount()
        lost, state = set(), bound.state()
    if lost:
        findings.append(Finding("passages and pieces", f"{len(lost)} versions belong to no document", REPAIR))
    counted = (len(rows), sum(each.passages for each in rows), sum(each.words for each in rows))
    if counted != (state.documents, state.passages, state.words):
        recorded = f"{state.documents} documents and {state.passages} passages are recorded"
        findings.append(Finding("counts", f"{recorded}, {counted[0]} and {counted[1]} exist", REPAIR))
    return Checked(bound.name, len(rows), counted[1], findings, bound.searcher(state).dense)


def check_documents(bound: Bound, rows: list[Present]) -> Iterator[Finding]:
    wholes = bound.versions.wholes([each.version for each in rows])
    fields = ["version", "first", "last", "begin", "stop", "text", "vector"]
    for each in rows:
        whole = wholes[each.version]
        expression = f"{bound.part.rows} and version == {quoted(each.version)}"
        passages = {row["key"]: row for row in bound.part.engine.rows(bound.part.table.name, expression, fields)}
        for what in flaws(each, whole, passages, bound.part.config.dimension):
            yield Finding(each.document.source, what, PUT_AGAIN)


def flaws(present: Present, whole: Whole | None, rows: dict[str, Row], dimension: int) -> Iterator[str]:
    document = present.document
    if whole is None:
        yield "its pieces are incomplete or damaged"
        return
    if len(whole.file) != document.bytes or hashlib.sha256(whole.file).hexdigest() != document.sha256:
        yield "its file does not match its SHA-256"
        return
    try:
        text = text_of(document, whole.file, whole.extraction)
    except (LookupError, ValueError):
        yield f"its file cannot be decoded as {document.encoding}"
        return
    spans = [Span(start, end) for start, end in np.frombuffer(whole.spans, np.int32).reshape(-1, 2).tolist()]
    if len(spans) != document.sentences or not in_order(spans, text):
        yield "its sentence offsets do not match its text"
    elif not all(0 <= each.first <= each.last < len(spans) for each in whole.passages):
        yield "a passage refers to sentences that do not exist"
    elif not all(matches(spans, each.first, each.last, *each.span) for each in whole.passages):
        yield "a passage does not begin and end with its sentences"
    if len(whole.passages) != present.passages:
        yield "its row has the wrong number of passages"
    yield from flaws_of_passages(present, whole, rows, text, dimension)


def flaws_of_passages(present: Present, whole: Whole, rows: dict[str, Row], text: str, dimension: int) -> Iterator[str]:
    expected = {passage_key(present.version, number): passage for number, passage in enumerate(whole.passages)}
    if rows.keys() != expected.keys():
        yield f"{len(expected)} passages expected, {len(rows)} found"
    for key in rows.keys() & expected.keys():
        row, passage = rows[key], expected[key]
        if (row["first"], row["last"], row["begin"], row["stop"]) != (passage.first, passage.last, *passage.span):
            yield "the offsets of a passage are wrong"
        elif row["text"] != text[passage.span.start : passage.span.end]:
            yield "the text of a passage differs from its document"
        length = float(np.linalg.norm(np.array(row["vector"], np.float32)))
        if len(row["vector"]) != dimension or not abs(length - 1) <= UNIT:
            yield "the vector of a passage is not of unit length"


def orphans(bound: Bound, rows: list[Present]) -> set[str]:
    """Versions that neither a document nor the journal names, so that no sweep would erase them."""
    named = {version for each in rows for version in [each.version, *(replaced.version for replaced in each.replaced)]}
    for entry in bound.part.engine.rows(JOURNAL.name, bound.part.rows, ["versions"]):
        named |= {version for _, version in msgspec.json.decode(entry["versions"], type=list[Named])}
    versions: Counter[str] = Counter()
    for table in (PIECES_TABLE.name, bound.part.table.name):
        versions.update(row["version"] for row in bound.part.engine.rows(table, bound.part.rows, ["version"]))
    return versions.keys() - named
