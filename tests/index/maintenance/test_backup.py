"""`pincite backup` and `pincite restore`."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from index.errors import AlreadyThere, BackupDamaged, IndexNotFound
from index.maintenance.backup import backup, restore
from index.storage.layout import Layout
from pincite import run
from tests.support.damage import again, found, made


def test_a_backup_taken_under_writes_is_one_version_and_answers_when_restored(tmp_path: Path) -> None:
    collection = made(tmp_path / "index")
    stop = threading.Event()

    def write() -> None:
        """Change both documents together, so that a mixed copy would be detected."""
        number = 0
        while not stop.is_set():
            number += 1
            texts = [(f"twin{n}.txt", f"Round {number} of the race.".encode()) for n in (1, 2)]
            new = collection.writer.encode([collection.writer.prepare(*each, None) for each in texts])
            with collection.writer.changing():
                collection.store.commit(new, [], at=0)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for turn in range(5):
            backup(tmp_path / "index", tmp_path / f"copy{turn}")
    finally:
        stop.set()
        writing.join()
    for turn in range(5):
        assert {path.name for path in (tmp_path / f"copy{turn}/collections/default").iterdir()} == {"store.sqlite"}
        (result,) = restore(tmp_path / f"copy{turn}", tmp_path / f"again{turn}")
        assert result.findings == []
        restored = again(Layout(tmp_path / f"again{turn}").collection("default"))
        races = [text for text in found(restored, "race round cat") if "race" in text]
        assert len(races) in (0, 2)
        assert len(set(races)) <= 1
        assert "The cat sleeps at night. By day it hunts." in found(restored, "cat")


def test_nothing_is_overwritten_and_nothing_half_is_left(tmp_path: Path) -> None:
    made(tmp_path / "index")
    backup(tmp_path / "index", tmp_path / "copy")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(AlreadyThere):
        backup(tmp_path / "index", tmp_path / "copy")
    with pytest.raises(AlreadyThere):
        restore(tmp_path / "copy", tmp_path / "index")
    with pytest.raises(IndexNotFound):
        backup(tmp_path / "none", tmp_path / "copy2")
    with pytest.raises(IndexNotFound):
        restore(tmp_path, tmp_path / "again")
    store = tmp_path / "copy/collections/default/store.sqlite"
    store.write_bytes(store.read_bytes().replace(b"The cat sleeps", b"The bat sleeps"))
    with pytest.raises(BackupDamaged, match=r"cat\.txt in default: its file"):
        restore(tmp_path / "copy", tmp_path / "again")
    assert sorted(tmp_path.iterdir()) == before


def test_the_commands_copy_uploads_and_the_encoder(
    index_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backup", str(tmp_path / "copy"), "--index", str(index_folder)]) == 0
    assert run(["restore", str(tmp_path / "copy"), "--index", str(tmp_path / "again")]) == 0
    assert "default: 5 documents, " in capsys.readouterr().out
    assert run(["ask", "When does the ferry leave?", "--index", str(tmp_path / "again"), "--json"]) == 0
    output = capsys.readouterr().out
    assert run(["ask", "When does the ferry leave?", "--index", str(index_folder), "--json"]) == 0
    assert (
        output.split('"answers"')[1].split('"timings_ms"')[0]
        == capsys.readouterr().out.split('"answers"')[1].split('"timings_ms"')[0]
    )
    assert run(["restore", str(tmp_path / "copy"), "--index", str(tmp_path / "again")]) == 1
    assert "not empty" in capsys.readouterr().err
