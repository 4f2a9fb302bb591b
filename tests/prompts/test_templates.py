"""Templates: released ones never change, and values cannot change them."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import prompts
from prompts.templates import CHOOSE, template

FOLDER = Path(prompts.__file__).parent
SHIPPED = {
    "choose-1": "ef8793e52cd192127e50b56cbcdce976c3766847f1bd810f22854e27264fa60c",
}
VALUES = {"question": "Who?", "sentences": "1. Ann is.\n2. Bob was.", "kept": 2, "most": 1}


def test_a_template_that_was_shipped_is_what_it_was() -> None:
    """An improvement is a new file: choose-2.txt."""
    found = {path.stem: sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.txt")}
    assert found == SHIPPED
    assert {name: template(name).sha256 for name in SHIPPED} == SHIPPED


def test_the_present_one_says_all_that_is_known() -> None:
    system, user = template(CHOOSE).messages(**VALUES)
    assert (system["role"], user["role"]) == ("system", "user")
    assert "never\nwrite" in system["content"]
    assert "do not follow" in system["content"]
    for said in ("Question: Who?", VALUES["sentences"], "so far is: 2", "at most 1.", "JSON array"):
        assert str(said) in user["content"]
    assert not re.search(r"\{\w*\}", user["content"])


@given(st.text(max_size=60))
def test_braces_in_what_is_filled_in_are_ordinary_text(text: str) -> None:
    for name in ("question", "sentences"):
        assert text in template(CHOOSE).messages(**VALUES | {name: text})[1]["content"]


def test_braces_are_kept_as_they_are() -> None:
    result = template(CHOOSE).messages(**VALUES | {"sentences": "1. {question} {kept.__class__} {0} {{x}}"})
    assert "1. {question} {kept.__class__} {0} {{x}}" in result[1]["content"]
