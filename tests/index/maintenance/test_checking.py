"""`pincite check`: it finds all damage, and reports none in an intact index."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from index.maintenance.checking import Checked, check
from index.maintenance.salvage import salvage
from index.search.vectors import Dense
from index.storage.layout import CollectionLayout
from index.storage.tables import FORMAT
from index.text.preparation import NO_METADATA
from pincite import run
from tests.support.damage import TEXTS, again, cut, flip, found, made


def checked(folder: Path, *, repair: bool = False) -> Checked:
    (result,) = check(folder, repair=repair)
    return result


def change(store: Path, *queries: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        for query in queries:
            connection.execute(query)


def test_a_sound_index_has_no_findings(tmp_path: Path, index_folder: Path) -> None:
    made(tmp_path)
    assert checked(tmp_path) == Checked("default", 3, 3, [], Dense(3, 3))
    assert checked(index_folder).findings == []


@pytest.mark.parametrize(
    ("damage", "result"),
    [
        ("UPDATE content SET file = CAST(x'00' || substr(file, 2) AS BLOB) WHERE document = 1", "SHA-256"),
        ("UPDATE content SET file = CAST(file || 'x' AS BLOB) WHERE document = 1", "SHA-256"),
        ("UPDATE content SET spans = substr(spans, 1, 8) WHERE document = 1", "sentence offsets do not match"),
        ("UPDATE content SET spans = x'0000000005000000' WHERE document = 1", "checksum"),
        ("UPDATE content SET file = 'text' WHERE document = 1", "missing"),
        ("DELETE FROM content WHERE document = 1", "missing"),
        ("UPDATE document SET title = 'Other' WHERE number = 1", "checksum"),
        ("UPDATE document SET encoding = 'utf-32' WHERE number = 1", "decoded"),
        ("UPDATE passage SET last = 9 WHERE document = 1", "do not exist"),
        ("UPDATE passage SET end = end - 1 WHERE document = 1", "begin and end"),
        ("UPDATE passage SET key = x'00' WHERE document = 1", "checksum"),
        ("UPDATE passage SET vector = zeroblob(128) WHERE document = 1", "unit length"),
        ("UPDATE passage SET vector = CAST(x'ff7f' || substr(vector, 3) AS BLOB) WHERE document = 1", "unit length"),
        ("UPDATE passage SET vector = substr(vector, 3) WHERE document = 1", "unit length"),
        ("DELETE FROM passage WHERE document = 1", "checksum"),
        ("INSERT INTO passage SELECT 99, 99, first, last, start, end, headings, key, vector FROM passage", "no parent"),
    ],
)
def test_whatever_is_changed_in_the_store_is_found(tmp_path: Path, damage: str, result: str) -> None:
    collection = made(tmp_path)
    change(collection.place.store, damage + (" LIMIT 1" if damage.startswith("INSERT") else ""))
    assert result in " ".join(finding.what for finding in checked(tmp_path).findings)


def test_a_store_of_another_index_and_a_torn_one_are_named(tmp_path: Path) -> None:
    collection = made(tmp_path)
    collection.close()
    whole = collection.place.store.read_bytes()
    collection.place.store.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in checked(tmp_path).findings[0].what
    collection.place.store.write_bytes(b"x" * 5000)
    assert "damaged" in checked(tmp_path).findings[0].what


@pytest.mark.parametrize("damage", [flip, cut])
def test_a_bit_in_any_derived_file_is_found_and_repaired(
    tmp_path: Path, damage: Callable[[Path, Random], None]
) -> None:
    collection = made(tmp_path)
    random = Random(5)  # noqa: S311
    derived = [*collection.place.all_vectors(), *collection.place.terms.iterdir()]
    kinds = {path.suffix for path in derived if path.stat().st_size and not path.name.startswith(".")}
    assert kinds >= {".faiss", ".term", ".idx", ".pos", ".fast", ".fieldnorm", ".store", ".json"}
    for kind in sorted(kinds - {".json"}):
        place = collection.place
        paths = [path for path in [*place.all_vectors(), *place.terms.iterdir()] if path.suffix == kind]
        if kind == ".del" and not paths:
            continue  # the repair of another file has removed it
        damage(paths[0], random)
        assert checked(tmp_path).findings, kind
        assert checked(tmp_path, repair=True).findings == []
        assert len(found(again(place), "cat dog owl")) == 3


def test_search_that_does_not_hold_what_the_store_holds_is_found(tmp_path: Path) -> None:
    place = made(tmp_path).place
    other = made(tmp_path / "other")
    other.writer.delete(["cat.txt"])
    other.writer.compact(99)
    place.terms_covered.write_bytes(other.place.terms_covered.read_bytes())
    (*_, last) = place.all_vectors()
    last.unlink()
    for path in other.place.terms.iterdir():
        (place.terms / path.name).write_bytes(path.read_bytes())
    assert [finding.where for finding in checked(tmp_path).findings] == ["terms"]
    assert checked(tmp_path, repair=True).findings == []


def test_what_a_crash_left_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    collection = made(tmp_path)
    place = collection.place
    collection.close()
    for unfinished in (
        place.terms.with_suffix(".made"),
        place.terms.with_suffix(".next"),
        place.terms.with_suffix(".old"),
    ):
        unfinished.mkdir()
        (unfinished / "meta.json").write_bytes(b"{")
    place.terms_covered.with_suffix(".json.new").write_bytes(b"")
    place.terms.rename(tmp_path / "lost")
    place.terms_covered.unlink()
    opened = again(place)
    assert found(opened, "The owl sleeps at night.")
    opened.writer.put("fox.txt", b"The fox sleeps at night.", NO_METADATA, lambda _: None)
    opened.writer.rebuild()
    opened.close()
    assert [each.findings for each in check(tmp_path)] == [[]]
    assert not list(place.path.glob("terms.old"))


def test_what_is_put_in_place_meanwhile_is_not_taken_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = made(tmp_path)
    place = collection.place
    collection.close()
    looked: list[int] = []

    def once_in_between(_: CollectionLayout) -> list[tuple[str, str]]:
        looked.append(1)
        return [("terms", "meta.json cannot be read")] if len(looked) == 1 else []

    monkeypatch.setattr("index.maintenance.checking.derived_flaws", once_in_between)
    assert [each.findings for each in check(tmp_path)] == [[]]
    assert len(looked) == 2
    assert place.terms.is_dir()


def test_the_command_tells_what_is_off_and_saves_what_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    collection = made(tmp_path / "index")
    assert run(["check", "--index", str(tmp_path / "index")]) == 0
    assert capsys.readouterr().out == "default: 3 documents, 3 passages, no problems. Dense search is exact.\n"
    change(
        collection.place.store, "UPDATE content SET file = CAST(x'00' || substr(file, 2) AS BLOB) WHERE document = 1"
    )
    assert run(["check", "--index", str(tmp_path / "index"), "--save-to", str(tmp_path / "saved")]) == 1
    output = capsys.readouterr()
    assert "cat.txt: its file does not match its SHA-256" in output.err
    assert "2 documents written" in output.out
    assert (tmp_path / "saved/default/dog.txt").read_bytes() == TEXTS["dog.txt"].encode()
    assert run(["check", "--index", str(tmp_path / "none")]) == 1
    assert run(["check", "--index", str(tmp_path / "index"), "--collection", "other"]) == 1


def test_documents_are_saved_from_a_store_with_a_damaged_page(tmp_path: Path) -> None:
    place = made(tmp_path).place
    change(place.store, "PRAGMA wal_checkpoint(TRUNCATE)")
    whole = place.store.read_bytes()
    saved = set()
    for page in range(1, len(whole) // 4096):
        place.store.write_bytes(whole[: page * 4096] + b"\xff" * 4096 + whole[(page + 1) * 4096 :])
        sources, _ = salvage(place.store, tmp_path / f"saved{page}")
        saved.update(sources)
        assert checked(tmp_path).findings
    assert saved == set(TEXTS) - {"hen.txt"}


@pytest.mark.parametrize(
    ("version", "missing"),
    [(1, {"content": "checksum", "document": "encoding_guessed"}), (3, {"document": "encoding_guessed"})],
)
def test_a_store_of_an_earlier_format_is_upgraded(tmp_path: Path, version: int, missing: dict[str, str]) -> None:
    collection = made(tmp_path)
    collection.close()
    drops = [f"ALTER TABLE {table} DROP COLUMN {column}" for table, column in missing.items()]
    change(collection.place.store, *drops, f"PRAGMA user_version = {version}")
    collection = again(collection.place)
    assert len(found(collection, "cat dog owl")) == 3
    assert checked(tmp_path).findings == []
    with closing(sqlite3.connect(collection.place.store)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT,)
