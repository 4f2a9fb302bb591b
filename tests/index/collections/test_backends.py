"""Behaviour of every backend: the same tests over an index folder and over Milvus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from litestar.testing import TestClient

from index.collections.addresses import Address
from index.collections.build import BuildOptions
from index.collections.build import build as index_files
from index.errors import DocumentNotFound, SourceConflict, UploadExists
from index.text.preparation import NO_METADATA
from service.schema import AskRequest, AskResponse
from tests.support.stores import Served, served

QUESTIONS = Path(__file__).parents[3] / "eval" / "data" / "seeds" / "questions.jsonl"
SEARCHED, ASKED = 2, 30  # searches every second question and answers every thirtieth; the benchmark does all
NAMES = ["A.txt", "a b/é 'x' \"y\" 100%_?.md", "deep/er/one.txt", "deep/two.txt", "z~.md", "日本/東京.txt"]

Client = TestClient[Any]


@pytest.fixture(scope="session")
def in_folder(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("stores") / "index", exported, None) as each:
        yield each


@pytest.fixture(scope="session")
def in_milvus(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("stores")
    with served(folder / "index", exported, Address.read(f"milvus+file:{folder / 'engine'}")) as each:
        yield each


@pytest.fixture(scope="session", params=["in_folder", "in_milvus"])
def store(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def made(store: Served, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Create an empty collection for a test; returns the query string that names it."""

    def make(name: str) -> str:
        store.backend.make(name)
        request.addfinalizer(lambda: store.client.delete(f"/v1/collections/{name}"))
        return f"?collection={name}"

    return make


def asked(each: Served, question: str) -> AskResponse:
    return each.answering.ask(AskRequest(question=question, max_answers=3, min_confidence=0), "")


def cited(response: AskResponse) -> list[object]:
    return [
        (answer.text, answer.highlight, [msgspec.structs.replace(each, also=[]) for each in answer.citations])
        for answer in response.answers
    ]


def put(client: Client, name: str, text: str | bytes, where: str) -> dict[str, Any]:
    response = client.put(f"/v1/documents/{quote(name)}{where}", content=text)
    assert response.status_code in (200, 201), response.text
    record: dict[str, Any] = response.json()
    return record


def found(client: Client, query: str, collection: str, **more: object) -> list[dict[str, Any]]:
    body = {"query": query, "top_k": 20, "collection": collection, **more}
    response = client.post("/v1/search", json=body)
    assert response.status_code == 200, response.text
    passages: list[dict[str, Any]] = response.json()["passages"]
    return passages


def test_every_store_finds_the_same_and_cites_the_same(in_folder: Served, in_milvus: Served) -> None:
    questions = [msgspec.json.decode(line)["question"] for line in QUESTIONS.read_bytes().splitlines()[::SEARCHED]]
    searchers = [each.answering.searcher("default") for each in (in_folder, in_milvus)]
    differ = 0
    for number, question in enumerate(questions):
        first, second = (
            [(hit.passage.document.source, hit.passage.passage, hit.passage.text) for hit in each.search(question, 20)]
            for each in searchers
        )
        differ += first != second
        if first != second or number * SEARCHED % ASKED == 0:
            assert cited(asked(in_folder, question)) == cited(asked(in_milvus, question)), question
    assert differ <= len(questions) / 100  # rounding of scores can swap two passages


def test_a_score_is_the_same_in_every_store(in_folder: Served, in_milvus: Served) -> None:
    question = "Who holds the G-7 presidency this year?"
    for one, other in zip(
        in_folder.answering.searcher("default").search(question, 20),
        in_milvus.answering.searcher("default").search(question, 20),
        strict=True,
    ):
        assert one.score == pytest.approx(other.score)
        assert one.cosine == pytest.approx(other.cosine, abs=1e-6)
        assert one.bm25 == pytest.approx(other.bm25, abs=1e-5)
    searchers = [each.answering.searcher("default") for each in (in_folder, in_milvus)]
    for word in ("presid", "the", "nowhere", "g", "7"):
        assert searchers[0].rarity(word) == pytest.approx(searchers[1].rarity(word))


def test_a_document_lives_and_dies(store: Served, made: Callable[[str], str]) -> None:
    client, where = store.client, made("life")
    body = b"The heron nests in the old quarry."
    first = client.put(f"/v1/documents/birds/heron.txt{where}&title=Herons", content=body)
    assert (first.status_code, first.json()["title"]) == (201, "Herons")
    assert client.get(f"/v1/documents/birds/heron.txt{where}").json() == first.json()
    (passage,) = found(client, "Where does the heron nest?", "life")
    assert (passage["source"], passage["text"]) == ("birds/heron.txt", body.decode())
    second = client.put(f"/v1/documents/birds/heron.txt{where}", content=b"The heron moved to the mill pond.")
    assert second.status_code == 200
    assert [each["text"] for each in found(client, "heron", "life")] == ["The heron moved to the mill pond."]
    old = client.get(f"/v1/files/birds/heron.txt{where}&sha256={sha256(body).hexdigest()}")
    assert (old.status_code, old.content) == (200, body)
    assert client.delete(f"/v1/documents/birds/heron.txt{where}").status_code == 204
    assert found(client, "heron", "life") == []
    for version in (first, second):
        assert client.get(f"/v1/files/birds/heron.txt{where}&sha256={version.json()['sha256']}").status_code == 410
    assert client.get(f"/v1/files/birds/heron.txt{where}").status_code == 404
    assert client.delete(f"/v1/documents/birds/heron.txt{where}").status_code == 404
    put(client, "birds/heron.txt", "A heron came back.", where)
    assert client.get(f"/v1/files/birds/heron.txt{where}&sha256={sha256(body).hexdigest()}").status_code == 410


def test_a_document_is_changed_only_as_expected(store: Served, made: Callable[[str], str]) -> None:
    client, path = store.client, f"/v1/documents/guarded.txt{made('guarded')}"
    assert client.put(path, content=b"One.", headers={"If-Match": "*"}).status_code == 412
    etag = client.put(path, content=b"One.", headers={"If-None-Match": "*"}).headers["etag"]
    assert client.put(path, content=b"Two.", headers={"If-None-Match": "*"}).status_code == 412
    assert client.put(path, content=b"Two.", headers={"If-Match": '"other"'}).status_code == 412
    assert client.put(path, content=b"Two.", headers={"If-Match": etag}).status_code == 200
    assert client.delete(path, headers={"If-Match": etag}).status_code == 412


def test_documents_are_listed_in_order_and_found_by_any_name(store: Served, made: Callable[[str], str]) -> None:
    client, where = store.client, made("names")
    for name in NAMES:
        put(client, name, f"This is told of {name}.", where)
    listed: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/v1/documents{where}&limit=2{cursor}").json()
        listed += [record["source"] for record in page["documents"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert listed == sorted(NAMES)
    for name in NAMES:
        assert client.get(f"/v1/files/{quote(name)}{where}").content == f"This is told of {name}.".encode()
        assert client.get(f"/v1/texts/{quote(name)}{where}").json()["text"] == f"This is told of {name}."
    for missing in ("a.txt", "deep", "A.txt\x00", "A.txt\n", '" or key != "', "x" * 3000):
        assert client.get(f"/v1/documents/{quote(missing)}{where}").status_code == 404


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["**"], NAMES),
        (["*"], ["A.txt", "z~.md"]),
        (["deep/*"], ["deep/two.txt"]),
        (["deep/**"], ["deep/er/one.txt", "deep/two.txt"]),
        (["**/*.txt"], ["A.txt", "deep/er/one.txt", "deep/two.txt", "日本/東京.txt"]),
        (["A.txt", "z*"], ["A.txt", "z~.md"]),
        (["a b/é 'x' \"y\" 100%_?.md"], ["a b/é 'x' \"y\" 100%_?.md"]),
        (["a b/*100%_*"], ["a b/é 'x' \"y\" 100%_?.md"]),
        (["?.txt"], ["A.txt"]),
        (["日本/*"], ["日本/東京.txt"]),
        (["nowhere/**", "\\", '"', "\x07*", "%", "_.txt"], []),
    ],
)
def test_a_filter_lets_through_what_matches(store: Served, patterns: list[str], expected: list[str]) -> None:
    if not store.backend.has("filtered"):
        store.backend.make("filtered")
        for name in NAMES:
            put(store.client, name, f"This is told of {name}.", "?collection=filtered")
    assert sorted(each["source"] for each in found(store.client, "told", "filtered", sources=patterns)) == sorted(
        expected
    )


def test_bytes_come_back_as_they_were_put(store: Served, made: Callable[[str], str]) -> None:
    client, where = store.client, made("bytes")
    text = "\ufeffZoë 🙂 sold it.\r\nÅ second line; a third.\r\n\r\nThe end\t."
    for name, encoding in (("wide.txt", "utf-16-le"), ("eight.txt", "utf-8")):
        file = text.encode(encoding)
        record = put(client, name, file, where)
        assert (record["bytes"], record["sha256"]) == (len(file), sha256(file).hexdigest())
        answer = client.get(f"/v1/files/{name}{where}", headers={"Range": "bytes=3-9"})
        assert (answer.status_code, answer.content) == (206, file[3:10])
        body = client.get(f"/v1/texts/{name}{where}").json()
        assert body["text"] == text[1:]
        for each in body["sentences"]:
            start, end = each["byte"]
            first, last = each["codepoint"]
            assert file[start:end].decode(encoding) == text[1:][first:last]


def test_a_citation_is_valid_moved_changed_or_deleted(store: Served, made: Callable[[str], str]) -> None:
    client, where = store.client, made("verified")
    put(client, "keeper.txt", "The keeper lives there. The lamp was lit in 1911. It burns.", where)
    body = {"question": "When was the lamp lit?", "collection": "verified", "min_confidence": 0, "max_answers": 1}
    (citation,) = client.post("/v1/ask", json=body).json()["answers"][0]["citations"]

    def status() -> str:
        sent = {"citations": [citation], "collection": "verified"}
        response: str = client.post("/v1/citations/verify", json=sent).json()["citations"][0]["status"]
        return response

    assert status() == "valid"
    put(client, "keeper.txt", "A line before. The keeper lives there. The lamp was lit in 1911. It burns.", where)
    assert status() == "moved"
    put(client, "keeper.txt", "The keeper lives there. The lamp was lit in 1912. It burns.", where)
    assert status() == "changed"
    client.delete(f"/v1/documents/keeper.txt{where}")
    assert status() == "deleted"


def test_the_version_moves_with_each_change_and_rests_otherwise(store: Served, made: Callable[[str], str]) -> None:
    where = made("moving")
    collection = store.answering.collection("moving")
    versions = [collection.searcher().version]
    for text in ("One.", "Two."):
        put(store.client, "a.txt", text, where)
        versions.append(collection.searcher().version)
        assert collection.searcher().version == versions[-1]
    store.client.delete(f"/v1/documents/a.txt{where}")
    versions.append(collection.searcher().version)
    assert len(set(versions)) == 4
    assert (collection.searcher().document_count, collection.searcher().passages) == (0, 0)


def test_collections_are_apart(store: Served, made: Callable[[str], str]) -> None:
    client, first, second = store.client, made("one"), made("two")
    put(client, "a.txt", "The first keeps bees.", first)
    put(client, "a.txt", "The second keeps bees.", second)
    assert [each["text"] for each in found(client, "bees", "one")] == ["The first keeps bees."]
    names = [each["name"] for each in client.get("/v1/collections").json()["collections"]]
    assert {"default", "one", "two"} <= set(names)
    assert client.get("/v1/collections/one").json()["documents"] == 1
    assert client.put("/v1/collections/one").status_code == 200
    assert client.delete("/v1/collections/one").status_code == 204
    assert client.get("/v1/collections/one").status_code == 404
    body = {"query": "bees", "collection": "one"}
    assert client.post("/v1/search", json=body).status_code == 404
    assert client.put(f"/v1/documents/a.txt{first}", content=b"Late.").status_code == 404
    assert [each["text"] for each in found(client, "bees", "two")] == ["The second keeps bees."]
    store.backend.make("one")
    assert found(client, "bees", "one") == []
    assert client.get(f"/v1/documents/a.txt{first}").status_code == 404
    assert client.delete("/v1/collections/default").status_code == 409


def test_a_build_takes_what_changed_and_leaves_uploads(
    store: Served, made: Callable[[str], str], tmp_path: Path
) -> None:
    where = made("built")

    def build(replace: bool = False) -> tuple[int, int, int, int, int]:
        with store.backend.build_writer("built") as writer:
            report = index_files(writer, [tmp_path], BuildOptions(replace=replace))
        return report.added, report.updated, report.unchanged, report.removed, report.documents

    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(f"Told in {name}.")
    assert build() == (3, 0, 0, 0, 3)
    assert build() == (0, 0, 3, 0, 3)
    (tmp_path / "a.txt").write_text("Told anew.")
    (tmp_path / "b.txt").unlink()
    assert build() == (0, 1, 1, 1, 2)
    put(store.client, "d.txt", "Uploaded.", where)
    (tmp_path / "d.txt").write_text("Built.")
    with pytest.raises(UploadExists):
        build()
    assert build(replace=True) == (1 - 1, 1, 2, 0, 3)
    other = tmp_path.parent / f"{tmp_path.name}-other"
    other.mkdir()
    (other / "a.txt").write_text("From elsewhere.")
    with pytest.raises(SourceConflict), store.backend.build_writer("built") as writer:
        index_files(writer, [other])


def test_several_are_deleted_or_none(store: Served, made: Callable[[str], str]) -> None:
    where = made("several")
    for name in ("a.txt", "b.txt", "c.txt"):
        put(store.client, name, f"Told in {name}.", where)
    with pytest.raises(DocumentNotFound):
        store.backend.delete(["a.txt", "x.txt"], "several")
    assert len(found(store.client, "told", "several")) == 3
    store.backend.delete(["a.txt", "b.txt"], "several")
    assert [each["source"] for each in found(store.client, "told", "several")] == ["c.txt"]


def test_a_question_sees_the_old_version_or_the_new_and_never_half(store: Served, made: Callable[[str], str]) -> None:
    made("torn")
    writer = store.answering.collection("torn").writer
    kinds = ("red", "blue")
    texts = {
        kind: "\n\n".join(f"Boat {n} of the fleet is {kind} and fast. {'Row. ' * 60}" for n in range(6))
        for kind in kinds
    }
    ready = {kind: writer.prepare_upload("fleet.txt", text.encode(), NO_METADATA) for kind, text in texts.items()}
    writer.commit_upload(ready["red"], lambda _: None)
    done = threading.Event()

    def change() -> None:
        for turn in range(12):
            writer.commit_upload(ready[kinds[(turn + 1) % 2]], lambda _: None)
        done.set()

    def ask() -> list[tuple[int, set[str]]]:
        seen = []
        while not done.is_set():
            hits = store.answering.searcher("torn").search("Which boat of the fleet is fast?", 20)
            colours = {kind for hit in hits for kind in kinds if kind in hit.passage.text}
            seen.append((len(hits), colours))
            assert all(hit.passage.text in texts[kind] for hit in hits for kind in colours)
        return seen

    whole = len(ready["red"].passages)
    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(ask) for _ in range(2)]
        threads.submit(change).result()
        seen = [each for one in asking for each in one.result()]
    assert seen
    assert {len(colours) for _, colours in seen} == {1}
    assert {count for count, _ in seen} == {whole}


def test_what_was_acknowledged_the_next_question_sees(store: Served, made: Callable[[str], str]) -> None:
    where = made("seen")
    for number in range(8):
        put(store.client, "price.txt", f"The crossing costs {number} crowns.", where)
        (passage,) = found(store.client, "What does the crossing cost?", "seen")
        assert passage["text"] == f"The crossing costs {number} crowns."


def test_check_finds_all_well(store: Served) -> None:
    for each in store.backend.check(None, repair=False, progress=lambda *_: None):
        assert each.findings == [], each.collection
