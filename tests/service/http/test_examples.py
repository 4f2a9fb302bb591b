"""The examples in the documentation are real responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from eval.benchmarks.examples import recorded
from service import schema
from service.http.examples import ANSWERS, CALLS

KINDS: dict[str, type[Any]] = {
    "ask": schema.AskResponse,
    "search": schema.SearchResponse,
    "context": schema.ContextResponse,
    "documents": schema.DocumentList,
    "document": schema.DocumentRecord,
    "text": schema.TextView,
    "collections": schema.CollectionList,
    "collection": schema.CollectionInfo,
    "ready": schema.Ready,
    "verify": schema.VerifyResponse,
}
EACH_TIME_ANOTHER = ("request_id", "timings_ms", "updated_at", "version", "index_version")


def lasting(value: object) -> object:
    """The reproducible members."""
    if isinstance(value, dict):
        return {name: lasting(each) for name, each in value.items() if name not in EACH_TIME_ANOTHER}
    return [lasting(each) for each in value] if isinstance(value, list) else value


def nearly(value: object) -> object:
    """Equal up to differences between processors."""
    if isinstance(value, dict):
        return {name: nearly(each) for name, each in value.items()}
    if isinstance(value, list):
        return [nearly(each) for each in value]
    return pytest.approx(value, abs=0.02) if isinstance(value, float) else value


def test_the_service_answers_what_the_documentation_shows(seeds_index: Path) -> None:
    answers = recorded(seeds_index)
    assert answers.keys() == ANSWERS.keys() == CALLS.keys()
    for name, answer in answers.items():
        assert lasting(answer) == nearly(lasting(ANSWERS[name])), name


@pytest.mark.parametrize("name", CALLS)
def test_every_example_has_all_fields_of_its_struct(name: str) -> None:
    kind = KINDS[name]
    assert msgspec.json.decode(msgspec.json.encode(msgspec.convert(ANSWERS[name], kind))) == ANSWERS[name]
