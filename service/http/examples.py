"""Examples for the documentation: requests, and the service's recorded responses over the documents of seeds/.

`make examples` records the responses; a test compares them with fresh ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct


class Example(Struct, frozen=True):
    method: str
    path: str
    body: dict[str, object] | None = None


BATCH = {"questions": ["Who holds the G-7 presidency this year?", "On which river does Sumy lie?"], "max_answers": 1}
RECORDED = Path(__file__).with_name("examples.json")
ANSWERS: dict[str, Any] = msgspec.json.decode(RECORDED.read_bytes())
_CITED = ANSWERS["ask"]["answers"][0]["citations"][0]
CALLS = {
    "ask": Example("POST", "/v1/ask", {"question": "Who holds the G-7 presidency this year?", "max_answers": 1}),
    "search": Example("POST", "/v1/search", {"query": "steelworks in Kryvyi Rih", "top_k": 1}),
    "context": Example("POST", "/v1/context", {"question": "On which river does Sumy lie?", "max_tokens": 200}),
    "verify": Example("POST", "/v1/citations/verify", {"citations": [_CITED]}),
    "documents": Example("GET", "/v1/documents?limit=1"),
    "document": Example("GET", "/v1/documents/places/sumy.txt"),
    "text": Example("GET", "/v1/texts/places/sumy.txt"),
    "collections": Example("GET", "/v1/collections"),
    "collection": Example("GET", "/v1/collections/default"),
    "ready": Example("GET", "/ready"),
}


def asked(name: str) -> dict[str, object] | None:
    return CALLS[name].body


def answered(name: str) -> object:
    return ANSWERS[name]
