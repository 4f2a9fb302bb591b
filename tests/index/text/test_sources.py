from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import BadPattern, BadSource, SourceConflict
from index.text.sources import beginning, check_source, find_files, matcher, select


@pytest.mark.parametrize(
    ("pattern", "source", "matches"),
    [
        ("a.txt", "a.txt", True),
        ("*.txt", "a.txt", True),
        ("*.txt", "news/a.txt", False),
        ("**", "news/a.txt", True),
        ("news/**", "news/2024/a.txt", True),
        ("news/**", "oldnews/a.txt", False),
        ("**/*.txt", "a.txt", True),
        ("**/*.txt", "x/y/a.txt", True),
        ("news/*/a.txt", "news/a.txt", False),
        ("?.txt", "é.txt", True),
        ("?.txt", "/.txt", False),
        ("a.txt", "aXtxt", False),
        ("[a].txt", "[a].txt", True),
        ("[a].txt", "a.txt", False),
        ("a\n*", "a\nb", True),
    ],
)
def test_patterns(pattern: str, source: str, matches: bool) -> None:
    assert select([pattern], [source]) == ([0] if matches else [])


def test_any_pattern_may_match() -> None:
    assert select(["a*", "*b"], ["ax", "xb", "xx"]) == [0, 1]
    assert select([], ["ax"]) == []


def test_a_hostile_pattern_comes_to_an_end() -> None:
    # Backtracking would take longer than the universe has.
    assert select(["*a" * 400 + "b"], ["a" * 1000]) == []


SEGMENTS = st.text("ab/*?", max_size=6)


@given(st.lists(SEGMENTS, max_size=4), st.sets(st.text("ab/é", min_size=1, max_size=5), max_size=20))
def test_looking_only_at_what_begins_alike_finds_the_same(patterns: list[str], sources: set[str]) -> None:
    ordered = sorted(sources)
    matchers = [matcher(pattern) for pattern in patterns]
    expected = [place for place, source in enumerate(ordered) if any(each.fullmatch(source) for each in matchers)]
    assert select(patterns, ordered) == expected


def test_an_overlong_pattern_is_refused() -> None:
    with pytest.raises(BadPattern):
        select(["a" * 1001], [])


@pytest.mark.parametrize("source", ["a.txt", "ä/ö ü.txt", "x/.hidden", "a..b", "%2e%2e/x", "日本.txt", "a\u202eb"])
def test_names_that_may_be_sources(source: str) -> None:
    check_source(source)


@pytest.mark.parametrize(
    "source", ["", "/a", "a/", "a//b", "..", "../a", "a/./b", "a\\b", "a\x00b", "a\nb", "\udc80", "x" * 1025]
)
def test_names_that_may_not(source: str) -> None:
    with pytest.raises(BadSource):
        check_source(source)


def test_files_are_found_below_a_folder_but_not_hidden_ones(tmp_path: Path) -> None:
    for name in ["b.txt", "a/c.md", ".git/x", "a/.y", "a/b/d.txt"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    listed = find_files([tmp_path])
    assert [file.source for file in listed.files] == ["a/b/d.txt", "a/c.md", "b.txt"]
    assert listed.failed == []
    assert listed.skipped == []


def test_links_out_of_the_folder_are_named_and_not_followed(tmp_path: Path) -> None:
    docs, private = tmp_path / "docs", tmp_path / "docs-private"  # whose name begins like the folder's
    for folder in (docs, docs / "part", private):
        folder.mkdir()
        (folder / "text.txt").write_text(str(folder))
    (docs / "same.txt").symlink_to("part/text.txt")
    (docs / "part" / "secret.txt").symlink_to(private / "text.txt")
    (docs / "chain.txt").symlink_to("part/secret.txt")
    (docs / "folder").symlink_to(private)
    (docs / "part" / "up").symlink_to("..")
    (docs / "lost.txt").symlink_to("nothing.txt")
    (docs / "loop.txt").symlink_to("loop.txt")
    listed = find_files([docs])
    assert [file.source for file in listed.files] == ["part/text.txt", "same.txt", "text.txt"]
    assert sorted(listed.skipped) == ["chain.txt", "folder", "loop.txt", "lost.txt", "part/secret.txt", "part/up"]


def test_a_link_that_is_given_itself_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "x.txt").write_text("x")
    (tmp_path / "near").symlink_to("far")
    (tmp_path / "near.txt").symlink_to("far/x.txt")
    assert [file.source for file in find_files([tmp_path / "near"]).files] == ["x.txt"]
    assert [file.source for file in find_files([tmp_path / "near.txt"]).files] == ["x.txt"]


def test_a_single_file_is_named_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("x")
    assert [file.source for file in find_files([tmp_path / "a" / "x.txt"]).files] == ["x.txt"]


def test_one_name_in_two_folders_is_an_error_that_names_both(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.txt").write_text(folder)
    with pytest.raises(SourceConflict) as raised:
        find_files([tmp_path / "one", tmp_path / "two"])
    assert str(tmp_path / "one") in str(raised.value)
    assert str(tmp_path / "two") in str(raised.value)


@pytest.mark.parametrize("pattern", [r"a\*b.md", "a[*]b.md", r"\a\*b.md".replace("\\a", "a"), r"?\*b.md", r"a\**"])
def test_a_wildcard_in_a_name_can_be_escaped(pattern: str) -> None:
    assert select([pattern], ["a*b.md", "axb.md"]) == [0]


def test_brackets_without_a_wildcard_mean_themselves() -> None:
    assert select(["a[1].md"], ["a1.md", "a[1].md"]) == [1]
    assert beginning(r"news\?/2*.md") == "news?/2"
