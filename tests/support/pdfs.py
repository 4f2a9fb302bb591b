"""PDFs made for tests, which remember where each sentence was drawn.

A sheet sets paragraphs in columns, as a typesetting program would, and notes the box of every line of every sentence:
from the font's descent below the baseline to its ascent above, as the font's own tables give them, in points from the
top left of the page as it is displayed.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct, field
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

Box = tuple[float, float, float, float]
A4 = (595.0, 842.0)
DEJAVU = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
ADJECTIVES = [
    "old",
    "new",
    "northern",
    "southern",
    "careful",
    "silent",
    "broad",
    "narrow",
    "bright",
    "early",
    "late",
    "heavy",
    "public",
    "private",
    "coastal",
]
NOUNS = (
    "keeper",
    "harbour",
    "council",
    "library",
    "bridge",
    "engine",
    "museum",
    "school",
    "committee",
    "station",
    "laboratory",
    "market",
)
PLACES = (
    "Torrance",
    "Brindle",
    "Castlebay",
    "Ferrol",
    "Ushant",
    "Marstrand",
    "Vardø",
    "Kinnaird",
    "Penzance",
    "Lindisfarne",
)
VERBS = (
    "counted",
    "repaired",
    "inspected",
    "painted",
    "recorded",
    "measured",
    "catalogued",
    "replaced",
)
THINGS = (
    "lanterns",
    "windows",
    "letters",
    "volumes",
    "instruments",
    "boats",
    "lenses",
    "tables",
    "ledgers",
    "bells",
)
TAILS = [
    "before the first storm of the winter arrived from the west",
    "although nobody had asked for it at the time",
    "and reported the result to the ministry within a fortnight",
    "because the previous inventory had been lost in a fire",
    "while the people of the town were watching from the quay",
    "with the help of three apprentices and a retired sailor",
]


class Drawn(Struct):
    """A sentence as it has to come out of the text, and the boxes of its lines: page (from 1), box."""

    text: str
    boxes: list[tuple[int, Box]] = field(default_factory=list)


class Word(Struct):
    """A word to set, and which sentence it belongs to; `parts` where a hyphen may part it."""

    text: str
    sentence: Drawn | None
    parts: tuple[str, str] | None = None


def sentences(seed: int) -> Iterator[str]:
    """Sentences, each of them unlike all others."""
    chance = random.Random(seed)  # noqa: S311 - no secrets, but the same ones each time
    while True:
        number = chance.randrange(13, 9999)
        yield (
            f"The {chance.choice(ADJECTIVES)} {chance.choice(NOUNS)} of {chance.choice(PLACES)} "
            f"{chance.choice(VERBS)} {number:,} {chance.choice(ADJECTIVES)} {chance.choice(THINGS)} "
            f"in {chance.randrange(1700, 2020)} {chance.choice(TAILS)}."
        )


class Press:
    """Makes one PDF. `place` maps a point of the canvas to the displayed page, for pages turned or cut."""

    def __init__(
        self, size: tuple[float, float] = A4, place: Callable[[float, float], tuple[float, float]] | None = None
    ) -> None:
        self.size = size
        self.buffer = io.BytesIO()
        self.canvas = Canvas(self.buffer, pagesize=size, invariant=True)
        self.drawn: list[Drawn] = []
        self.page = 1
        self.place = place or (lambda x, y: (x, size[1] - y))

    def next_page(self) -> None:
        self.canvas.showPage()
        self.page += 1

    def finished(self) -> bytes:
        self.canvas.showPage()
        self.canvas.save()
        return self.buffer.getvalue()

    def sentence(self, text: str) -> Drawn:
        self.drawn.append(Drawn(text))
        return self.drawn[-1]

    def words(self, texts: Sequence[str]) -> list[Word]:
        """The words of a paragraph; each text is a sentence."""
        return [Word(word, drawn) for text in texts for drawn in [self.sentence(text)] for word in text.split(" ")]

    def text(self, x: float, y: float, text: str, font: str = "Helvetica", size: float = 10) -> None:
        """Draw without remembering: what is no sentence."""
        self.canvas.setFont(font, size)
        self.canvas.drawString(x, y, text)

    def line(self, x: float, y: float, text: str, font: str = "Helvetica", size: float = 10) -> None:
        """A line that is a sentence, or a heading, of its own."""
        self.set([Word(text, self.sentence(text))], x, y, 10_000, font=font, size=size)

    def set(
        self,
        words: Sequence[Word],
        x: float,
        y: float,
        width: float,
        *,
        font: str = "Helvetica",
        size: float = 10,
        leading: float = 12,
        indent: float = 0,
        justify: bool = False,
        most: int = 10_000,
    ) -> tuple[float, list[Word]]:
        """Set words in lines; gives the baseline after the last one, and the words that did not fit in `most` lines."""
        rest = list(words)
        lines = 0
        while rest and lines < most:
            first = indent if lines == 0 else 0
            row, rest = self._row(rest, width - first, font, size)
            stretch = justify and bool(rest)
            self._draw(row, x + first, y, width - first if stretch else None, font=font, size=size)
            y -= leading
            lines += 1
        return y, rest

    def _row(self, words: list[Word], width: float, font: str, size: float) -> tuple[list[Word], list[Word]]:
        space = pdfmetrics.stringWidth(" ", font, size)
        row: list[Word] = []
        used = 0.0
        for number, word in enumerate(words):
            wide = pdfmetrics.stringWidth(word.text, font, size)
            if row and used + space + wide > width:
                if word.parts and used + space + pdfmetrics.stringWidth(word.parts[0] + "-", font, size) <= width:
                    head, tail = word.parts
                    return [*row, Word(head + "-", word.sentence)], [Word(tail, word.sentence), *words[number + 1 :]]
                return row, words[number:]
            used += (space if row else 0) + wide
            row.append(word)
        return row, []

    def _draw(self, row: list[Word], x: float, y: float, width: float | None, *, font: str, size: float) -> None:
        space = pdfmetrics.stringWidth(" ", font, size)
        if width is not None and len(row) > 1:
            natural = sum(pdfmetrics.stringWidth(word.text, font, size) for word in row)
            space = (width - natural) / (len(row) - 1)
        self.canvas.setFont(font, size)
        spans: dict[int, tuple[Drawn, float, float]] = {}
        for word in row:
            wide = pdfmetrics.stringWidth(word.text, font, size)
            if width is not None:
                self.canvas.drawString(x, y, word.text)
            if word.sentence is not None:
                _, left, _ = spans.get(id(word.sentence), (word.sentence, x, x))
                spans[id(word.sentence)] = (word.sentence, left, x + wide)
            x += wide + space
        if width is None:
            start = x - sum(pdfmetrics.stringWidth(word.text, font, size) + space for word in row)
            self.canvas.drawString(start, y, " ".join(word.text for word in row))
        ascent, descent = pdfmetrics.getAscentDescent(font, size)
        for sentence, left, right in spans.values():
            self.remember(sentence, left, y + descent, right, y + ascent)

    def remember(self, sentence: Drawn, left: float, bottom: float, right: float, top: float) -> None:
        (x0, y0), (x1, y1) = self.place(left, bottom), self.place(right, top)
        sentence.boxes.append((self.page, (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))))


def register_dejavu() -> str:
    """A font with ligatures and Hebrew letters."""
    if "DejaVu" not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont("DejaVu", DEJAVU))
    return "DejaVu"


def overlap(box: Box, other: Box) -> float:
    """Intersection over union."""
    wide = min(box[2], other[2]) - max(box[0], other[0])
    high = min(box[3], other[3]) - max(box[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return wide * high / (sum(areas) - wide * high)
