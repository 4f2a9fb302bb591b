"""The examples of the documentation are what the service answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from eval.examples import SEEDS, recorded
from index import models
from index.layout import Layout
from service import schema
from service.examples import ANSWERS, CALLS

KINDS: dict[str, type[Any]] = {
    "ask": schema.AskResponse,
    "search": schema.SearchResponse,
    "documents": schema.DocumentList,
    "document": schema.DocumentRecord,
    "text": schema.TextView,
    "collections": schema.CollectionList,
    "collection": schema.CollectionInfo,
    "ready": schema.Ready,
}
EACH_TIME_ANOTHER = ("request_id", "timings_ms", "updated_at", "version", "index_version")


@pytest.fixture(scope="module")
def seeds_index(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from eval.cli import run

    folder = tmp_path_factory.mktemp("seeds")
    encoder = Layout(folder).encoder(models.DEFAULT_SHA256)
    encoder.parent.mkdir(parents=True)
    encoder.symlink_to(exported)
    assert run(["build", str(SEEDS), "--index", str(folder)]) == 0
    return folder


def lasting(value: object) -> object:
    """What is the same each time."""
    if isinstance(value, dict):
        return {name: lasting(each) for name, each in value.items() if name not in EACH_TIME_ANOTHER}
    return [lasting(each) for each in value] if isinstance(value, list) else value


def nearly(value: object) -> object:
    """Equal to what another processor makes of the same networks."""
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
    assert msgspec.to_builtins(msgspec.convert(ANSWERS[name], kind)) == ANSWERS[name]
