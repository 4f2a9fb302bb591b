"""Decoding request bodies: large ones off the event loop, and no repeated fields."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient

from service.answering.answering import Answering
from service.errors import RepeatedField
from service.http import validation
from service.http.app import create_app
from service.http.validation import LARGE, decode
from service.schema import SearchRequest, VerifyRequest
from service.settings import Settings

CITATION = {"source": "a.txt", "sha256": "0", "range": {"codepoint": [0, 1]}, "quote": {"exact": "A"}}
VERIFY = "/v1/citations/verify"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/ask/batch", {"questions": ["é" * 2000] * 40}),
        (VERIFY, {"citations": [CITATION] * 900}),
        ("/v1/search", {"query": "ferry", "sources": ["x" * 1000] * 100}),
    ],
)
def test_the_event_loop_decodes_no_large_body(
    index_folder: Path, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, object]
) -> None:
    on_the_loop: list[bool] = []

    def watched(body: bytes, kind: type[msgspec.Struct]) -> msgspec.Struct:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            on_the_loop.append(False)
        else:
            on_the_loop.append(True)
        return decode(body, kind)

    monkeypatch.setattr(validation, "decode", watched)
    assert len(json.dumps(body)) > LARGE
    settings = Settings.from_env({}, allow_anonymous=True)
    with TestClient(create_app(Answering.open(index_folder), settings)) as client:
        assert client.post(path, json=body).status_code == 200
        assert client.post("/v1/search", json={"query": "ferry"}).status_code == 200
    assert on_the_loop == [False, True]


@st.composite
def citations(draw: st.DrawFn, depth: int = 2) -> str:
    """A citation as JSON, with some fields repeated, and unknown ones."""
    fields = [(name, json.dumps(value)) for name, value in CITATION.items()]
    if depth:
        fields.append(("also", "[" + ", ".join(draw(st.lists(citations(depth - 1), max_size=2))) + "]"))
    fields += draw(st.lists(st.tuples(st.just("other"), st.just('{"deep": 1}')), max_size=1))
    again = draw(st.sampled_from([None, None, None, *fields]))
    if again is not None:
        fields.append(again)
    if draw(st.sampled_from([True, *[False] * 5])):
        fields[2] = ("range", '{"codepoint": [0, 1], "codepoint": [0, 1]}')
    order = draw(st.permutations(fields))
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in order) + "}"


def repeats(text: str) -> bool:
    """Whether any object has a repeated field, according to the standard library."""
    found = False

    def count(pairs: list[tuple[str, object]]) -> None:
        nonlocal found
        found = found or len({name for name, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=count)
    return found


@given(st.lists(citations(), max_size=3))
def test_a_field_given_twice_is_refused_wherever_it_stands(given_citations: list[str]) -> None:
    body = '{"citations": [' + ", ".join(given_citations) + "]}"
    try:
        decoded = decode(body.encode(), VerifyRequest)
    except RepeatedField:
        assert repeats(body)
    else:
        assert not repeats(body)
        assert len(decoded.citations) == len(given_citations)


def test_a_name_given_twice_in_two_spellings_is_refused() -> None:
    with pytest.raises(RepeatedField):
        decode(b'{"citations": [], "cit\\u0061tions": []}', VerifyRequest)


@given(st.lists(st.tuples(st.sampled_from(["query", "top_k", "sources", "collection"]), st.booleans())))
def test_a_field_of_a_flat_object_given_twice_is_refused(fields: list[tuple[str, bool]]) -> None:
    values = {"query": '"ferry"', "top_k": "3", "sources": '["a", "a"]', "collection": '"default"'}
    spelled = [(name.replace("e", "\\u0065") if escaped else name, values[name]) for name, escaped in fields]
    body = "{" + ", ".join(f'"{name}": {value}' for name, value in [("query", '"x"'), *spelled]) + "}"
    try:
        decode(body.encode(), SearchRequest)
    except RepeatedField:
        assert repeats(body)
    else:
        assert not repeats(body)
