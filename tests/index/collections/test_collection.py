"""Searching a collection while it is written to."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from index.collections.build import build
from index.collections.collection import Collection
from index.config import IndexConfig
from index.errors import DocumentNotFound
from index.maintenance.repair import derived_flaws
from index.search import derived, vectors
from index.search.vectors import Dense, Numbers, Read
from index.storage.layout import CollectionLayout, Layout
from index.storage.store import Store
from index.storage.tables import RETENTION_SECONDS
from index.text.preparation import NO_METADATA, SenderMetadata
from index.types import Vectors
from pincite import run
from service.answering.answering import Answering
from service.answering.catalogue import Catalogue
from service.reader.baseline import FittedReader
from tests.support.building import write_texts
from tests.support.damage import cut, flip, renewed
from tests.support.fakes import FakeEncoder


def made(folder: Path) -> Collection:
    encoder = FakeEncoder()
    place = Layout(folder).collection("default")
    store = Store.create(place.store, IndexConfig("fake", encoder.sha256, encoder.dimension, budget=12), "test")
    return Collection(place, store, encoder)


def again(place: CollectionLayout) -> Collection:
    """The same collection, opened as by another process."""
    return Collection(place, Store(place.store), FakeEncoder())


def put(collection: Collection, source: str, text: str, metadata: SenderMetadata = NO_METADATA) -> bool:
    return collection.writer.put(source, text.encode(), metadata, lambda _: None)[1]


def found(collection: Collection, question: str) -> list[str]:
    return [hit.passage.text for hit in collection.searcher().search(question, 100)]


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return made(tmp_path)


def test_the_next_question_sees_a_change_in_this_process_and_in_another(collection: Collection) -> None:
    other = again(collection.place)
    assert put(collection, "a.txt", "Cats sleep.")
    assert not put(collection, "a.txt", "Cats are awake.")
    put(collection, "b.txt", "Dogs bark.")
    for each in (collection, other):
        assert set(found(each, "cats dogs")) == {"Cats are awake.", "Dogs bark."}
    other.writer.delete(["a.txt"])
    for each in (collection, other):
        assert found(each, "cats dogs") == ["Dogs bark."]
    with pytest.raises(DocumentNotFound):
        other.writer.delete(["b.txt", "a.txt"])
    assert found(collection, "dogs") == ["Dogs bark."]


def test_a_question_in_flight_keeps_its_version_which_is_freed_when_it_is_done(collection: Collection) -> None:
    put(collection, "a.txt", "Cats sleep.")
    old = collection.searcher()
    collection.writer.delete(["a.txt"])
    assert found(collection, "cats") == []
    assert [hit.passage.text for hit in old.search("cats", 5)] == ["Cats sleep."]
    reference = weakref.ref(old)
    gc.disable()
    try:
        del old
        assert reference() is None
    finally:
        gc.enable()


def test_unchanged_passages_of_a_changed_document_keep_their_vectors(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(collection, "a.txt", "Paragraph one speaks of one.\n\nParagraph two speaks of two and more than that.")
    encoded: list[str] = []
    encode = collection.writer.encoder.encode

    def counted(texts: Sequence[str]) -> Vectors:
        encoded.extend(texts)
        return encode(texts)

    monkeypatch.setattr(collection.writer.encoder, "encode", counted)
    put(collection, "a.txt", "Paragraph one speaks of one.\n\nThe last one is quite new and speaks of change.")
    assert len(encoded) == 1


def test_changes_that_come_together_are_made_together_and_each_is_judged_alone(collection: Collection) -> None:
    put(collection, "a.txt", "Cats sleep.")
    writer, before = collection.writer, collection.store.change()
    ready = [writer.prepare_upload(f"{n}.txt", b"Dogs bark.", NO_METADATA) for n in (1, 2, 2, 3)]
    with ThreadPoolExecutor(8) as threads:
        with FileLock(collection.place.change_lock):  # the first waits for it, and the others for the first
            puts = [threads.submit(writer.commit_upload, new, lambda _: None) for new in ready]
            result = threads.submit(writer.delete, ["a.txt"])
            missing = threads.submit(writer.delete, ["b.txt"])
            while len(writer.group.waiting) < len(ready) + 1:
                time.sleep(0.01)
        assert [each.result()[1] for each in puts].count(True) == 3
        result.result()
        with pytest.raises(DocumentNotFound):
            missing.result()
    assert [document.source for document in collection.searcher().documents(None, 9)] == ["1.txt", "2.txt", "3.txt"]
    assert collection.store.change() - before <= 3


def test_a_change_that_is_being_written_does_not_keep_questions_waiting(collection: Collection) -> None:
    put(collection, "a.txt", "Cats sleep.")
    collection.searcher()
    new = collection.writer.encode([collection.writer.prepare("b.txt", b"Dogs bark.", None)])
    with FileLock(collection.place.change_lock):
        collection.store.commit(new, [], at=0)
        answered: list[list[str]] = []
        asking = threading.Thread(target=lambda: answered.append(found(collection, "cats dogs")))
        asking.start()
        asking.join(10)
        assert answered == [["Cats sleep."]]
    assert set(found(collection, "cats dogs")) == {"Cats sleep.", "Dogs bark."}


def test_a_change_that_a_crash_left_half_derived_is_finished_when_the_collection_is_opened(
    collection: Collection,
) -> None:
    put(collection, "a.txt", "Cats sleep.")
    new = collection.writer.encode([collection.writer.prepare("b.txt", b"Dogs bark.", None)])
    collection.store.commit(new, [], at=0)  # and nothing else: term search does not have it
    searcher = again(collection.place).searcher()
    assert [document.source for document in searcher.documents(None, 10)] == ["a.txt", "b.txt"]
    assert len(searcher.rankings("dogs")[1]) == 1


def test_what_tantivy_was_about_to_commit_is_in_nobodys_way_after_a_crash(collection: Collection) -> None:
    place = collection.place
    texts = {"a.txt": "Cats sleep.", "b.txt": "Cows graze."}
    write_texts(collection.writer, texts)
    before = {path: path.read_bytes() for path in (place.terms_covered, *place.terms.glob("*.json"))}
    put(collection, "b.txt", "Dogs bark.")
    assert list(place.terms.glob("*.del"))
    for path, content in before.items():  # as after a crash just before its commit
        path.write_bytes(content)
    collection.close()
    opened = again(place)
    assert opened.searcher().file("b.txt") == b"Dogs bark."
    assert set(found(opened, "cats dogs cows")) == {"Cats sleep.", "Dogs bark."}
    assert len(opened.searcher().rankings("dogs cows")[1]) == 1


def test_a_replaced_version_is_kept_for_a_while_and_a_deleted_one_is_not(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(collection, "a.txt", "Cats sleep.")
    first = collection.searcher().document("a.txt").sha256
    put(collection, "a.txt", "Cats are awake.")
    kept = collection.version("a.txt", first)
    assert kept is not None
    assert kept[1] == b"Cats sleep."
    later = time.time() + RETENTION_SECONDS + 1
    with monkeypatch.context() as patched:
        patched.setattr("index.collections.collection.time.time", lambda: later)
        assert collection.version("a.txt", first) is None
    collection.writer.delete(["a.txt"])
    assert collection.version("a.txt", first) is None


def test_deleted_bytes_are_in_no_file_after_compaction(collection: Collection) -> None:
    words = [b"xylophagous", b"quetzalcoatl", b"rhododendron"]
    put(collection, "a.txt", "The xylophagous beetle met quetzalcoatl.", SenderMetadata(title="rhododendron"))
    for number in range(30):
        put(collection, f"n{number}.txt", f"Cats number {number} sleep.")
    collection.searcher()
    collection.writer.delete(["a.txt"])
    collection.compact()
    assert collection.compact()
    assert not collection.compact()
    files = [path for path in collection.place.path.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        for word in words:
            assert word[:8] not in path.read_bytes(), path
    assert len(found(collection, "cats sleep")) == 30
    assert len(found(again(collection.place), "cats sleep")) == 30


def test_a_base_that_is_being_made_keeps_neither_changes_nor_questions_waiting(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        put(collection, f"n{number}.txt", f"Cats number {number} sleep.")
    monkeypatch.setattr("index.search.derived.LOOSE", 10)
    begun, free = threading.Event(), threading.Event()
    saving = vectors.save_base

    def held_up(path: Path, dimension: int, numbers: Numbers, read: Read) -> None:
        begun.set()
        assert free.wait(60)
        saving(path, dimension, numbers, read)

    monkeypatch.setattr("index.search.derived.save_base", held_up)
    making = threading.Thread(target=collection.compact)
    making.start()
    assert begun.wait(60)
    put(collection, "dog.txt", "Dogs bark.")
    collection.writer.delete(["n0.txt"])
    assert set(found(collection, "dogs bark")) >= {"Dogs bark."}
    before = collection.searcher()
    assert before.dense.count == 0
    free.set()
    making.join(60)
    after = collection.searcher()
    assert (after.dense.count, after.version) == (40, before.version)
    assert set(found(collection, "cats dogs")) == set(found(again(collection.place), "cats dogs"))
    assert len(found(collection, "cats dogs")) == 40


def test_a_change_during_compaction_is_not_lost(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("Cats", "Owls", "Hens"):
        put(collection, f"{word}.txt", f"{word} sleep.")
    collection.writer.delete(["Owls.txt"])
    collection.compact()
    making = derived.make_terms

    def interrupted(path: Path, store: Store, change: int) -> Path:
        made = making(path, store, change)
        put(again(collection.place), "dog.txt", "Dogs sleep.")
        again(collection.place).writer.delete(["Hens.txt"])
        return made

    monkeypatch.setattr("index.search.derived.make_terms", interrupted)
    assert collection.compact()
    for each in (collection, again(collection.place)):
        assert set(found(each, "cats dogs hens owls sleep")) == {"Cats sleep.", "Dogs sleep."}
        assert {number for number, _ in each.searcher()._terms.search("sleep", 9)} == {1, 4}  # noqa: SLF001


def test_lists_are_searched_and_their_recall_is_told_once_there_is_much(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("index.search.vectors.EXACT", 100)
    writer = collection.writer
    random = Random(3)  # noqa: S311
    texts = {f"{number}.txt": f"{' '.join(random.choices(WORDS, k=5))}." for number in range(400)}
    write_texts(writer, texts)
    assert collection.searcher().dense == Dense()
    build(writer, [])
    collection.compact()
    dense = collection.searcher().dense
    assert dense.count == 400
    assert 0 < dense.probed <= dense.lists == 40
    assert dense.recall >= 0.98
    index = collection.place.path.parent.parent
    assert run(["check", "--index", str(index)]) == 0
    assert f"recall@10 of {dense.recall:.3f}, probing {dense.probed} of 40 lists" in capsys.readouterr().out
    ready = Answering(Catalogue({"default": collection}), FittedReader()).ready()
    assert ready.recall == dense.recall
    (path,) = collection.place.all_vectors()
    for damage in (flip, cut):
        damage(path, random)
        assert again(collection.place).searcher().dense == Dense()  # all vectors of the store
        assert len(found(again(collection.place), "cats")) == 100
        assert run(["check", "--index", str(index)]) == 1
        assert run(["check", "--index", str(index), "--repair"]) == 0
        assert again(collection.place).searcher().dense == dense


@pytest.mark.parametrize("suffix", [".faiss", ".idx"])
def test_damage_inside_a_large_file_is_found_and_mended_in_the_background(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    for number in range(20):
        put(collection, f"n{number}.txt", f"Cats number {number} sleep.")
    build(collection.writer, [])
    place = collection.place
    monkeypatch.setattr("index.storage.checksums.SMALL", 0)
    collection.close()
    (path, *_) = (path for path in place.path.rglob(f"*{suffix}") if path.stat().st_size > 1000 or suffix == ".idx")
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 64
    renewed(path, bytes(data))
    opened = again(place)
    assert derived_flaws(place)
    opened.compact()
    assert derived_flaws(place) == []
    assert len(found(opened, "cats sleep")) == 20


def test_a_process_that_missed_a_compaction_opens_anew(collection: Collection) -> None:
    put(collection, "a.txt", "Cats sleep.")
    put(collection, "b.txt", "Dogs bark.")
    sleeper = again(collection.place)
    sleeper.searcher()
    collection.writer.delete(["a.txt"])
    collection.compact()
    collection.compact()
    assert found(sleeper, "cats dogs") == ["Dogs bark."]
    assert sleeper.searcher().passages == 1


WORDS = ["cats", "dogs", "owls", "sleep", "bark", "hunt", "night", "day"]


class Updates(RuleBasedStateMachine):
    """Random changes, compared with a dictionary and a product of matrices."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.collection = made(Path(self.folder.name))
        self.texts: dict[str, str] = {}

    def teardown(self) -> None:
        self.collection.close()
        self.folder.cleanup()

    @rule(name=st.integers(0, 20), words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
    def replace(self, name: int, words: list[str]) -> None:
        source = f"{name}.txt"
        text = " ".join(words) + "."
        assert put(self.collection, source, text) == (source not in self.texts)
        self.texts[source] = text

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(sorted(self.texts)))
        self.collection.writer.delete([source])
        del self.texts[source]

    @rule()
    def compact(self) -> None:
        self.collection.compact()

    @rule()
    def reopen(self) -> None:
        place = self.collection.place
        self.collection.close()
        self.collection = again(place)

    @invariant()
    def search_finds_what_brute_force_finds(self) -> None:
        searcher = self.collection.searcher()
        encoder = FakeEncoder()
        sources = sorted(self.texts)
        assert [document.source for document in searcher.documents(None, 100)] == sources
        dense, terms = searcher.rankings("cats hunt by day")
        places = {number: source for number, source, _ in searcher.places([*dense, *terms])}
        assert {places[number] for number in dense} == set(sources)
        query = encoder.encode(["cats hunt by day"])[0]
        for number, cosine in dense.items():
            source = places[number]
            stored = encoder.encode([f"{source[:-4]}\n{self.texts[source]}"])[0].astype(np.float16)
            assert cosine == pytest.approx(float(stored.astype(np.float32) @ query), abs=1e-4)
        having = {s for s in sources if {"cats", "hunt", "day"} & set(self.texts[s][:-1].split())}
        assert {places[number] for number in terms} >= having


TestUpdates = Updates.TestCase
TestUpdates.settings = settings(max_examples=8, stateful_step_count=25, deadline=None)
