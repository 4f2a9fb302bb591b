"""What the blocks of documents are, in each format, and what belongs to what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.text.formats import extract
from index.text.rendering import Renderer, bare
from index.text.sentences import split
from index.text.structure import NEVER_CITED, Structure, joined
from index.types import Block, BlockKind, Sentence, Span


def blocks_of(text: str, source: str) -> list[Block]:
    return joined(text, extract(text.encode(), source, None, "utf-8").blocks)


def kinds(text: str, source: str = "a.md") -> list[tuple[BlockKind, str]]:
    return [(block.kind, text[slice(*block.span)]) for block in blocks_of(text, source)]


def units(text: str, source: str = "a.md") -> list[list[str]]:
    """The texts of the blocks that share a group, in order."""
    groups: dict[int, list[str]] = {}
    for block in blocks_of(text, source):
        if block.group is not None:
            groups.setdefault(block.group, []).append(text[slice(*block.span)])
    return list(groups.values())


def sentences_of(text: str, source: str) -> list[Sentence]:
    return split(text, blocks_of(text, source))


def read(text: str, source: str) -> list[str]:
    """What is read of each sentence."""
    sentences = sentences_of(text, source)
    media_type = extract(text.encode(), source).media_type
    renderer = Renderer(text, [each.span for each in sentences], Structure.of(sentences), media_type)
    return [renderer.text(number, number, each.span) for number, each in enumerate(sentences)]


TABLES = {
    "a.md": "| Fare | Price |\n|:-----|------:|\n| Adult ticket | 12 EUR |\n| Child ticket | 5 EUR |\n",
    "a.rst": "============  ======\nFare          Price\n============  ======\nAdult ticket  12 EUR\n"
    "Child ticket  5 EUR\n============  ======\n",
    "b.rst": "+--------------+--------+\n| Fare         | Price  |\n+==============+========+\n"
    "| Adult ticket | 12 EUR |\n+--------------+--------+\n| Child ticket | 5 EUR  |\n+--------------+--------+\n",
    "a.adoc": '[options="header"]\n|===\n|Fare |Price\n|Adult ticket |12 EUR\n|Child ticket\n|5 EUR\n|===\n',
}


@pytest.mark.parametrize("source", TABLES)
def test_a_row_is_read_with_the_names_of_its_columns(source: str) -> None:
    text = TABLES[source]
    cited = [block.kind for block in blocks_of(text, source) if block.kind not in NEVER_CITED]
    assert cited == ["header", "row", "row"]
    assert read(text, source) == [
        "Fare | Price",
        "Fare: Adult ticket | Price: 12 EUR",
        "Fare: Child ticket | Price: 5 EUR",
    ]


def test_a_row_is_one_sentence_whatever_stands_in_it() -> None:
    row = "| TAIL | 1 | Whether to output the log. Can be disabled by 0. |"
    text = f"| Name | Default | What |\n|---|---|---|\n{row}\n"
    assert [text[slice(*each.span)] for each in sentences_of(text, "a.md")][1:] == [row]


LISTS = {
    "a.md": "The following platforms are supported:\n\n- Linux\n- macOS\n- Windows\n",
    "b.md": "The following platforms are supported:\n- Linux\n- macOS\n- Windows\n",
    "a.rst": "The following platforms are supported:\n\n* Linux\n* macOS\n* Windows\n",
    "a.adoc": "The following platforms are supported:\n\n* Linux\n* macOS\n* Windows\n",
    "a.txt": "The following platforms are supported:\n\n- Linux\n- macOS\n- Windows\n",
}


@pytest.mark.parametrize("source", LISTS)
def test_a_list_has_its_introduction_and_all_its_items(source: str) -> None:
    text = LISTS[source]
    (unit,) = units(text, source)
    assert [each.lstrip("-* ") for each in unit] == [
        "The following platforms are supported:",
        "Linux",
        "macOS",
        "Windows",
    ]
    first, *items = blocks_of(text, source)
    assert first.introduces
    assert {each.kind for each in items} == {"item"}


COMMANDS = {
    "a.md": "To install it, run this command:\n\n```\npip install lantern\n```\n",
    "b.md": "To install it, run this command:\n\n    pip install lantern\n",
    "a.rst": "To install it, run this command::\n\n    pip install lantern\n",
    "b.rst": "To install it, run this command:\n\n.. code-block:: bash\n\n   pip install lantern\n",
    "a.adoc": "To install it, run this command:\n\n[source,bash]\n----\npip install lantern\n----\n",
}


@pytest.mark.parametrize("source", COMMANDS)
def test_code_goes_with_the_line_that_introduces_it(source: str) -> None:
    (unit,) = units(COMMANDS[source], source)
    assert unit[0].startswith("To install it")
    assert "pip install lantern" in unit[1]
    assert [block.kind for block in blocks_of(COMMANDS[source], source) if block.group is not None] == [
        "paragraph",
        "code",
    ]


STEPS = {
    "a.md": "1. Stop.\n2. Look:\n\n   ```\n   look\n   ```\n3. Go.\n",
    "b.md": "1. Stop.\n2. Look:\n\n```\nlook\n```\n\n3. Go.\n",
    "c.md": "#. Stop.\n#. Look: look\n#. Go.\n",
    "a.rst": "#. Stop.\n#. Look::\n\n     look\n\n#. Go.\n",
    "a.adoc": ". Stop.\n. Look:\n+\n----\nlook\n----\n. Go.\n",
    "a.txt": "1. Stop.\n2. Look: look\n3. Go.\n",
}


@pytest.mark.parametrize("source", STEPS)
def test_steps_are_complete_and_in_order(source: str) -> None:
    (unit,) = units(STEPS[source], source)
    whole = " ".join(unit)
    assert whole.index("Stop") < whole.index("Look") < whole.index("look") < whole.index("Go")
    assert "step" in {block.kind for block in blocks_of(STEPS[source], source)}


def test_letters_and_numerals_are_items_of_deeper_levels() -> None:
    text = "#. Members\n   a) students\n   b) staff\n      (i) full time\n      (ii) part time\n#. Guests\n"
    levels = [(block.kind, block.level) for block in blocks_of(text, "a.md")]
    assert levels == [("step", level) for level in (0, 1, 1, 2, 2, 0)]
    assert len({block.group for block in blocks_of(text, "a.md")}) == 1


TOML = (
    '+++\ntitle = "The night"\nurl = "https://example.org/n"\ndate = 2025-04-13\n'
    'team = ["legal", "hr"]\ndraft = false\n+++\n'
)


def test_front_matter_gives_title_url_date_and_more_and_is_never_a_sentence() -> None:
    for head in (
        '---\ntitle: "The night"\nurl: https://example.org/n\ndate: 2025-04-13\nteam: [legal, hr]\ndraft: false\n---\n',
        TOML,
    ):
        text = head + "\nIt is dark.\n"
        found = extract(text.encode(), "a.md")
        assert (found.title, found.url, found.date) == ("The night", "https://example.org/n", "2025-04-13")
        assert found.meta == {"team": "legal, hr", "draft": "false"}
        assert [text[slice(*each.span)] for each in sentences_of(text, "a.md")] == ["It is dark."]


@pytest.mark.parametrize(
    "body", ["a: &a [x]\nb: [*a, *a]", "!!python/object/apply:os.system [id]", "a: [", "- x", "\t"]
)
def test_hostile_front_matter_gives_nothing_but_its_lines(body: str) -> None:
    found = extract(f"---\n{body}\n---\nText.\n".encode(), "a.md")
    assert found.title is None
    assert all(len(value) <= 1000 for value in found.meta.values())


def test_an_address_or_a_date_that_is_none_is_not_taken() -> None:
    found = extract(b"---\nurl: javascript:alert(1)\ndate: soon\n---\nText.\n", "a.md")
    assert (found.url, found.date) == (None, None)


NOT_CITED = {
    "a.md": [
        "<!-- a note\n\nto us -->\n\nText.\n",
        "[![build](https://x/y.svg)](https://x)\n\nText.\n",
        "***\n\nText.\n",
        "[home]: https://example.org\n\nText.\n",
        "<div>\n</div>\n\nText.\n",
    ],
    "a.rst": [
        ".. a note to us\n   on two lines\n\nText.\n",
        ".. image:: a.png\n\nText.\n",
        "----\n\nText.\n",
        ":Author: Me\n\nText.\n",
    ],
    "a.adoc": ["// a note\nText.\n", "////\na\nnote\n////\nText.\n", ":toc:\n\nText.\n", "image::a.png[]\n\nText.\n"],
}


@pytest.mark.parametrize(("source", "text"), [(source, text) for source, texts in NOT_CITED.items() for text in texts])
def test_comments_badges_and_rules_are_no_sentences(source: str, text: str) -> None:
    assert [text[slice(*each.span)] for each in sentences_of(text, source)] == ["Text."]


def test_a_table_of_contents_is_lines_and_none_is_a_sentence_of_thousands() -> None:
    lines = [f"{n}. Section number {n} of the report {'. ' * 20}{n + 3}" for n in range(1, 200)]
    text = "Contents\n\n" + "\n".join(lines) + "\n\nThe report begins here.\n"
    blocks = blocks_of(text, "a.txt")
    assert [block.kind for block in blocks].count("contents") == len(lines)
    assert max(each.span.end - each.span.start for each in sentences_of(text, "a.txt")) < 100


def test_a_fence_that_nobody_closes_ends_at_a_blank_line() -> None:
    text = "Run:\n\n```\nmake\n\n## After\n\nIt takes a day.\n"
    assert kinds(text) == [
        ("paragraph", "Run:"),
        ("code", "```\nmake"),
        ("heading", "## After"),
        ("paragraph", "It takes a day."),
    ]
    assert blocks_of(text, "a.md")[-1].headings == ("After",)


def test_fences_stand_in_items_and_quotes() -> None:
    assert ("code", "```\n  x\n  ```") in kinds("- a\n\n  ```\n  x\n  ```\n- b\n")
    assert ("code", "> ```\n> x\n> ```") in kinds("> a\n>\n> ```\n> x\n> ```\n")


def test_headings_of_plain_text_stand_above_what_follows() -> None:
    text = "CHAPTER I\n\nThe light burned.\n\n3.1.  Scope\n\nIt applies to ships.\n\nHours\n=====\n\nNine to five.\n"
    assert [block.headings for block in blocks_of(text, "a.txt") if block.kind == "paragraph"] == [
        ("CHAPTER I",),
        ("CHAPTER I", "3.1. Scope"),
        ("Hours",),
    ]


def test_what_is_read_has_no_markup() -> None:
    assert (
        bare("## The *old* **light** of `Fell` [here. Now](https://a.b/c) ![](x)") == "The old light of Fell here. Now "
    )
    text = "Open the [settings. Then](https://example.org/a.b) page, snake_case and 2*3*4 stay.\n"
    assert read(text, "a.md") == ["Open the settings. Then page, snake_case and 2*3*4 stay."]


MARKUP = st.lists(
    st.sampled_from(
        ["# H\n", "- a\n", "| a | b |\n", "|---|---|\n", "1. s\n", "```\n", "> q\n", "\n", "**b** ", "[l](u) ", "w. "]
    )
    | st.text(max_size=4)
).map("".join)


@given(MARKUP, st.sampled_from(["a.md", "a.rst", "a.adoc", "a.txt"]))
def test_what_is_read_stands_in_the_file_where_it_says(text: str, source: str) -> None:
    text = extract(text.encode("utf-8", "ignore"), source, None, "utf-8").text
    sentences = sentences_of(text, source)
    if not sentences:
        return
    media_type = extract(text.encode(), source, None, "utf-8").media_type
    renderer = Renderer(text, [each.span for each in sentences], Structure.of(sentences), media_type)
    whole = Span(sentences[0].span.start, sentences[-1].span.end)
    rendered = renderer.rendered(0, len(sentences) - 1, whole)
    assert [number for number, _ in rendered.sentences] == list(range(len(sentences)))
    for at, start, end in rendered.runs:
        assert rendered.text[at : at + end - start] == text[start:end]
        assert rendered.origin(Span(at, at + end - start)) == (start, end)


@given(MARKUP, st.sampled_from(["a.md", "a.rst", "a.adoc", "a.txt"]))
def test_a_structure_is_stored_and_read_back(text: str, source: str) -> None:
    sentences = sentences_of(extract(text.encode("utf-8", "ignore"), source, None, "utf-8").text, source)
    structure = Structure.of(sentences)
    assert Structure.unpacked(structure.packed()) == structure
    for number, sentence in enumerate(sentences):
        block = structure.block(number)
        assert block.first <= number <= block.last
        assert (block.kind, block.group, block.headings) == (
            sentence.block.kind,
            sentence.block.group,
            sentence.headings,
        )


@pytest.mark.parametrize("source", ["a.rst", "a.adoc"])
@given(text=MARKUP | st.text(st.sampled_from("=-+|. *:\n[]a/"), max_size=60))
def test_line_formats_put_every_line_into_one_block_in_order(source: str, text: str) -> None:
    extracted = extract(text.encode("utf-8", "ignore"), source, None, "utf-8")
    end = 0
    for block in extracted.blocks:
        assert not extracted.text[end : block.span.start].strip()
        assert block.span.start < block.span.end
        end = block.span.end
    assert not extracted.text[end:].strip()
