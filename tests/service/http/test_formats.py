"""Documents of every format, from the file to the citation, through the service."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from litestar.types import ASGIApp
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen import canvas

from index.text.parsing import POOL
from service.answering.answering import Answering
from service.http.app import create_app
from service.settings import Settings
from tests.conftest import built
from tests.support.office import docx

Client = TestClient[ASGIApp]


def pdf(*pages: list[str]) -> bytes:
    """Pages of lines, each 14 points below the one before; the first stands 60 points below the top."""
    written = io.BytesIO()
    drawn = canvas.Canvas(written, pagesize=A4)
    for page in pages:
        drawn.setFont("Helvetica", 11)
        for number, line in enumerate(page):
            drawn.drawString(72, A4[1] - 60 - 14 * number, line)
        drawn.showPage()
    drawn.save()
    return written.getvalue()


PETS = docx(
    '<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:r><w:t>Pets</w:t></w:r></w:p>'
    "<w:p><w:r><w:t>Cats may live on every floor. Dogs may not.</w:t></w:r></w:p>"
)


def xlsx() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet
    sheet.title = "Moorings"
    for row in (("Boat", "Fee in EUR"), ("Dinghy", 12), ("Houseboat", 480)):
        sheet.append(row)
    return saved(book)


def pptx() -> bytes:
    import pptx

    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Launch"
    slide.placeholders[1].text = "The rocket is launched on Monday, 4 May."
    return saved(show)


def saved(document: Any) -> bytes:  # noqa: ANN401  # each library has its own type
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


LEASE = pdf(
    ["The rent is due on the first of each month."],
    ["The landlord is Ingrid Solheim. She lives in a house on the hill above", "the old harbour of Bergen."],
)
HTML = """<!doctype html><html><head><meta charset="windows-1252"><title>Ferry</title></head><body>
<nav><a href="/">Home</a> <a href="/fares">Fares</a></nav>
<main><h1>Timetable</h1><p>The café ferry <b>leaves</b> at&nbsp;7:40
   from pier&#32;4.</p><script>alert("no")</script></main></body></html>
""".encode("cp1252")
MAIL = (
    b"From: Ada <ada@example.org>\r\nTo: Bo <bo@example.org>\r\nSubject: Moving day\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nThe piano is carried out by Ole Brandt.\r\n"
)
FILES = {
    "lease.pdf": LEASE,
    "pets.docx": PETS,
    "moorings.xlsx": xlsx(),
    "launch.pptx": pptx(),
    "ferry.html": HTML,
    "moving.eml": MAIL,
    "opening.csv": b"day,opens\nMonday,9:00\nSunday,11:00\n",
    "talk.srt": b"1\n00:00:01,000 --> 00:00:04,000\nThe captain of the Aurora\nis called Mira Voss.\n",
}
# Of each file: a question, what the answer holds, the anchor, and the place in words.
ASKED = [
    ("lease.pdf", "When is the rent due?", "first of each month", "page", "page 1"),
    ("lease.pdf", "Who is the landlord?", "Ingrid Solheim", "page", "page 2"),
    ("pets.docx", "Where may cats live?", "every floor", "block", "§ Pets"),
    ("moorings.xlsx", "What is the fee for a houseboat?", "480", "block", "Moorings, row 3"),
    ("launch.pptx", "When is the rocket launched?", "4 May", "block", "slide 1"),
    ("ferry.html", "When does the ferry leave?", "7:40", "mapped", "§ Timetable"),
    ("moving.eml", "Who carries out the piano?", "Ole Brandt", "mapped", "Moving day"),
    ("opening.csv", "When does it open on Sunday?", "11:00", "exact", "row 3"),
    ("talk.srt", "Who is the captain of the Aurora?", "Mira Voss", "exact", "00:00:01"),
]


@pytest.fixture(scope="module")
def client(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("formats")
    (folder / "files").mkdir()
    for name, data in FILES.items():
        (folder / "files" / name).write_bytes(data)
    (folder / "index").mkdir()
    index = built(folder / "files", exported, folder / "index")
    with TestClient(create_app(Answering.open(index), Settings.from_env({}, allow_anonymous_writes=True))) as opened:
        yield opened


def ask(client: Client, source: str, question: str) -> dict[str, Any]:
    body = {"question": question, "sources": [source], "max_answers": 1, "min_confidence": 0}
    answer: dict[str, Any] = client.post("/v1/ask", json=body).json()["answers"][0]
    return answer


@pytest.mark.parametrize("case", ASKED, ids=lambda case: f"{case[0]}: {case[1]}")
def test_an_answer_cites_its_place_in_a_file_of_any_format(
    client: Client, case: tuple[str, str, str, str, str]
) -> None:
    source, question, held, anchor, label = case
    answer = ask(client, source, question)
    assert held in answer["text"]
    citation = answer["citations"][-1]  # behind the header row, where there is one
    assert (citation["anchor"], citation["label"]) == (anchor, label)
    start, end = citation["range"]["codepoint"]
    assert client.get(f"/v1/texts/{source}").json()["text"][start:end] == citation["quote"]["exact"]
    if anchor == "exact":
        first, behind = citation["range"]["byte"]
        assert FILES[source][first:behind].decode() == citation["quote"]["exact"]
    elif anchor == "mapped":
        segments = [FILES[source][first:behind].decode("cp1252") for first, behind in citation["segments"]]
        shown = " ".join(html.unescape("".join(segments)).split())
        assert shown == " ".join(citation["quote"]["exact"].split())
        assert citation["range"]["byte"] == [citation["segments"][0][0], citation["segments"][-1][1]]
    else:
        assert citation["range"]["byte"] is None
    verified = client.post("/v1/citations/verify", json={"citations": [citation]}).json()["citations"]
    assert verified[0]["status"] == "valid"


def test_the_boxes_of_a_sentence_lie_on_its_lines(client: Client) -> None:
    (page,) = ask(client, "lease.pdf", "Where does the landlord live?")["citations"][0]["pages"]
    assert (page["page"], page["width"], page["height"]) == (
        2,
        pytest.approx(A4[0], abs=0.1),
        pytest.approx(A4[1], abs=0.1),
    )
    for number, (left, top, right, bottom) in enumerate(page["boxes"]):
        baseline = 60 + 14 * number
        assert 71 < left < right < A4[0]
        assert top < baseline < bottom + 0.1
        assert bottom - top < 14


def test_a_page_is_drawn_in_the_format_that_is_accepted(client: Client) -> None:
    drawn = client.get("/v1/pages/lease.pdf?page=2&width=300", headers={"Accept": "image/png"})
    assert drawn.headers["content-type"] == "image/png"
    assert [round(float(each)) for each in drawn.headers["x-page-size"].split()] == [595, 842]
    assert drawn.headers["x-page-count"] == "2"
    assert Image.open(io.BytesIO(drawn.content)).size[0] == 300
    again = client.get(
        "/v1/pages/lease.pdf?page=2&width=300", headers={"Accept": "image/png", "If-None-Match": drawn.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/v1/pages/lease.pdf").headers["content-type"] == "image/webp"


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("lease.pdf?page=3", 404, "unknown-page"),
        ("lease.pdf?page=0", 422, "out-of-range"),
        ("lease.pdf?width=1", 422, "out-of-range"),
        ("pets.docx", 415, "no-pages"),
        ("nothing.pdf", 404, "unknown-document"),
    ],
)
def test_a_page_that_cannot_be_drawn_is_refused_with_the_fact(
    client: Client, path: str, status: int, name: str
) -> None:
    response = client.get(f"/v1/pages/{path}")
    assert (response.status_code, response.json()["type"]) == (status, f"urn:pincite:problem:{name}")


def test_a_damaged_file_is_refused_and_the_service_goes_on(client: Client) -> None:
    headers = {"Content-Type": "application/pdf"}
    refused = client.put("/v1/documents/new.pdf", content=b"%PDF-1.7 and nothing else", headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:pincite:problem:damaged-document")
    added = client.put("/v1/documents/new.pdf", content=pdf(["The key hangs behind the clock."]), headers=headers)
    assert added.status_code == 201
    assert "behind the clock" in ask(client, "new.pdf", "Where does the key hang?")["text"]


def test_a_worker_that_dies_costs_no_more_than_its_document(client: Client) -> None:
    with POOL.worker() as worker:
        worker.process.kill()
        worker.process.wait()
    assert client.get("/v1/pages/lease.pdf?width=301").status_code == 200
