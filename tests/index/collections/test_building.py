"""Building an index from files, and updating an existing one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from index.collections.build import BuildOptions, BuildReport, build
from index.collections.opening import open_searcher
from index.collections.writer import Writer
from index.config import IndexConfig
from index.errors import (
    CollectionNotFound,
    EncoderMismatch,
    IndexDamaged,
    IndexLocked,
    IndexNotFound,
    IndexVersion,
    SourceConflict,
    UploadExists,
)
from index.search.derived import terms_covered
from index.search.fusion import Fusion
from index.search.searcher import Searcher
from index.storage.layout import CollectionLayout, Layout
from index.storage.store import Store
from index.storage.tables import FORMAT
from index.types import Vectors
from tests.support.building import build_index, write_texts
from tests.support.fakes import FakeEncoder


class CountingEncoder(FakeEncoder):
    """Records the texts it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded += texts
        return super().encode(texts)


class Corpus:
    """A folder of files, and an index of it."""

    def __init__(self, folder: Path) -> None:
        self.files = folder / "files"
        self.files.mkdir()
        self.encoder = CountingEncoder()
        self.place: CollectionLayout = Layout(folder / "index").collection("default")
        config = IndexConfig("fake", self.encoder.sha256, self.encoder.dimension, budget=12)
        self.store = Store.create(self.place.store, config, "test")

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.files / f"{name}.txt").write_text(text)

    def build(self, *given: Path, replace: bool = False, encoding: str | None = None) -> BuildReport:
        self.encoder.encoded.clear()
        writer = Writer(self.place, self.store, self.encoder)
        return build(writer, given or [self.files], BuildOptions(replace=replace, encoding=encoding))

    def records(self) -> dict[str, tuple[str, bool]]:
        documents = Searcher.of(self.place, Store(self.place.store), self.encoder).documents(None, 100)
        return {each.source: (each.encoding, each.encoding_guessed) for each in documents}

    def search(self, question: str, sources: list[str] | None = None) -> list[str]:
        searcher = Searcher.of(self.place, Store(self.place.store), self.encoder)
        return [hit.passage.text for hit in searcher.search(question, 10, sources)]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def test_every_passage_is_found_by_its_own_words(corpus: Corpus) -> None:
    corpus.write(a="Cats sleep all day. Dogs bark at night.", b="Birds sing early. Fish are quiet.")
    assert corpus.build().passages == 2
    assert corpus.search("Do birds sing?")[0] == "Birds sing early. Fish are quiet."


def test_unchanged_files_are_not_encoded_again(corpus: Corpus) -> None:
    corpus.write(a="Cats sleep.", b="Dogs bark.")
    first = corpus.build()
    second = corpus.build()
    assert (first.added, second.added, second.unchanged) == (2, 0, 2)
    assert second.version == first.version
    assert corpus.encoder.encoded == []


def test_only_changed_passages_of_a_changed_file_are_encoded(corpus: Corpus) -> None:
    paragraphs = [f"Paragraph number {word} speaks of {word} and of nothing else." for word in ("one", "two", "three")]
    corpus.write(a="\n\n".join(paragraphs))
    corpus.build()
    corpus.write(a="\n\n".join([*paragraphs[:2], "The last one is new and speaks of change alone."]))
    assert corpus.build().updated == 1
    assert len(corpus.encoder.encoded) == 1
    assert "The last one is new" in corpus.encoder.encoded[0]


def test_what_is_gone_from_a_given_folder_is_gone_from_the_index(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "c.txt").write_text("Cows moo.")
    corpus.write(a="Cats sleep.", b="Dogs bark.")
    corpus.build(corpus.files, tmp_path / "other")
    (corpus.files / "a.txt").unlink()
    assert corpus.build().removed == 1
    assert set(corpus.search("cats dogs cows")) == {"Dogs bark.", "Cows moo."}


def test_what_cannot_be_read_is_named_and_the_rest_is_built(corpus: Corpus) -> None:
    corpus.write(good="Cats sleep.")
    (corpus.files / "bad.bin").write_bytes(bytes(range(256)) * 20)
    (corpus.files / "paper.pdf").write_bytes(b"%PDF-1.7 \x00")
    report = corpus.build()
    assert report.documents == 1
    assert [str(error.facts["source"]) for error in report.failed] == ["bad.bin", "paper.pdf"]


POLISH = "Zażółć gęślą jaźń, powiedział stary żółw. Źródło bije pod dębem, a ścieżka prowadzi w górę.\n" * 4


def test_a_guessed_encoding_is_reported_until_it_is_given(corpus: Corpus) -> None:
    corpus.write(plain="Cats sleep.")
    (corpus.files / "old.txt").write_bytes(POLISH.encode("cp1250"))
    (corpus.files / "page.html").write_bytes(b"<meta charset=windows-1252><p>The caf\xe9 opens at nine.</p>")
    assert corpus.build().guessed == [("old.txt", "cp1250")]
    assert corpus.records() == {
        "old.txt": ("cp1250", True),
        "page.html": ("cp1252", False),
        "plain.txt": ("utf-8", False),
    }
    assert corpus.build().guessed == []  # unchanged files are not read


def test_a_given_encoding_comes_before_what_a_file_declares_and_what_an_earlier_build_guessed(corpus: Corpus) -> None:
    (corpus.files / "old.txt").write_bytes(POLISH.encode("cp1250"))
    (corpus.files / "page.html").write_bytes(f"<meta charset=windows-1251><p>{POLISH}</p>".encode("cp1250"))
    assert len(corpus.build().guessed) == 1
    report = corpus.build(encoding="windows-1250")
    assert (report.updated, report.unchanged, report.guessed) == (2, 0, [])
    assert corpus.records() == {"old.txt": ("cp1250", False), "page.html": ("cp1250", False)}
    assert "Źródło bije" in corpus.search("Źródło bije pod dębem", ["page.html"])[0]
    again = corpus.build(encoding="windows-1250")
    assert (again.updated, again.unchanged) == (0, 2)
    assert corpus.build().unchanged == 2


def test_a_file_that_is_not_in_the_given_encoding_is_named(corpus: Corpus) -> None:
    corpus.write(plain="Cats sleep.")
    (corpus.files / "broken.txt").write_bytes(b"caf\xe9")
    report = corpus.build(encoding="utf-8")
    assert [str(error.facts["source"]) for error in report.failed] == ["broken.txt"]
    assert report.documents == 1


def test_links_out_of_the_folder_are_reported(corpus: Corpus, tmp_path: Path) -> None:
    corpus.write(plain="Cats sleep.")
    (tmp_path / "secret.txt").write_text("The password is swordfish.")
    (corpus.files / "link.txt").symlink_to(tmp_path / "secret.txt")
    report = corpus.build()
    assert (report.documents, report.skipped) == (1, ["link.txt"])


def test_the_same_source_from_another_folder_is_an_error_that_names_both(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("Cows moo.")
    corpus.write(a="Cats sleep.")
    corpus.build()
    with pytest.raises(SourceConflict, match=r"files and from .*other"):
        corpus.build(tmp_path / "other")
    assert corpus.build(tmp_path / "other", replace=True).updated == 1
    assert corpus.search("cows cats") == ["Cows moo."]


def test_a_file_built_alone_may_later_be_built_with_its_folder(corpus: Corpus) -> None:
    corpus.write(a="Cats sleep.", b="Dogs bark.")
    corpus.build(corpus.files / "a.txt")
    assert corpus.build().added == 1
    assert corpus.store.origins()["a.txt"][0] == str(corpus.files)


def test_an_upload_is_not_overwritten_unless_asked(corpus: Corpus) -> None:
    writer = Writer(corpus.place, corpus.store, corpus.encoder)
    write_texts(writer, {"a.txt": "Uploaded."})
    corpus.write(a="Cats sleep.")
    with pytest.raises(UploadExists):
        corpus.build()
    assert corpus.build(replace=True).updated == 1


def test_a_filter_still_finds_the_best_of_what_it_lets_through(corpus: Corpus) -> None:
    corpus.write(**{f"n{i}": f"The cat number {i} sleeps." for i in range(150)}, last="A cat is mentioned.")
    corpus.build()
    assert corpus.search("cat number sleeps", ["last.txt"]) == ["A cat is mentioned."]
    assert corpus.search("cat", ["none*"]) == []


@pytest.mark.parametrize("damage", ["remove", "cut", "empty"])
def test_derived_indexes_are_made_again_without_encoding(corpus: Corpus, damage: str) -> None:
    corpus.write(a="Cats sleep all day.", b="Dogs bark at night.")
    corpus.build()
    before = corpus.search("dogs")
    for path in [*corpus.place.all_vectors(), corpus.place.terms / "meta.json"]:
        if damage == "remove":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[: 20 if damage == "cut" else 0])
    corpus.encoder.encoded.clear()
    assert corpus.search("dogs") == before
    assert corpus.encoder.encoded == ["dogs"]


def test_derived_indexes_that_lag_behind_catch_up(corpus: Corpus) -> None:
    corpus.write(a="Cats sleep.", b="Dogs bark.")
    corpus.build()
    writer = Writer(corpus.place, corpus.store, corpus.encoder)
    corpus.store.commit(writer.encode([writer.prepare("c.txt", b"Cows moo.", origin=None)]), ["a.txt"], at=0)
    assert terms_covered(corpus.place) < corpus.store.change()
    assert set(corpus.search("cats dogs cows")) == {"Dogs bark.", "Cows moo."}


def test_a_reader_of_an_old_version_sees_it_whole(corpus: Corpus) -> None:
    corpus.write(a="Cats sleep.", b="Dogs bark.")
    corpus.build()
    old = Searcher.of(corpus.place, Store(corpus.place.store), corpus.encoder)
    corpus.write(a="Cats are awake.")
    (corpus.files / "b.txt").unlink()
    corpus.build()
    assert {hit.passage.text for hit in old.search("cats dogs", 10)} >= {"Cats sleep."}
    assert old.file("b.txt") == b"Dogs bark."


def test_fusion_is_reciprocal_rank_fusion_worked_by_hand() -> None:
    scores = Fusion(dense=1.0, terms=0.5, constant=60).scores(dense=[7, 8], terms=[8, 9])
    assert scores == pytest.approx({7: 1 / 61, 8: 1 / 62 + 0.5 / 61, 9: 0.5 / 62})


def test_vectors_are_stored_as_encoded(corpus: Corpus) -> None:
    corpus.write(a="Cats sleep.")
    corpus.build()
    ((_, (vector,)),) = corpus.store.vectors(np.array([1]))
    expected = FakeEncoder().encode(["a\nCats sleep."])[0]
    assert np.allclose(vector, expected, atol=1e-3)


# ---- opening damaged or foreign indexes


@pytest.fixture
def real(tmp_path: Path, exported: Path) -> Path:
    """An index made with the real encoder."""
    index = tmp_path / "real"
    (tmp_path / "a.txt").write_text("Cats sleep all day.")
    link = Layout(index).encoder("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")
    link.parent.mkdir(parents=True)
    link.symlink_to(exported)
    build_index([tmp_path / "a.txt"], index)
    return index


def test_a_folder_without_an_index_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound, match="pincite build"):
        open_searcher(tmp_path)


def test_an_unknown_collection_names_those_that_are_there(real: Path) -> None:
    with pytest.raises(CollectionNotFound, match="default"):
        open_searcher(real, "other")


def test_an_index_of_another_version_is_refused(real: Path) -> None:
    store = Layout(real).collection("default").store
    connection = sqlite3.connect(store)
    connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    with pytest.raises(IndexVersion, match=f"format {FORMAT + 1}"):
        open_searcher(real)


def test_another_encoder_is_refused(real: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(EncoderMismatch, match="all-MiniLM-L6-v2"):
        open_searcher(real, encoder=str(tmp_path / "model"))
    with pytest.raises(EncoderMismatch):
        build_index([tmp_path / "a.txt"], real, encoder=str(tmp_path / "model"))


@pytest.mark.parametrize(
    "damaged", [lambda data: data[: len(data) // 2], lambda data: b"x" * len(data), lambda data: data[:50]]
)
def test_a_damaged_store_is_named(real: Path, damaged: Callable[[bytes], bytes]) -> None:
    store = Layout(real).collection("default").store
    store.write_bytes(damaged(store.read_bytes()))
    with pytest.raises(IndexDamaged, match=r"store\.sqlite"):
        open_searcher(real)


def test_a_second_writer_is_told_of_the_first(real: Path, tmp_path: Path) -> None:
    with FileLock(Layout(real).collection("default").lock), pytest.raises(IndexLocked):
        build_index([tmp_path / "a.txt"], real)
