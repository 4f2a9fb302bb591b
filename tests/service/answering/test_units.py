"""Answers at the grain of the document: rows, lists, steps and code whole, and nothing that is no answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.embedding import models
from index.storage.layout import Layout
from pincite import run
from service.answering.answering import Answering
from service.schema import AskRequest, AskResponse

FILES = {
    "fares.md": "# Ferry\n\n| Fare | Price |\n|---|---|\n| Adult ticket | 12 EUR |\n| Child ticket | 5 EUR |\n"
    "| Dog | free |\n",
    "tail.md": "# Settings\n\n| Variable | Default | Meaning |\n|---|---|---|\n"
    "| COLOR | 0 | Whether to use colours. |\n"
    "| TAIL | 1 | Whether to output the log. Can be disabled by 0. |\n",
    "platforms.md": "# Lantern\n\nLantern is small.\n\nThe following platforms are supported:\n\n"
    "- Linux\n- macOS\n- Windows\n",
    "install.md": "# Lantern\n\n## Installing\n\nTo install it, run this command:\n\n```\npip install lantern\n```\n\n"
    "## Colours\n\nThe flame is yellow.\n",
    "steps.md": "# Kettle\n\n## Descaling\n\nTo descale the kettle:\n\n1. Fill it with vinegar.\n2. Let it boil.\n"
    "3. Rinse it twice.\n\n## Guarantee\n\nThe guarantee lasts two years.\n",
    "changes.md": "# Changes\n\n## 3.2.0 - 2025-02-11\n\n- Added a dark mode.\n- Fixed the clock.\n\n"
    "## 3.1.0 - 2024-11-02\n\n- Added printing.\n",
    "passport.md": "# Passports\n\n## Renewing\n\nIt takes one day.\n\n## Cancelling\n\nIt takes two weeks.\n",
    "chat.txt": "When does the pool open on Monday?\n\nIt opens at seven, says the sign.\n",
    "hidden.md": "# Mill\n\n<!-- The mill was sold for 90,000 EUR. -->\n\nThe mill stands by the river.\n",
    "marked.md": "# Hall\n\nThe hall has room for **240 guests** and a `stage`.\n",
}


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> Iterator[Answering]:
    folder = tmp_path_factory.mktemp("units")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    index = tmp_path_factory.mktemp("index")
    encoder = Layout(index).encoder(models.DEFAULT_SHA256)
    encoder.parent.mkdir(parents=True)
    encoder.symlink_to(exported)
    assert run(["build", str(folder), "--index", str(index)]) == 0
    opened = Answering.open(index)
    yield opened
    opened.close()


def ask(answering: Answering, question: str, source: str, **options: object) -> AskResponse:
    return answering.ask(AskRequest(question=question, sources=[source], **options), "test")  # type: ignore[arg-type]


def quotes(response: AskResponse) -> list[str]:
    return [citation.quote.exact for citation in response.answers[0].citations]


def test_a_row_answers_with_its_header_as_a_citation_of_its_own(answering: Answering) -> None:
    response = ask(answering, "How much is a child ticket?", "fares.md")
    assert response.status == "answered"
    assert response.answers[0].kind == "row"
    assert quotes(response) == ["| Fare | Price |", "| Child ticket | 5 EUR |"]
    highlight = response.answers[0].highlight
    assert highlight is not None
    assert (highlight.text, highlight.citation) == ("5 EUR", 1)


def test_a_row_that_the_question_does_not_name_is_no_companion(answering: Answering) -> None:
    response = ask(answering, "How much is a child ticket?", "fares.md", max_answers=1)
    assert "Adult" not in response.answers[0].text


def test_a_row_with_sentences_in_it_is_cited_whole(answering: Answering) -> None:
    response = ask(answering, "What does TAIL do?", "tail.md", min_confidence=0)
    assert quotes(response)[-1] == "| TAIL | 1 | Whether to output the log. Can be disabled by 0. |"


def test_a_list_is_its_introduction_and_all_its_items(answering: Answering) -> None:
    response = ask(answering, "Which platforms are supported?", "platforms.md")
    assert response.status == "answered"
    assert response.answers[0].kind == "list"
    assert quotes(response) == ["The following platforms are supported:\n\n- Linux\n- macOS\n- Windows"]


def test_code_comes_with_the_line_that_introduces_it(answering: Answering) -> None:
    response = ask(answering, "How do I install Lantern?", "install.md", min_confidence=0)
    assert response.answers[0].kind == "code"
    assert quotes(response) == ["To install it, run this command:\n\n```\npip install lantern\n```"]


def test_steps_are_complete_and_in_order(answering: Answering) -> None:
    response = ask(answering, "How do I descale the kettle?", "steps.md", min_confidence=0)
    assert response.answers[0].kind == "steps"
    assert quotes(response) == [
        "To descale the kettle:\n\n1. Fill it with vinegar.\n2. Let it boil.\n3. Rinse it twice."
    ]


def test_a_heading_answers_when_it_has_the_date_that_is_asked_for(answering: Answering) -> None:
    response = ask(answering, "When was 3.2.0 released?", "changes.md", min_confidence=0)
    assert quotes(response) == ["## 3.2.0 - 2025-02-11"]


def test_an_item_shows_the_heading_that_answers_which_version(answering: Answering) -> None:
    response = ask(answering, "Which version added dark mode?", "changes.md", min_confidence=0)
    assert quotes(response) == ["## 3.2.0 - 2025-02-11", "- Added a dark mode."]


def test_the_heading_says_which_of_two_alike_is_meant(answering: Answering) -> None:
    response = ask(answering, "How long does renewing take?", "passport.md")
    assert response.status == "answered"
    assert quotes(response) == ["It takes one day."]


@pytest.mark.parametrize(
    ("question", "source", "never"),
    [
        ("When does the pool open on Monday?", "chat.txt", "When does the pool open on Monday?"),
        ("How do I install Lantern?", "install.md", "## Installing"),
        ("How much is a dog?", "fares.md", "| Fare | Price |"),
        ("For how much was the mill sold?", "hidden.md", "90,000"),
    ],
)
def test_what_is_no_answer_is_never_one_by_itself(answering: Answering, question: str, source: str, never: str) -> None:
    response = ask(answering, question, source, min_confidence=0, max_answers=20)
    assert all(never not in answer.citations[-1].quote.exact for answer in response.answers)


def test_a_highlight_begins_and_ends_with_a_word(answering: Answering) -> None:
    for source in FILES:
        for question in ("How many guests fit into the hall?", "How much?", "What?"):
            for answer in ask(answering, question, source, min_confidence=0, max_answers=20).answers:
                if answer.highlight is not None:
                    assert answer.highlight.text[0].isalnum()
                    assert answer.highlight.text[-1].isalnum()


def test_an_abstention_comes_with_what_is_nearest(answering: Answering) -> None:
    asked = {"question": "What is the capital of Peru?", "source": "platforms.md", "min_confidence": 1}
    response = ask(answering, **asked)  # type: ignore[arg-type]
    assert (response.status, response.answers) == ("abstained", [])
    assert 1 <= len(response.nearest) <= 3
    assert [each.confidence for each in response.nearest] == sorted(
        (each.confidence for each in response.nearest), reverse=True
    )
    assert len(ask(answering, **asked, nearest=1).nearest) == 1  # type: ignore[arg-type]
    assert ask(answering, **asked, nearest=0).nearest == []  # type: ignore[arg-type]
    assert ask(answering, "Which platforms are supported?", "platforms.md", min_confidence=0).nearest == []


def test_sources_say_how_many_documents_they_match(answering: Answering) -> None:
    response = ask(answering, "Which platforms are supported?", "nothing/**")
    assert (response.status, response.answers, response.nearest) == ("abstained", [], [])
    assert response.matched is not None
    assert response.matched.documents == 0
    matched = ask(answering, "Which platforms are supported?", "*.md").matched
    assert matched is not None
    assert matched.documents == sum(name.endswith(".md") for name in FILES)
    assert answering.ask(AskRequest(question="Which platforms are supported?"), "test").matched is None
