"""Reads a PDF: first page by page, then what depends on the whole document, then its text.

pages -> characters -> words -> without furniture -> columns, tables, lines -> parts in one course -> text and map.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from index.errors import DocumentTooSlow, EmptyDocument, TooManyPages, TooMuchText
from index.text.formats.pdf import documents, furniture, glyphs, groups, headings, parts, recognition, rules, words
from index.text.formats.pdf.documents import MEDIA_TYPE, opened
from index.text.formats.pdf.flow import Flow
from index.text.formats.pdf.hyphens import Vocabulary
from index.text.formats.pdf.layout import Sheet, as_prose, layout
from index.text.formats.pdf.parts import Part
from index.text.formats.pdf.writing import Writer
from index.text.maps import PageMapBuilder, direction
from index.types import Extracted

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

DATE = re.compile(r"D:(\d{4})(\d{2})(\d{2})")
FILE_NAME = re.compile(r"^microsoft word - |\.\w{2,4}$|^untitled|^document\d*$", re.IGNORECASE)
META = ("Author", "Subject", "Keywords")
UNREADABLE = 0.3  # share of characters without Unicode from which a page counts as one without text


class Page(Struct, frozen=True):
    """One page as read: its size as displayed, and its text in each direction."""

    size: tuple[float, float]
    sheets: list[Sheet]
    has_text: bool
    recognised: bool


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:  # noqa: ARG001 - a PDF names its own
    """Read a PDF. Raises DocumentError: encrypted, damaged, without any text, too large, too slow."""
    with opened(data, source) as document:
        pages = list(_pages(document, source))
        about = document.get_metadata_dict(skip_empty=True)
        outline = [item.get_title() for item in document.get_toc(max_depth=8)]
    if not any(page.sheets for page in pages):
        raise EmptyDocument(source=source, reason=_why_empty(pages))
    parts, vocabulary = _parts(pages, outline)
    builder = PageMapBuilder([page.size for page in pages], [page.recognised for page in pages])
    frames = [(number, sheet.frame) for number, page in enumerate(pages) for sheet in page.sheets]
    writer = Writer(vocabulary, builder, frames)
    for part in parts:
        writer.write(part)
    text, blocks, page_map = writer.finished()
    return Extracted(
        text=text,
        encoding="utf-8",
        bom=0,
        guessed=False,
        media_type=MEDIA_TYPE,
        title=_title(about.get("Title", ""), parts),
        blocks=blocks,
        anchor="page",
        date=_date(about),
        map=page_map,
        meta={name.lower(): about[name].strip() for name in META if about.get(name, "").strip()},
        notices=tuple(_notices(pages)),
    )


def _pages(document: PdfDocument, source: str) -> Iterator[Page]:
    """The pages, within the limits."""
    if len(document) > documents.MOST_PAGES:
        raise TooManyPages(source=source, pages=len(document), limit=documents.MOST_PAGES)
    started, characters = time.monotonic(), 0
    for number in range(len(document)):
        if time.monotonic() - started > documents.LONGEST_READING:
            raise DocumentTooSlow(source=source, seconds=documents.LONGEST_READING, done=number, pages=len(document))
        page = _page(document, number)
        characters += sum(len(sheet.frame.text) for sheet in page.sheets)
        if characters > documents.MOST_CHARACTERS:
            raise TooMuchText(source=source, limit=documents.MOST_CHARACTERS)
        yield page


def _page(document: PdfDocument, number: int) -> Page:
    import pypdfium2

    try:
        page = document[number]
    except pypdfium2.PdfiumError:  # a damaged page among others
        return Page(size=(0.0, 0.0), sheets=[], has_text=False, recognised=False)
    try:
        return _read(page)
    finally:
        page.close()


def _read(page: PdfPage) -> Page:
    view = glyphs.view(page)
    glyphs_read = glyphs.read(page, view, documents.MOST_ON_A_PAGE)
    if glyphs_read.text and glyphs_read.text.count("\ufffd") < UNREADABLE * len(glyphs_read.text):
        drawn = rules.read(page, view)
        sheets = [Sheet(frame, some, rules.in_frame(drawn, frame.angle)) for frame, some in words.split(glyphs_read)]
        return Page(size=view.size, sheets=sheets, has_text=True, recognised=False)
    if not glyphs_read.text and not rules.has_content(page):
        return Page(size=view.size, sheets=[], has_text=True, recognised=False)  # blank
    recognised = recognition.read(page, view.size)
    sheets = [Sheet(*recognised, [])] if recognised else []
    return Page(size=view.size, sheets=sheets, has_text=False, recognised=bool(sheets))


def _parts(pages: Sequence[Page], outline: Iterable[str]) -> tuple[list[Part], Vocabulary]:
    """The parts of all pages in their order, and the words of the document."""
    body, bold_text, is_typed = _usual(sheet for page in pages for sheet in page.sheets)
    sheets_of_pages = _without_furniture(pages, body)
    if is_typed:
        sheets_of_pages = ([as_prose(sheet) for sheet in sheets] for sheets in sheets_of_pages)
    layouts = [layout(sheets) for sheets in sheets_of_pages]
    columns = [column for page in layouts for column in page]
    flow = Flow(body, parts.leading([column.lines for column in columns]))
    for number, page in enumerate(layouts):
        flow.add(number, page)
    marked = headings.mark(flow.finished(), body, outline, bold_text=bold_text)
    groups.number(marked)
    return marked, Vocabulary(list(column.all_lines) for column in columns)


def _usual(sheets: Iterable[Sheet]) -> tuple[float, bool, bool]:
    """The size of most characters, whether most are bold, and whether most have one width."""
    sizes: Counter[float] = Counter()
    bold = mono = 0
    for sheet in sheets:
        for word in sheet.words:
            sizes[round(word.size * 2) / 2] += word.stop - word.start
            bold += (word.stop - word.start) * word.bold
            mono += (word.stop - word.start) * word.mono
    size = sizes.most_common(1)[0][0] if sizes else 10.0
    return size, 2 * bold > sizes.total(), 2 * mono > sizes.total()


def _without_furniture(pages: Sequence[Page], body: float) -> Iterator[list[Sheet]]:
    """The sheets of each page without what is repeated at its edges, and without what is repeated across it."""
    mains = [page.sheets[0].words if page.sheets else [] for page in pages]
    bounds = [_bounds(page) for page in pages]
    furniture_words = furniture.furniture_words(mains, bounds, body)
    marks = Counter((s.frame.angle, s.frame.text) for page in pages for s in page.sheets[1:])
    for page, ids in zip(pages, furniture_words, strict=True):
        sheets = [sheet for sheet in page.sheets[1:] if marks[sheet.frame.angle, sheet.frame.text] < 3]
        if page.sheets:
            main = page.sheets[0]
            rest = [word for word in main.words if id(word) not in ids]
            sheets.insert(0, Sheet(main.frame, rest, main.rules))
        yield sheets


def _bounds(page: Page) -> tuple[float, float]:
    """The top and bottom of a page in the frame of its main direction."""
    width, height = page.size
    cos, sin = direction(page.sheets[0].frame.angle) if page.sheets else (1.0, 0.0)
    across = [y * cos - x * sin for x in (0.0, width) for y in (0.0, height)]
    return min(across), max(across)


def _title(named: str, parts: Sequence[Part]) -> str | None:
    """The title in the file's metadata if it is plausible; else the first top-level heading on the first page."""
    heads = [part for part in parts if part.kind == "heading" and part.page == 0]
    first = min(heads, key=lambda part: part.level).text if heads else None
    named = " ".join(named.split())
    if named and not FILE_NAME.search(named):
        return named
    return first


def _date(about: dict[str, str]) -> str | None:
    match = DATE.match(about.get("CreationDate", ""))
    return "-".join(match.groups()) if match else None


def _notices(pages: Sequence[Page]) -> Iterator[str]:
    without = [number + 1 for number, page in enumerate(pages) if not page.has_text and not page.recognised]
    read = [number + 1 for number, page in enumerate(pages) if page.recognised]
    if without:
        yield f"{_named(without)} no text"
    if read:
        yield f"{_named(read)} pictures only; the text was recognised"


def _named(pages: Sequence[int]) -> str:
    """`page 4 has`, `pages 4, 6 and 9 have`, `212 pages (4, 6, 9, …) have`."""
    if len(pages) == 1:
        return f"page {pages[0]} has"
    if len(pages) <= 10:
        return f"pages {', '.join(map(str, pages[:-1]))} and {pages[-1]} have"
    return f"{len(pages)} pages ({', '.join(map(str, pages[:5]))}, …) have"


def _why_empty(pages: Sequence[Page]) -> str:
    if all(page.has_text for page in pages):
        return ": its pages are blank"
    count = f"its {len(pages)} pages are pictures" if len(pages) > 1 else "its page is a picture"
    if recognition.is_installed():
        return f": {count}, and no text was recognised in them"
    return f": {count}. Text in pictures is recognised with the extra `ocr`: pip install pincite[ocr]"
