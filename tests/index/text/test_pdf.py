import io
from itertools import pairwise

import msgspec
import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from index.errors import DamagedFile, EmptyDocument, EncryptedFile, PageNotFound, TooManyPages
from index.text.formats.pdf import documents, extract, render
from index.text.maps import PageMap
from index.text.sentences import split
from index.types import BlockKind, Extracted, Span
from tests.support.pdf_proof import placed
from tests.support.pdf_scenes import SCENES
from tests.support.pdfs import Press


@pytest.fixture(scope="module")
def scenes() -> dict[str, tuple[Extracted, list[str]]]:
    made = {name: scene() for name, scene in SCENES.items()}
    return {name: (extract(data, name), [each.text for each in drawn]) for name, (data, drawn) in made.items()}


def texts(extracted: Extracted, *kinds: BlockKind) -> list[str]:
    return [extracted.text[slice(*block.span)] for block in extracted.blocks if block.kind in kinds]


def page_map(extracted: Extracted) -> PageMap:
    assert isinstance(extracted.map, PageMap)
    return extracted.map


@pytest.mark.parametrize("name", SCENES)
def test_every_sentence_is_found_where_it_was_drawn(name: str) -> None:
    data, drawn = SCENES[name]()
    assert [each for each in placed(extract(data, name), drawn) if not each.is_right] == []


def test_scenes_are_enough_to_say_something() -> None:
    assert sum(len(scene()[1]) for scene in SCENES.values()) >= 200


@pytest.mark.parametrize("name", SCENES)
def test_blocks_are_in_order_and_cover_all_words(name: str, scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes[name]
    spans = [block.span for block in extracted.blocks]
    assert all(before.end <= after.start for before, after in pairwise(spans))
    assert all(extracted.text[slice(*span)].strip() == extracted.text[slice(*span)] for span in spans)
    between = [Span(0, 0), *spans, Span(len(extracted.text), len(extracted.text))]
    assert not any(extracted.text[before.end : after.start].strip() for before, after in pairwise(between))


@pytest.mark.parametrize("name", ["two columns", "three columns", "footnotes", "side notes"])
def test_drawn_sentences_are_those_that_the_splitter_finds(
    name: str, scenes: dict[str, tuple[Extracted, list[str]]]
) -> None:
    extracted, drawn = scenes[name]
    found = {
        extracted.text[slice(*sentence.span)].lstrip("¹²³ ") for sentence in split(extracted.text, extracted.blocks)
    }
    assert set(drawn) - found == set()


def test_columns_are_read_one_after_the_other(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, drawn = scenes["three columns"]
    places = [extracted.text.index(text) for text in drawn]
    assert places == sorted(places)


def test_what_stands_across_the_page_parts_the_columns(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, drawn = scenes["two columns"]
    heading = extracted.text.index("Second part across the page")
    assert all(extracted.text.index(text) < heading for text in drawn[:16])
    assert all(extracted.text.index(text) > heading for text in drawn[16:])


def test_page_headers_and_numbers_are_left_out(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["one column"]
    assert "Lighthouse Board" not in extracted.text
    assert "Chapter" not in extracted.text
    assert not {"11", "12", "13", "14"} & set(extracted.text.split())


def test_headings_have_levels_and_paths(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["one column"]
    headings = [block for block in extracted.blocks if block.kind == "heading"]
    assert [block.level for block in headings] == [1, 2, 2, 2] * 4
    assert headings[5].headings == ("2 Section on lamps number 2", "2.1 Details of part 1")
    assert extracted.title == "1 Section on lamps number 1"


def test_footnotes_follow_the_text_and_leave_no_marks_in_it(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, drawn = scenes["footnotes"]
    notes = [block for block in texts(extracted, "paragraph") if "Note number" in block]
    assert [note[:14] for note in notes] == ["¹ Note number ", "² Note number ", "³ Note number "]
    rest = "".join(block for block in texts(extracted, "paragraph") if block not in notes)
    assert not set("¹²³") & set(rest)
    over_the_page = [text for text in drawn if len(page_map(extracted).pages(_span(extracted, text))) == 2]
    assert over_the_page  # a sentence that goes on over a page, with a note below its first part


def _span(extracted: Extracted, text: str) -> Span:
    start = extracted.text.index(text)
    return Span(start, start + len(text))


def test_side_notes_do_not_interrupt_the_text(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, drawn = scenes["side notes"]
    notes = [extracted.text.index(text) for text in drawn if text.startswith("Margin")]
    others = [extracted.text.index(text) for text in drawn if not text.startswith("Margin")]
    assert max(others) < min(notes)


def test_text_outside_of_the_crop_box_is_left_out(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["crop box"]
    assert "SECRET" not in extracted.text
    pages = page_map(extracted).pages(Span(0, len(extracted.text)))
    assert (pages[0].width, pages[0].height) == (450, 640)


def test_tables_are_rows_of_cells(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["tables"]
    assert texts(extracted, "header") == ["Station | Built | Lamps", "Material | Weight | Price"]
    assert texts(extracted, "row") == [
        "Torrance | 1812 | 14",
        "Brindle North | 1840 | 7",
        "Ushant | 1863 | 22",
        "Brass | 12 kg | 40.50",
        "Glass | 3 kg | 120.00",
        "Iron | 90 kg | 8.25",
        "Monday | closed | no boats",
        "Tuesday | 9 to 17 | two boats",
        "Wednesday | 9 to 12 | one boat",
    ]
    groups = [block.group for block in extracted.blocks if block.kind in ("row", "header")]
    assert groups == [0] * 4 + [1] * 4 + [2] * 3


def test_a_row_of_a_table_has_one_box(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["tables"]
    page = page_map(extracted).pages(_span(extracted, "Torrance | 1812 | 14"))[0]
    assert len(page.boxes) == 1
    cell = page_map(extracted).pages(_span(extracted, "Torrance"))[0].boxes[0]
    assert cell[2] - cell[0] < 50 < page.boxes[0][2] - page.boxes[0][0]


def test_lists_are_items_and_steps_with_their_introductions(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["lists"]
    kinds = [(block.kind, block.group, block.introduces) for block in extracted.blocks]
    assert kinds == [
        ("paragraph", None, False),
        ("paragraph", 0, True),
        *[("item", 0, False)] * 4,
        ("paragraph", 1, True),
        *[("step", 1, False)] * 4,
        ("paragraph", None, False),
    ]


def test_code_keeps_its_lines(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["code"]
    assert texts(extracted, "code") == ["if night:\n    lamp.light(minutes=30)\nprint(lamp)"]
    introduction = next(block for block in extracted.blocks if block.introduces)
    assert extracted.text[slice(*introduction.span)].endswith("with these commands:")


def test_terms_and_their_explanations_are_rows(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, drawn = scenes["definitions"]
    assert texts(extracted, "row") == [
        f"{term} | {drawn[2 * number + 2]} {drawn[2 * number + 3]}"
        for number, term in enumerate(("lamp", "lens", "mole"))
    ]


def test_picture_of_a_page_is_read_where_the_extra_is_installed() -> None:
    pytest.importorskip("rapidocr")
    press = Press((400, 100))
    press.line(20, 60, "The keeper counted 4,198 lamps.", size=12)
    picture = render(press.finished(), 1, 1200, "png")
    scan = Press((400, 100))
    scan.canvas.drawInlineImage(Image.open(io.BytesIO(picture.data)).convert("L"), 0, 0, 400, 100)
    extracted = extract(scan.finished(), "scan.pdf")
    assert page_map(extracted).ocr(_span(extracted, "The keeper counted 4,198 lamps."))
    assert next(placed(extracted, press.drawn)).overlap > 0.6  # lines are found less exactly than they were drawn
    assert extracted.notices == ("page 1 has pictures only; the text was recognised",)


def test_captions_and_lines_of_contents_are_told_apart(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["captions and contents"]
    assert len(texts(extracted, "contents")) == 3
    assert texts(extracted, "caption") == ["Figure 3: The lantern of the tower at Torrance as it was in 1812."]


def test_a_map_survives_storage_and_is_smaller_than_its_bound(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["one column"]
    stored = msgspec.msgpack.encode(extracted.map)
    assert msgspec.msgpack.decode(stored, type=PageMap) == extracted.map
    assert len(stored) < 4 * len(extracted.text.encode())


def test_a_label_names_the_pages(scenes: dict[str, tuple[Extracted, list[str]]]) -> None:
    extracted, _ = scenes["one column"]
    assert page_map(extracted).label(_span(extracted, "3.1 Details")) == "page 3"
    assert page_map(extracted).label(Span(0, len(extracted.text))) == "pages 1–4"
    assert page_map(extracted).label(Span(3, 3)) is None


def test_encrypted_file_is_refused() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, encrypt=StandardEncryption("secret", "owner"))
    canvas.drawString(72, 700, "Nobody may read this.")
    canvas.save()
    with pytest.raises(EncryptedFile, match="is encrypted"):
        extract(buffer.getvalue(), "locked.pdf")


def test_file_encrypted_without_a_password_is_read() -> None:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, encrypt=StandardEncryption("", "owner"))
    canvas.drawString(72, 700, "Everybody may read this.")
    canvas.save()
    assert extract(buffer.getvalue(), "open.pdf").text == "Everybody may read this."


@pytest.mark.parametrize(
    "data", [b"no PDF at all", b"%PDF-1.7\n", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF"]
)
def test_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedFile):
        extract(data, "broken.pdf")


def test_empty_file_is_refused() -> None:
    with pytest.raises(EmptyDocument, match="the file is empty"):
        extract(b"", "empty.pdf")


def test_blank_pages_are_refused() -> None:
    with pytest.raises(EmptyDocument, match="its pages are blank"):
        extract(Press().finished(), "blank.pdf")


def test_page_without_text_is_told() -> None:
    press = Press()
    press.line(60, 700, "The first page has words.")
    press.next_page()
    press.canvas.drawInlineImage(Image.new("RGB", (40, 40), "red"), 100, 500)
    extracted = extract(press.finished(), "mixed.pdf")
    assert extracted.text == "The first page has words."
    assert extracted.notices == ("page 2 has no text",)


def test_too_many_pages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_PAGES", 2)
    press = Press()
    for _ in range(3):
        press.line(60, 700, "A page.")
        press.next_page()
    with pytest.raises(TooManyPages, match="4 pages; the limit is 2"):
        extract(press.finished(), "long.pdf")


@pytest.mark.parametrize(("form", "kind"), [("png", "PNG"), ("webp", "WEBP")])
def test_picture_has_the_shape_of_the_page_as_displayed(form: str, kind: str) -> None:
    data, _ = SCENES["turned by 90, with the page"]()
    picture = render(data, 1, 900, form)  # type: ignore[arg-type]
    image = Image.open(io.BytesIO(picture.data))
    assert (image.format, image.width) == (kind, 900)
    assert (picture.width, picture.height) == (842, 595)
    assert abs(image.height - 900 * 595 / 842) <= 1


def test_boxes_are_where_the_ink_is_in_the_picture() -> None:
    data, drawn = SCENES["crop box"]()
    extracted = extract(data, "crop.pdf")
    picture = render(data, 1, 900, "png")
    image = Image.open(io.BytesIO(picture.data)).convert("L")
    scale = image.width / picture.width
    for sentence in drawn:
        for box in page_map(extracted).pages(_span(extracted, sentence.text))[0].boxes:
            inside = image.crop(tuple(int(side * scale) for side in box))  # type: ignore[arg-type]
            assert inside.getextrema()[0] < 80  # type: ignore[operator]


def test_page_that_is_not_there_has_no_picture() -> None:
    data, _ = SCENES["hyphens"]()
    with pytest.raises(PageNotFound, match="has 1 pages; page 2 does not exist"):
        render(data, 2, 900, source="a.pdf")


def test_picture_of_a_very_long_page_is_bounded() -> None:
    press = Press((20, 14_400))
    press.line(2, 700, "A ribbon.", size=4)
    picture = render(press.finished(), 1, 3000)
    assert Image.open(io.BytesIO(picture.data)).height <= 12_000


@pytest.mark.parametrize("place", range(8))
def test_damage_anywhere_is_an_error_with_its_reason_or_none(place: int) -> None:
    data, _ = SCENES["tables"]()
    start = len(data) * place // 8
    damaged = data[:start] + bytes(len(data) // 20) + data[start + len(data) // 20 :]
    try:
        extracted = extract(damaged, "damaged.pdf")
    except (DamagedFile, EmptyDocument):
        return
    assert all(extracted.text[slice(*block.span)].strip() for block in extracted.blocks)
