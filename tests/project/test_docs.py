"""README and docs/: links resolve, names exist, generated parts are current, snippets run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.http.examples import ANSWERS
from tests.support.commands import ROOT, serving
from tests.support.documentation import DOCS, generated
from tests.support.snippets import Reader, blocks

README = ROOT / "README.md"
PAGES = [README, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
RUN = ("getting-started", "http-api", "formats", "command-line", "operations", "security")
LONGEST_README = 130  # lines


def anchors(text: str) -> set[str]:
    """The anchors of headings: "## Sizing & cost" -> "sizing--cost"."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"(?s)^```.*?^```", "", text, flags=re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text("utf-8")):
        path, _, fragment = link.partition("#")
        if ":" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not fragment or fragment in anchors(target.read_text("utf-8")), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [README]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(page.read_text("utf-8")))
        waiting += [(page.parent / link).resolve() for link in links if link and ":" not in link]
    assert set(DOCS.glob("*.md")) <= reached


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_generated_parts_are_current(page: Path) -> None:
    text = page.read_text("utf-8")
    assert generated(page.name, text) == text, "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_variables_and_make_targets_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    code = "".join(
        path.read_text("utf-8") for folder in ("index", "service", "eval") for path in (ROOT / folder).rglob("*.py")
    )
    for variable in set(re.findall(r"PINCITE_[A-Z_]+", text)):
        assert f'"{variable}"' in code or f" {variable} " in code, variable
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for target in set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)):
        assert target in targets, target


def test_the_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= LONGEST_README


def test_the_response_in_the_readme_is_part_of_the_recorded_one() -> None:
    (shown,) = (text for language, text in blocks(README.read_text("utf-8")) if language == "json")
    assert_part(json.loads(shown), ANSWERS["ask"])


def assert_part(part: object, whole: object) -> None:
    """Assert that a JSON value equals another, with members left out and numbers rounded."""
    if isinstance(part, dict):
        assert isinstance(whole, dict)
        for name, value in part.items():
            assert_part(value, whole[name])
    elif isinstance(part, list) and isinstance(whole, list) and part and isinstance(part[0], dict):
        for one, other in zip(part, whole, strict=True):
            assert_part(one, other)
    elif isinstance(part, float):
        assert isinstance(whole, float)
        assert part == round(whole, 2)
    else:
        assert part == whole


@pytest.fixture
def reader(tmp_path: Path, seeds_index: Path) -> Iterator[Reader]:
    """A reader beside a running service, with its own copy of the index, because pages change it and create keys."""
    index = tmp_path / "index"
    shutil.copytree(seeds_index, index)
    (tmp_path / "checkout").mkdir()
    with serving("--index", index) as (_, address):
        yield Reader(tmp_path / "checkout", address, index)


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}.md" for name in RUN)])
def test_snippets_run_in_the_order_of_the_page(page: str, reader: Reader) -> None:
    printed = [ran.output for ran in reader.read((ROOT / page).read_text("utf-8"))]
    assert printed
    if page == "README.md":
        everything = "".join(printed)
        for expected in (
            "holder of the G-7 presidency, then told",
            "first of each month",
            "It lies on the river Psel.",
        ):
            assert expected in everything
