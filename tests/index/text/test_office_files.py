"""Files that LibreOffice has written: one text saved as DOCX and as ODT reads the same, and so do sheets and slides."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.text.formats import docx, odt, pptx, xlsx
from index.types import Block
from tests.support.office import check_places, docx_texts, odt_texts, outline

FILES = Path(__file__).parent / "data" / "libreoffice"
MEMBERSHIP, LEAVING, BOATS = ("1 Membership",), ("1 Membership", "1.1 Leaving"), ("2 Boats",)
BYLAWS = [
    ("heading", "Bylaws of the rowing club", ("Bylaws of the rowing club",), None),
    ("heading", "Membership", MEMBERSHIP, None),
    ("paragraph", "The yearly fee is thirty euros. It is due on the first of May.", MEMBERSHIP, None),
    ("paragraph", "Students pay half.", MEMBERSHIP, "footnote 1"),
    ("heading", "Leaving", LEAVING, None),
    ("paragraph", "Members leave in three steps:", LEAVING, None),
    ("step", "Write to the board.", LEAVING, "§ 1.1 Leaving, 1"),
    ("step", "Hand in", LEAVING, "§ 1.1 Leaving, 2"),
    ("step", "the key,", LEAVING, "§ 1.1 Leaving, a)"),
    ("step", "the badge.", LEAVING, "§ 1.1 Leaving, b)"),
    ("step", "Wait for the letter.", LEAVING, "§ 1.1 Leaving, 3"),
    ("heading", "Boats", BOATS, None),
    ("paragraph", "These boats may be used:", BOATS, None),
    ("item", "the Heron", BOATS, None),
    ("item", "the Otter", BOATS, None),
    ("header", "Class\tBoat\tSeats", BOATS, "table 1, row 1"),
    ("row", "Gig\tHeron\t4", BOATS, "table 1, row 2"),
    ("row", "Gig\tOtter\t2", BOATS, "table 1, row 3"),
    ("row", "In all\t\t6", BOATS, "table 1, row 4"),
    ("paragraph", "The gate\topens\nat nine.", BOATS, None),
    ("paragraph", "Ring twice after dark.", BOATS, None),
]


def described(text: str, block: Block) -> tuple[str, str, tuple[str, ...], str | None]:
    return block.kind, text[block.span.start : block.span.end], block.headings, block.label


@pytest.mark.parametrize("suffix", ["docx", "odt"])
def test_one_text_reads_the_same_in_both_formats(suffix: str) -> None:
    """Its source has a deleted word, an inserted one, a hidden one, a comment, and each kind of block."""
    data = (FILES / f"bylaws.{suffix}").read_bytes()
    extracted = (docx.extract if suffix == "docx" else odt.extract)(data, f"bylaws.{suffix}")
    assert [described(extracted.text, block) for block in extracted.blocks] == BYLAWS
    assert [block.group for block in extracted.blocks[5:11]] == [1] * 6
    assert extracted.blocks[5].introduces
    assert extracted.title == "Bylaws of the rowing club"
    assert extracted.date == "2026-03-04"
    check_places(extracted, (docx_texts if suffix == "docx" else odt_texts)(data))


def test_sheets_show_what_libreoffice_calculated() -> None:
    extracted = xlsx.extract((FILES / "prices.xlsx").read_bytes(), "prices.xlsx")
    assert outline(extracted) == [
        ("paragraph", "Prices of the harbour, 2026"),
        ("header", "Berth\tSeason\tFrom\tPrice\tDiscount"),
        ("row", "Small\tSummer\t2026-04-01\t12.50 €\t10.0%"),
        ("row", "Small\tWinter\t2026-10-01\t8.00 €\t25.5%"),
        ("row", "Large\tSummer\t2026-04-01\t1,250.00 €\t0.0%"),
        ("row", "Sum\t\t\t1,270.50 €"),
        ("header", "Day\tOpens"),
        ("row", "Monday\t09:00:00"),
        ("row", "Sunday\tclosed"),
    ]
    assert extracted.notices == ("the hidden sheet 'Draft' is left out",)


def test_slides_read_the_same_when_libreoffice_has_saved_them() -> None:
    extracted = pptx.extract((FILES / "slides.pptx").read_bytes(), "slides.pptx")
    assert [(*each, block.label) for each, block in zip(outline(extracted), extracted.blocks, strict=True)] == [
        ("heading", "Harbour report", "slide 1"),
        ("paragraph", "By the board", "slide 1"),
        ("heading", "Traffic", "slide 2"),
        ("item", "Ferries rose by 4 %", "slide 2"),
        ("item", "mostly in May", "slide 2"),
        ("paragraph", "Mention the strike of 12 May.", "slide 2, notes"),
        ("heading", "Fees", "slide 3"),
        ("header", "Ship\tFee", "slide 3"),
        ("row", "Ferry\t12 EUR", "slide 3"),
        ("row", "Yacht\t30 EUR", "slide 3"),
        ("paragraph", "In a group", "slide 5"),
    ]
