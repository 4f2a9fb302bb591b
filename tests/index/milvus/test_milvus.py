"""What is specific to Milvus: pieces, limits, the journal, an unavailable engine."""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient
from milvus_lite.adapter.grpc.server import start_server_in_thread

from index.collections.addresses import Address
from index.config import IndexConfig
from index.errors import BadStore, BeyondStore, StoreRefused, StoreUnavailable
from index.milvus import bm25
from index.milvus import engine as milvus
from index.milvus.backend import MilvusBackend
from index.milvus.collection import Bound
from index.milvus.contents import Versions
from index.milvus.engine import MOST_ROWS, Engine, by_size
from index.milvus.partition import Part
from index.milvus.searcher import TermCounts
from index.milvus.tables import (
    COLLECTIONS,
    DOCUMENTS,
    FIXED,
    JOURNAL,
    LARGEST_TEXT,
    NOTHING,
    PIECES_TABLE,
    Row,
    new_version,
    passages_table,
    piece_keys,
)
from index.milvus.writer import spelled
from index.search.terms import TermIndex, words
from index.storage.tables import RETENTION_SECONDS
from index.text.preparation import SenderMetadata
from service.answering.answering import Answering
from service.answering.catalogue import Catalogue
from service.http.app import create_app
from service.reader.baseline import FittedReader
from service.settings import Settings
from tests.support.commands import ROOT, pincite
from tests.support.fakes import FakeEncoder

SECRET = "root:S3cret&word"  # noqa: S105  # of nothing
LATER = RETENTION_SECONDS + 120
NO_METADATA = SenderMetadata()


class Fresh(NamedTuple):
    """An empty collection in an in-process engine."""

    engine: Engine
    bound: Bound

    def put(self, source: str, text: str, metadata: SenderMetadata = NO_METADATA) -> None:
        self.bound.writer.put(source, text.encode(), metadata, lambda _: None)

    def found(self, question: str) -> list[str]:
        return [hit.passage.text for hit in self.bound.searcher(self.bound.state()).search(question, 100)]

    def rows(self, *tables: str) -> list[Row]:
        """All rows of the collection."""
        names = tables or [DOCUMENTS.name, PIECES_TABLE.name, self.bound.part.table.name]
        return [row for name in names for row in self.engine.rows(name, self.bound.part.rows, ["collection"])]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = Engine(Address(str(tmp_path_factory.mktemp("engine") / "data")))
    for table in FIXED:
        opened.make(table)
    yield opened
    opened.close()


@pytest.fixture
def fresh(engine: Engine) -> Fresh:
    return made(engine, new_version(0))


def made(engine: Engine, identity: str, encoder: FakeEncoder | None = None, budget: int = 40) -> Fresh:
    encoder = encoder or FakeEncoder()
    table = passages_table(encoder.sha256, encoder.dimension)
    engine.make(table)
    row = {"key": f"name-{identity}", "collection": identity, "config": "{}", "vector": NOTHING}
    engine.insert(COLLECTIONS.name, [row | dict.fromkeys(COLLECTIONS.numbers, 0)])
    config = IndexConfig("fake", encoder.sha256, encoder.dimension, budget=budget)
    return Fresh(engine, Bound(Part(engine, identity, table, encoder, config), f"name-{identity}", list))


# ---- addresses


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("milvus+http://localhost", ("http://localhost:19530", "default", "")),
        ("milvus+https://db.example:443/docs", ("https://db.example:443", "docs", "")),
        ("milvus+http://root:S3cret%26word@[::1]:1/a_1", ("http://[::1]:1", "a_1", SECRET)),
        ("milvus+https://token@db.example/", ("https://db.example:19530", "default", "token")),
        ("milvus+file:a/b", ("a/b", "", "")),
        ("milvus+file:/a b", ("/a b", "", "")),
        ("milvus+file:///a/b", ("/a/b", "", "")),
    ],
)
def test_an_address_is_read(given_: str, expected: tuple[str, str, str]) -> None:
    address = Address.read(given_)
    assert (address.uri, address.database, address.secret) == expected
    assert Address.read(address.text, address.secret) == address


@pytest.mark.parametrize(
    "given_",
    [
        "",
        "http://localhost",
        "milvus://localhost",
        "milvus+file:",
        "milvus+http://",
        "milvus+http://h:port/",
        "milvus+http://h/a-b",
        "milvus+http://h/a/b",
        "milvus+http://h/1",
        "milvus+http://h/a?b",
        "milvus+http://user:hidden@h:99999/",
        "milvus+http://[::1/",
    ],
)
def test_what_is_no_address_is_refused_without_quoting_it(given_: str) -> None:
    with pytest.raises(BadStore) as refused:
        Address.read(given_)
    assert "hidden" not in str(refused.value)


def test_a_secret_is_shown_nowhere(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(milvus, "CONNECT_S", 1)
    address = Address.read("milvus+http://127.0.0.1:1/docs", SECRET)
    with pytest.raises(StoreUnavailable) as away:
        Engine(address)
    shown = f"{address} {address!r} {away.value} {away.value.facts} {caplog.text}"
    assert "127.0.0.1:1" in str(away.value)
    assert "S3cret" not in shown


# ---- terms


@given(st.text())
def test_terms_are_spelled_in_letters_and_digits_that_no_analyzer_changes(text: str) -> None:
    for term in words(text):
        assert spelled(term).isascii()
        assert spelled(term).isalnum()
        assert spelled(term) == spelled(term).lower()


def test_bm25_is_that_of_tantivy(tmp_path: Path) -> None:
    draw = random.Random(1)  # noqa: S311
    vocabulary = [f"w{number}" for number in range(300)] + ["été", "東京", "日"]
    weights = [1 / (place + 1) for place in range(len(vocabulary))]
    texts = {n: " ".join(draw.choices(vocabulary, weights, k=draw.randint(1, 500))) for n in range(400)}
    index = TermIndex.create(tmp_path / "terms").updated([], [(n, 0, text) for n, text in texts.items()])
    terms = {number: words(text) for number, text in texts.items()}
    for question in ("w1 w5 w100 été", "東京 w3", "w250 w0 w0", "nothing"):
        asked = words(question)
        holding = {term: sum(term in set(held) for held in terms.values()) for term in asked}
        scores = bm25.scores(asked, terms, holding, len(texts), sum(map(len, terms.values())))
        expected = dict(index.search(question, len(texts)))
        assert scores == pytest.approx(expected, abs=1e-5)
        assert [bm25.rarity(len(texts), holding[term]) for term in asked] == [index.rarity(term) for term in asked]


# ---- limits


def test_a_document_of_megabytes_lies_in_pieces_and_comes_back_whole(engine: Engine) -> None:
    fresh = made(engine, new_version(0), FakeEncoder(window=5000), budget=4000)
    draw = random.Random(2)  # noqa: S311
    vocabulary = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyzäöüß", k=draw.randint(3, 9))) for _ in range(50_000)]
    text = "\n\n".join(" ".join(draw.choices(vocabulary, k=50)) + "." for _ in range(6000))
    assert len(text.encode()) > 2_000_000
    fresh.put("large.txt", text)
    pieces = fresh.rows(PIECES_TABLE.name)
    assert len(pieces) > 10
    searcher = fresh.bound.searcher(fresh.bound.state())
    assert searcher.text("large.txt") == text
    assert searcher.file("large.txt") == text.encode()
    texts = fresh.engine.get(PIECES_TABLE.name, [row["key"] for row in pieces], ["text"])
    assert max(len(row["text"].encode()) for row in texts.values()) <= LARGEST_TEXT


def test_more_rows_than_a_query_gives_are_read_in_the_order_of_their_keys(fresh: Fresh) -> None:
    keys = [f"{fresh.bound.part.identity}/{number:06} \"'\\%" for number in range(MOST_ROWS + 100)]
    row = {"collection": fresh.bound.part.identity, "versions": "[]", "due": 2**40, "done": 1, "vector": NOTHING}
    fresh.engine.insert(JOURNAL.name, [row | {"key": key} for key in reversed(keys)])
    read = fresh.engine.rows(JOURNAL.name, fresh.bound.part.rows, [])
    assert [row["key"] for row in read] == keys
    assert fresh.engine.get(JOURNAL.name, keys, []).keys() == set(keys)
    few = list(fresh.engine.rows(JOURNAL.name, fresh.bound.part.rows, [], limit=3))
    assert [row["key"] for row in few] == keys[:3]


@given(st.lists(st.integers(0, 120), max_size=20))
def test_no_request_is_larger_than_the_engine_takes(sizes: list[int]) -> None:
    rows: list[Row] = [{"key": "", "text": "x" * size, "number": size} for size in sizes]
    requests = list(by_size(rows, most=100))
    assert [row for request in requests for row in request] == rows
    for request in requests:
        assert len(request) == 1 or sum(len(row["text"]) for row in request) <= 100


def test_a_heading_that_the_store_has_no_room_for_is_refused_before_anything_is_written(fresh: Fresh) -> None:
    with pytest.raises(BeyondStore) as refused:
        fresh.put("a.md", "Some words.", SenderMetadata(title="x" * 70_000))
    assert refused.value.facts["limit"] == LARGEST_TEXT
    assert fresh.rows() == []
    assert fresh.rows(JOURNAL.name) == []


# ---- crashed writers, and sweeping


def failing(engine: Engine, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine fails when rows of this table are written."""
    upsert = engine.upsert

    def stop(name: str, rows: list[Row]) -> None:
        if name == table:
            raise StoreUnavailable(store=engine.address, reason="pulled")
        upsert(name, rows)

    monkeypatch.setattr(engine, "upsert", stop)


def test_a_change_that_was_cut_off_is_not_seen_and_leaves_nothing(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.put("a.txt", "The old boat is red.")
    rows, version = sorted(row["key"] for row in fresh.rows()), fresh.bound.state().version
    with monkeypatch.context() as patched:
        failing(fresh.engine, DOCUMENTS.name, patched)
        with pytest.raises(StoreUnavailable):
            fresh.put("a.txt", "The new boat is blue.")
    assert len(fresh.rows()) > len(rows)
    assert fresh.found("boat") == ["The old boat is red."]
    assert fresh.bound.state().version == version
    other = Bound(fresh.bound.part, fresh.bound.name, list)  # another process
    assert not other.writer.sweep(time.time())
    assert other.writer.sweep(time.time() + LATER)
    assert sorted(row["key"] for row in fresh.rows()) == rows
    assert fresh.rows(JOURNAL.name) == []
    assert fresh.found("boat") == ["The old boat is red."]


def test_a_writer_that_died_before_it_counted_is_counted_for(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh.put("a.txt", "The old boat is red.")
    before = fresh.bound.state()
    with monkeypatch.context() as patched:
        failing(fresh.engine, COLLECTIONS.name, patched)
        with pytest.raises(StoreUnavailable):
            fresh.put("b.txt", "The new boat is blue.")
    assert fresh.bound.state() == before
    other = Bound(fresh.bound.part, fresh.bound.name, list)
    other.writer.sweep(time.time() + LATER)
    after = other.state()
    assert after.version != before.version
    assert (after.documents, after.passages) == (2, 2)


def test_a_deletion_is_complete(fresh: Fresh) -> None:
    for text in ("Kept secret: apricots.", "Kept secret: plums."):
        fresh.put("secret.txt", text)
    fresh.put("open.txt", "Told to all: cherries.")
    kept = [row["key"] for row in fresh.rows() if row["key"] == f"{fresh.bound.part.identity}/open.txt"]
    fresh.bound.writer.delete(["secret.txt"])
    assert fresh.found("apricots plums") == ["Told to all: cherries."]
    fresh.bound.writer.sweep(time.time() + 150)
    named = {row["version"] for row in fresh.engine.get(DOCUMENTS.name, kept, ["version"]).values()}
    for table in (PIECES_TABLE.name, fresh.bound.part.table.name):
        rows = fresh.engine.rows(table, fresh.bound.part.rows, ["version"])
        assert {row["version"] for row in rows} == named


def test_a_replaced_version_is_kept_for_ten_minutes_and_then_erased(fresh: Fresh) -> None:
    fresh.put("a.txt", "One.")
    (old,) = fresh.bound.writer.present(["a.txt"]).values()
    fresh.put("a.txt", "Two.")
    assert not fresh.bound.writer.sweep(time.time() + RETENTION_SECONDS - 60)
    assert fresh.bound.versions.wholes([old.version])[old.version] is not None
    assert fresh.bound.writer.sweep(time.time() + LATER)
    assert fresh.bound.versions.wholes([old.version])[old.version] is None
    assert fresh.found("two") == ["Two."]
    assert fresh.engine.get(PIECES_TABLE.name, piece_keys(old.version), []) == {}


def test_replaced_versions_do_not_crowd_out_the_present_ones(fresh: Fresh) -> None:
    for turn in range(4):
        fresh.put("many.txt", "\n\n".join(f"Boat {n} sails in turn {turn}. {'Oar. ' * 30}" for n in range(90)))
    found = fresh.found("Which boat sails?")
    assert len(found) >= 90
    assert all("turn 3" in text for text in found)


@pytest.mark.parametrize("embedded", [True, False])
def test_a_common_term_is_counted_in_all_passages(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch, *, embedded: bool
) -> None:
    texts = ["Owls hunt.", "Owls sleep.", "Old owls hunt mice.", "Mice eat owls.", "Owl", "Cowls fall."]
    for number, text in enumerate(texts):
        fresh.put(f"{number}.txt", text)
    monkeypatch.setattr("index.milvus.searcher.FEW", 2)
    searcher = fresh.bound.searcher(fresh.bound.state())
    if not embedded:  # as in a Milvus request
        monkeypatch.setattr(fresh.engine, "address", Address("http://localhost:19530", "default"))
    for word, holding in (("owl", 5), ("hunt", 2), ("cowl", 1), ("fish", 0)):
        assert searcher.rarity(word) == pytest.approx(bm25.rarity(len(texts), holding)), word


# ---- an unavailable engine


def test_a_service_says_so_while_the_engine_is_away_and_answers_when_it_is_back(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, database, port = start_server_in_thread(str(tmp_path / "data"))
    address = Address.read(f"milvus+http://127.0.0.1:{port}/docs", SECRET)
    (tmp_path / "index" / "encoders").mkdir(parents=True)
    (tmp_path / "index" / "encoders" / "53aa51172d142c89").symlink_to(exported)
    backend = MilvusBackend(address, tmp_path / "index")
    backend.make("default")
    answering = Answering(Catalogue({"default": backend.open("default")}, backend), FittedReader())
    settings = Settings.from_env({"PINCITE_COMPACT_S": "3600"}, allow_anonymous_writes=True)
    with TestClient(create_app(answering, settings)) as client:
        assert client.put("/v1/documents/a.txt", content=b"The ferry leaves at noon.").status_code == 201
        asked = {"question": "When does the ferry leave?", "min_confidence": 0}
        answer = client.post("/v1/ask", json=asked).json()["answers"]
        assert answer[0]["text"] == "The ferry leaves at noon."
        server.stop(grace=None).wait()
        database.close()
        with monkeypatch.context() as patched:
            for name in ("READ_S", "WRITE_S"):
                patched.setattr(milvus, name, 1)  # do not wait for retries
            result = [
                client.post("/v1/ask", json=asked),
                client.put("/v1/documents/b.txt", content=b"Lost."),
                client.get("/ready"),
            ]
        for response in result:
            assert response.status_code == 503, response.text
            assert response.json()["type"] == "urn:pincite:problem:store-unavailable"
            assert int(response.headers["retry-after"]) > 0
            assert str(port) not in response.text
        assert client.get("/health").status_code == 200
        server, database, _ = start_server_in_thread(str(tmp_path / "data"), port=port)
        assert client.get("/ready").status_code == 200
        assert client.post("/v1/ask", json=asked).json()["answers"] == answer
        assert client.get("/v1/documents/b.txt").status_code == 404
    server.stop(grace=None).wait()
    database.close()


def test_the_embedded_engine_serves_one_process_alone(engine: Engine) -> None:
    with pytest.raises(StoreUnavailable, match="another process"):
        Engine(engine.address)


def test_what_the_engine_refuses_is_told_as_its_refusal(engine: Engine) -> None:
    with pytest.raises(StoreRefused):
        list(engine.rows("pincite_nowhere", 'key != ""', []))


# ---- commands


def test_what_a_store_does_by_means_of_its_own_is_said(tmp_path: Path) -> None:
    store = ["--store", f"milvus+file:{tmp_path / 'data'}", "--index", tmp_path / "index"]
    for arguments in (["backup", tmp_path / "copy"], ["restore", tmp_path], ["check", "--save-to", tmp_path / "out"]):
        result = pincite(*arguments, *store)
        assert result.returncode == 2
        assert "works on index folders only" in result.stderr
    assert pincite("list", "--store", "milvus:nowhere").returncode == 2
    assert not (tmp_path / "data").exists()


def test_commands_work_on_a_store(tmp_path: Path, exported: Path, documents: Path) -> None:
    (tmp_path / "index" / "encoders").mkdir(parents=True)
    (tmp_path / "index" / "encoders" / "53aa51172d142c89").symlink_to(exported)
    env = {"PINCITE_STORE": f"milvus+file:{tmp_path / 'data'}", "PINCITE_INDEX": str(tmp_path / "index")}
    built = pincite("build", documents, env=env)
    assert built.returncode == 0, built.stderr
    assert "Documents: 5 (5 added" in built.stdout
    result = pincite("ask", "When does the ferry leave?", env=env)
    assert "7:40" in result.stdout
    assert pincite("delete", "metals.md", env=env).stdout == "Deleted: 1\n"
    assert "metals.md" not in pincite("list", env=env).stdout
    checked = pincite("check", env=env)
    assert (checked.returncode, "4 documents" in checked.stdout) == (0, True), checked.stderr
    assert pincite("collections", "list", env=env).stdout == "default\t4 documents\tall-MiniLM-L6-v2\n"


def test_a_folder_needs_nothing_of_milvus(index_folder: Path) -> None:
    script = f"""
import sys
from pathlib import Path
import pincite
from index.backends import open_backend
backend = open_backend(Path({str(index_folder)!r}))
backend.open("default").searcher().search("ferry", 3)
print([name for name in ("pymilvus", "milvus_lite", "grpc", "pyarrow") if name in sys.modules])
"""
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.stdout == "[]\n", process.stderr


# ---- memory limits


def test_counts_of_terms_are_kept_of_so_many_terms_and_are_right_after_others_were_dropped(fresh: Fresh) -> None:
    fresh.put("a.txt", "Owls hunt mice.")
    fresh.put("b.txt", "Owls sleep.")
    searcher = fresh.bound.searcher(fresh.bound.state())
    searcher.counts = TermCounts(2)
    common, rare, absent = (searcher.rarity(term) for term in ("owl", "mice", "heron"))
    assert common < rare < absent
    assert len(searcher.counts) == 2
    assert [searcher.rarity(term) for term in ("owl", "mice", "heron")] == [common, rare, absent]
    assert fresh.found("owls hunt mice while herons sleep")[0] == "Owls hunt mice."
    assert len(searcher.counts) == 2


def test_versions_that_are_kept_stay_within_their_room(fresh: Fresh) -> None:
    for number in range(10):
        fresh.put(f"{number}.txt", f"Owl {number} hunts. " * 50)
    versions = Versions(fresh.engine, room=20_000)
    searcher = fresh.bound.searcher(fresh.bound.state())
    for document in searcher.documents(None, 10):
        assert versions.of(document.number).content.text.startswith("Owl")
        assert 0 < versions.cache.currsize <= 20_000
