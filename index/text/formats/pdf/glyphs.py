"""The characters of a page from PDFium, one by one, with their positions on the displayed page.

Range text is never read: it omits characters without Unicode, and then indices no longer match. Characters that PDFium
generated itself (spaces and line ends) are left out; words and lines are found from positions alone.
"""

from __future__ import annotations

import ctypes
import math
import re
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from index.text.formats.pdf import native

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

HYPHEN = 0x02  # PDFium's code for a hyphen at the end of a line
UNREADABLE = 0xFFFD
# Bullets of the fonts Symbol and Wingdings, which have private code points.
BULLETS = {0xF0B7: 0x2022, 0xF0A7: 0x25AA, 0xF0D8: 0x2023, 0xF076: 0x2022, 0xF0FC: 0x2713}
SPACES = (0x20, 0xA0, 0x3000, 0x202F, 0x9, *range(0x2000, 0x200C))
BOLD = re.compile(r"bold|black|heavy|demi(?!light)", re.IGNORECASE)
MONO = re.compile(r"mono|courier|consol|typewriter|(?:\b|\+)(?:cm|sf|ec)tt\d", re.IGNORECASE)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class View(Struct, frozen=True):
    """How a page is displayed: its crop box in its own coordinates, and quarter turns clockwise."""

    left: float
    bottom: float
    right: float
    top: float
    quarters: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as displayed, in points."""
        width, height = self.right - self.left, self.top - self.bottom
        return (height, width) if self.quarters % 2 else (width, height)

    def displayed(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Convert page points, y upwards, to points from the top left of the displayed page, y downwards."""
        return (
            (x - self.left, self.top - y),
            (y - self.bottom, x - self.left),
            (self.right - x, y - self.bottom),
            (self.top - y, self.right - x),
        )[self.quarters]

    def displayed_boxes(self, boxes: Floats) -> Floats:
        """[n, 4] of two opposite corners each -> x0, y0, x1, y1."""
        x0, y0 = self.displayed(boxes[:, 0], boxes[:, 1])
        x1, y1 = self.displayed(boxes[:, 2], boxes[:, 3])
        return np.stack([np.minimum(x0, x1), np.minimum(y0, y1), np.maximum(x0, x1), np.maximum(y0, y1)], axis=1)


class Glyphs(Struct, frozen=True):
    """The n characters of a page in drawing order, without white space."""

    text: str
    boxes: Floats  # [n, 4] x0, y0, x1, y1 as displayed; across the line as the font has it
    origins: Floats  # [n, 2] a point of the baseline of each, as displayed
    sizes: Floats  # font size as displayed, in points
    angles: Ints  # degrees clockwise as displayed: 0 reads to the right, 90 downwards
    bold: Flags
    mono: Flags  # in a monospaced font
    objects: Ints  # the text object that drew it
    spaced: Flags  # white space was drawn before it


class Style(Struct, frozen=True):
    """What all characters of a text object share."""

    size: float
    angle: int
    bold: bool
    mono: bool


def view(page: PdfPage) -> View:
    left, bottom, right, top = page.get_bbox()
    return View(left, bottom, right, top, page.get_rotation() // 90 % 4)


def read(page: PdfPage, view: View, most: int) -> Glyphs:
    """The first `most` characters of a page, without those outside the crop box."""
    from pypdfium2 import raw

    handle = raw.FPDFText_LoadPage(page.raw)
    try:
        address = ctypes.cast(handle, ctypes.c_void_p).value
        count = max(0, min(raw.FPDFText_CountChars(handle), most)) if address else 0
        return _read(address or 0, count, view)
    finally:
        raw.FPDFText_ClosePage(handle)


def _read(page: int, count: int, view: View) -> Glyphs:
    codes = native.codes(page, count)
    loose = native.loose_boxes(page, count)
    white = np.isin(codes, SPACES) | (codes < HYPHEN) & (codes > 0) | (codes > HYPHEN) & (codes < 0x20)
    made_up = (loose[:, 1] == loose[:, 3]) & white  # by PDFium, from the places; we have our own measure
    boxes = view.displayed_boxes(loose)
    visible = np.flatnonzero(~white & _visible(boxes, view))
    drawn_white = np.cumsum(white & ~made_up)
    owners = np.asarray(native.owners(page, visible.tolist()), np.uint64)
    firsts, objects = np.unique(owners, return_index=True, return_inverse=True)[1:]
    styles = _styles(page, visible[firsts].tolist(), owners[firsts].tolist(), view)
    origins = _origins(page, visible, firsts, objects, np.asarray([style.angle for style in styles], np.int64))
    x, y = view.displayed(origins[:, 0], origins[:, 1])
    return Glyphs(
        text=_text(codes[visible]),
        boxes=boxes[visible],
        origins=np.stack([x, y], axis=1),
        sizes=np.asarray([style.size for style in styles], np.float64)[objects],
        angles=np.asarray([style.angle for style in styles], np.int64)[objects],
        bold=np.asarray([style.bold for style in styles], np.bool_)[objects],
        mono=np.asarray([style.mono for style in styles], np.bool_)[objects],
        objects=objects.astype(np.int64),
        spaced=np.diff(drawn_white[visible], prepend=0) > 0,
    )


def _visible(boxes: Floats, view: View) -> Flags:
    """Whether the centre of a character is on the displayed page."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    width, height = view.size
    return (x >= 0) & (x <= width) & (y >= 0) & (y <= height)


def _origins(page: int, visible: Ints, firsts: Ints, objects: Ints, angles: Ints) -> Floats:
    """A point of the baseline of each character, y upwards; slanted text needs one for each."""
    if (angles % 90).any():
        return native.origins(page, visible.tolist())
    return native.origins(page, visible[firsts].tolist())[objects]


def _styles(page: int, characters: list[int], owners: list[int], view: View) -> list[Style]:
    """The style of each text object, from a character of it."""
    call = native.native()
    fonts: dict[int, tuple[bool, bool]] = {}
    styles = []
    for character, owner in zip(characters, owners, strict=True):
        a, b, c, d = native.matrix(page, character)[:4].tolist()
        size = abs(call.size(page, character)) * math.hypot(c, d)
        angle = round(view.quarters * 90 - math.degrees(math.atan2(b, a))) % 360
        font = (call.font(owner) or 0) if owner else 0
        if font not in fonts:
            fonts[font] = _is_bold_and_mono(font) if font else (False, False)
        bold, mono = fonts[font]
        bold = bold or (bool(owner) and call.mode(owner) == 2)
        styles.append(Style(size=size, angle=angle, bold=bold, mono=mono))
    return styles


def _is_bold_and_mono(font: int) -> tuple[bool, bool]:
    call, name = native.native(), native.font_name(font)
    bold = BOLD.search(name) is not None or call.font_weight(font) >= 600
    return bold, MONO.search(name) is not None or bool(call.font_flags(font) & 1)


def _text(codes: Ints) -> str:
    """One code point each; characters not allowed in a text become U+FFFD."""
    for private, public in BULLETS.items():
        codes[codes == private] = public
    bad = (codes == 0) | (codes > 0x10FFFF) | (codes >= 0xD800) & (codes < 0xE000) | (codes & 0xFFFE == 0xFFFE)
    codes = np.where(bad, UNREADABLE, codes)
    return codes.astype("<u4").tobytes().decode("utf-32-le")
