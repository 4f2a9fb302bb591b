"""One PDF for each thing that goes wrong when PDFs are read, made with `pdfs.Press`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from reportlab.pdfbase import pdfmetrics

from tests.support.pdfs import A4, Drawn, Press, Word, register_dejavu, sentences

Scene = tuple[bytes, list[Drawn]]


def _take(source: Iterator[str], count: int) -> list[str]:
    return list(islice(source, count))


def one_column() -> Scene:
    """Headings of two levels, paragraphs with and without indents, page headers, footers and numbers."""
    press, text = Press(), sentences(1)
    for page in range(1, 5):
        press.text(60, 800, "Report of the Lighthouse Board", size=8)
        press.text(400, 800, f"Chapter {page}", size=8)
        press.text(290, 30, f"{page + 10}", size=8)
        y = 760.0
        press.text(60, y, f"{page} Section on lamps number {page}", "Helvetica-Bold", 16)
        y -= 26
        for part in range(3):
            press.text(60, y, f"{page}.{part + 1} Details of part {part + 1}", "Helvetica-Bold", 12)
            y -= 18
            for number in range(3):
                y, _ = press.set(
                    press.words(_take(text, 2)), 60, y, 470, indent=14 if number else 0, justify=part == 1, leading=13
                )
            y -= 12
        if page < 4:
            press.next_page()
    return press.finished(), press.drawn


def two_columns() -> Scene:
    """Two columns below a title across both, drawn line by line across the page, and a heading across in the middle."""
    press, text = Press(), sentences(2)
    press.text(150, 790, "On the Keeping of Lights", "Helvetica-Bold", 18)
    y = _in_columns(press, text, 760, [(60, 230), (305, 230)], paragraphs=4, justify=True)
    press.text(60, y - 20, "Second part across the page", "Helvetica-Bold", 14)
    _in_columns(press, text, y - 44, [(60, 230), (305, 230)], paragraphs=3, justify=False, shift=5)
    return press.finished(), press.drawn


def three_columns() -> Scene:
    press, text = Press(), sentences(3)
    press.text(60, 800, "The Coast Gazette", "Helvetica-Bold", 24)
    _in_columns(press, text, 760, [(50, 155), (220, 155), (390, 155)], paragraphs=4, justify=True, size=9, leading=11)
    return press.finished(), press.drawn


def _in_columns(
    press: Press,
    text: Iterator[str],
    top: float,
    columns: list[tuple[float, float]],
    *,
    paragraphs: int,
    justify: bool,
    shift: float = 0,
    size: float = 10,
    leading: float = 12,
) -> float:
    """Columns of paragraphs; the lines are drawn across the page, the next line of each column in turn."""
    waiting = [[press.words(_take(text, 2)) for _ in range(paragraphs)] for _ in columns]
    heights = [top - shift * number for number in range(len(columns))]
    fresh = [True] * len(columns)
    while any(waiting):
        for number, (x, width) in enumerate(columns):
            if not waiting[number]:
                continue
            indent = 12 if fresh[number] and len(waiting[number]) < paragraphs else 0
            heights[number], rest = press.set(
                waiting[number][0],
                x,
                heights[number],
                width,
                justify=justify,
                most=1,
                indent=indent,
                size=size,
                leading=leading,
            )
            fresh[number] = not rest
            waiting[number][:1] = [rest] if rest else []
    return min(heights)


def side_notes() -> Scene:
    """Notes in the margin, in small letters, beside the text that they belong to."""
    press, text = Press(), sentences(4)
    y = 780.0
    for number in range(6):
        note = press.words([f"Margin note {number + 1} says that lamp {number + 40} was new."])
        press.set(note, 450, y - 3, 90, size=7.5, leading=9)
        y, _ = press.set(press.words(_take(text, 3)), 60, y, 360)
        y -= 8
    return press.finished(), press.drawn


def footnotes() -> Scene:
    """Footnotes below a short rule, with raised marks in the text, which goes on over the page."""
    press, text = Press(), sentences(5)
    going: list[Word] = []
    for page in range(3):
        y = 780.0
        if going:
            y, _ = press.set(going, 60, y, 470)
        for number in range(4):
            first, second = press.words(_take(text, 1)), press.words(_take(text, 1))
            y, _ = press.set(first, 60, y, 400)
            if number == 1:  # a mark right behind the full stop of the last line
                line = first[-1].sentence
                assert line is not None
                x = 60 + line.boxes[-1][1][2] - line.boxes[-1][1][0]
                press.text(x, y + 12 + 4, str(page + 1), size=6)
            y, _ = press.set(second, 60, y, 470)
            y -= 6
        y, going = press.set(press.words(_take(text, 4)), 60, y, 470, most=3)
        press.canvas.line(60, 110, 160, 110)
        note = press.words([f"Note number {page + 1} of the board tells of lamp {page + 70}.", *_take(text, 1)])
        press.text(60, 98 + 3, str(page + 1), size=5)
        press.set(note, 64, 98, 460, size=8, leading=10)
        press.next_page()
    press.set(going, 60, 780, 470)
    return press.finished(), press.drawn


def hyphens() -> Scene:
    """Words parted at the ends of lines: some by the program, some that have their hyphen anyway."""
    press = Press()
    known = press.words(
        [
            "The well-known keeper wrote about an example of careful information on the north-west coast.",
            "His example was the navigation of boats, and the well-known station is maintained to this day.",
        ]
    )
    y, _ = press.set(known, 60, 780, 470)
    for number, (head, tail, whole) in enumerate(
        [
            ("exam", "ple", "example"),
            ("well-", "known", "well-known"),
            ("infor", "mation", "information"),
            ("navi", "gation", "navigation"),
            ("north-", "west", "north-west"),
            ("Anglo-", "Saxon", "Anglo-Saxon"),
            ("main", "tained", "maintained"),
            ("unfore", "seeable", "unforeseeable"),
        ]
    ):
        y -= 10
        sentence = press.sentence(f"Line {number + 1} of the log of the station tells that {whole} was a word in it.")
        before = f"Line {number + 1} of the log of the station tells that {head.rstrip('-')}-"
        after = f"{tail} was a word in it."
        for part in (before, after):
            width = pdfmetrics.stringWidth(part, "Helvetica", 10)
            press.text(60, y, part)
            ascent, descent = pdfmetrics.getAscentDescent("Helvetica", 10)
            press.remember(sentence, 60, y + descent, 60 + width, y + ascent)
            y -= 12
    return press.finished(), press.drawn


def ligatures() -> Scene:
    """Ligatures as characters of their own, and letters spaced out."""
    font, press, text = register_dejavu(), Press(), sentences(7)
    y = 780.0
    for number in range(8):
        plain = f"The official office of difficult affairs filed figure {number + 1} of the fleet. "
        words = [
            w.replace("ffi", "\ufb03").replace("ff", "\ufb00").replace("fi", "\ufb01").replace("fl", "\ufb02")
            for w in plain.split()
        ]
        sentence = press.sentence(plain.strip())
        y, _ = press.set([Word(word, sentence) for word in words], 60, y, 300, font=font)
        y, _ = press.set(press.words(_take(text, 1)), 60, y, 300, font=font)
        y -= 8
    return press.finished(), press.drawn


def turned(quarters: int, *, upright: bool) -> Callable[[], Scene]:
    """A page with /Rotate, on which the text reads to the right (`upright`) or goes with the page."""

    def scene() -> Scene:
        width, height = A4
        to_display: tuple[Callable[[float, float], tuple[float, float]], ...] = (
            lambda x, y: (x, height - y),
            lambda x, y: (y, x),
            lambda x, y: (width - x, y),
            lambda x, y: (height - y, width - x),
        )
        # With `upright` the drawing is turned as well, so that it comes out straight.
        matrix = (
            {
                0: (1, 0, 0, 1, 0, 0),
                1: (0, 1, -1, 0, width, 0),
                2: (-1, 0, 0, -1, width, height),
                3: (0, -1, 1, 0, 0, height),
            }[quarters]
            if upright
            else (1, 0, 0, 1, 0, 0)
        )
        a, b, c, d, e, f = matrix
        # reportlab swaps the sides of a page that is turned by a quarter.
        size = A4[::-1] if quarters % 2 else A4
        press = Press(size, place=lambda x, y: to_display[quarters](a * x + c * y + e, b * x + d * y + f))
        text = sentences(20 + quarters + 10 * upright)
        press.canvas.setPageRotation(90 * quarters)
        press.canvas.transform(*matrix)
        wide = 470 if not (upright and quarters % 2) else 700
        top = 780.0 if not (upright and quarters % 2) else 540.0
        press.text(60, top, "A page that was turned", "Helvetica-Bold", 16)
        y = top - 24
        for _ in range(3):
            y, _ = press.set(press.words(_take(text, 2)), 60, y, wide)
            y -= 8
        return press.finished(), press.drawn

    return scene


def crop_box() -> Scene:
    """Text outside of the crop box is not displayed, so it is no text."""
    left, bottom, right, top = 50, 60, 500, 700
    press, text = Press(place=lambda x, y: (x - left, top - y)), sentences(8)
    press.canvas.setCropBox((left, bottom, right, top))
    press.text(60, 760, "SECRET words above the crop box")
    press.text(510, 400, "SECRET to the right")
    press.text(60, 30, "SECRET below")
    y = 660.0
    for _ in range(5):
        y, _ = press.set(press.words(_take(text, 2)), 60, y, 400)
        y -= 8
    return press.finished(), press.drawn


def right_to_left() -> Scene:
    """Hebrew, set from the right as it is seen, with numbers and brackets."""
    font, press = register_dejavu(), Press()
    letters = "אבגדהוזחטיכלמנסעפצקרשת"
    y = 780.0
    for number in range(6):
        words = ["".join(letters[(number * 7 + i * 3 + j * 5) % 22] for j in range(3 + i % 3)) for i in range(14)]
        words[4] = f"{1840 + number}"
        words[9] = f"({words[9]})"
        words[-1] += "."
        sentence = press.sentence(" ".join(words))
        for part in (words[:8], words[8:]):
            x = 530.0
            width = pdfmetrics.stringWidth(" ".join(part), font, 11)
            for word in part:
                seen = word if word.isdigit() else word[::-1].translate(str.maketrans("()", ")("))
                x -= pdfmetrics.stringWidth(seen, font, 11)
                press.text(x, y, seen, font, 11)
                x -= pdfmetrics.stringWidth(" ", font, 11)
            ascent, descent = pdfmetrics.getAscentDescent(font, 11)
            press.remember(sentence, 530 - width, y + descent, 530, y + ascent)
            y -= 14
        y -= 10
    return press.finished(), press.drawn


def lists() -> Scene:
    """Bullets, numbered steps with their introductions, and items of two lines."""
    press, text = Press(), sentences(9)
    y, _ = press.set(press.words(_take(text, 2)), 60, 780, 470)
    for mark in ("•", "1."):
        y -= 8
        y, _ = press.set(
            press.words([f"The following rules hold for {'lamps' if mark == '•' else 'boats'}:"]), 60, y, 470
        )
        for number in range(4):
            press.text(70, y, mark if mark == "•" else f"{number + 1}.")
            y, _ = press.set(press.words(_take(text, 1)), 85, y, 300)
    y -= 8
    press.set(press.words(_take(text, 2)), 60, y, 470)
    return press.finished(), press.drawn


def tables() -> Scene:
    """A table with rules, one with rules between rows alone, and one without any."""
    press, text = Press(), sentences(10)
    y, _ = press.set(press.words(_take(text, 2)), 60, 790, 470)
    rows = [
        ["Station", "Built", "Lamps"],
        ["Torrance", "1812", "14"],
        ["Brindle North", "1840", "7"],
        ["Ushant", "1863", "22"],
    ]
    y -= 20
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            press.text(64 + 150 * column, y + 4, cell, "Helvetica-Bold" if number == 0 else "Helvetica")
        y -= 18
    top, bottom = y + 18 * len(rows) + 16, y + 16
    press.canvas.grid([60, 210, 360, 510], [bottom + 18 * n for n in range(len(rows) + 1)])
    assert top - bottom == 18 * len(rows)
    y, _ = press.set(press.words(_take(text, 2)), 60, y - 10, 470)
    y -= 20
    for rule in (y + 12, y - 4, y - 4 - 14 * 3):
        press.canvas.line(60, rule, 400, rule)
    for row in [
        ["Material", "Weight", "Price"],
        ["Brass", "12 kg", "40.50"],
        ["Glass", "3 kg", "120.00"],
        ["Iron", "90 kg", "8.25"],
    ]:
        for column, cell in enumerate(row):
            press.text(64 + 120 * column, y, cell)
        y -= 14
    y, _ = press.set(press.words(_take(text, 2)), 60, y - 14, 470)
    y -= 10
    for row in [
        ["Monday", "closed", "no boats"],
        ["Tuesday", "9 to 17", "two boats"],
        ["Wednesday", "9 to 12", "one boat"],
    ]:
        for column, cell in enumerate(row):
            press.text(60 + 140 * column, y, cell)
        y -= 13
    press.set(press.words(_take(text, 2)), 60, y - 12, 470)
    return press.finished(), press.drawn


def captions_and_contents() -> Scene:
    press, text = Press(), sentences(11)
    press.text(60, 790, "Contents", "Helvetica-Bold", 16)
    y = 766.0
    for number, title in enumerate(["Lamps and their oil", "Boats of the board", "Keepers"]):
        press.text(60, y, f"{number + 1} {title} " + "." * 60 + f" {number * 7 + 3}")
        y -= 14
    y -= 12
    y, _ = press.set(press.words(_take(text, 3)), 60, y, 470)
    press.canvas.rect(60, y - 110, 300, 100)
    y -= 124
    y, _ = press.set(
        press.words(["Figure 3: The lantern of the tower at Torrance as it was in 1812."]), 60, y, 470, size=9
    )
    press.set(press.words(_take(text, 3)), 60, y - 12, 470)
    return press.finished(), press.drawn


def code() -> Scene:
    """Lines of a program, indented, with an empty line, between paragraphs."""
    press, text = Press(), sentences(12)
    y, _ = press.set(press.words([*_take(text, 1), "The lamp is lit with these commands:"]), 60, 780, 470)
    y -= 6
    for line in ("if night:", "    lamp.light(minutes=30)", "", "print(lamp)"):
        press.text(80, y, line, "Courier", 10)
        y -= 12
    press.set(press.words(_take(text, 2)), 60, y - 6, 470)
    return press.finished(), press.drawn


def definitions() -> Scene:
    """Terms with their explanations beside them, which run over several lines."""
    press, text = Press(), sentences(13)
    y, _ = press.set(press.words(_take(text, 2)), 60, 780, 470)
    y -= 10
    for term in ("lamp", "lens", "mole"):
        press.text(60, y, term, "Helvetica-Bold")
        y, _ = press.set(press.words(_take(text, 2)), 140, y, 390)
        y -= 4
    press.set(press.words(_take(text, 2)), 60, y - 8, 470)
    return press.finished(), press.drawn


SCENES: dict[str, Callable[[], Scene]] = {
    "one column": one_column,
    "two columns": two_columns,
    "three columns": three_columns,
    "side notes": side_notes,
    "footnotes": footnotes,
    "hyphens": hyphens,
    "ligatures": ligatures,
    "crop box": crop_box,
    "right to left": right_to_left,
    "lists": lists,
    "tables": tables,
    "captions and contents": captions_and_contents,
    "code": code,
    "definitions": definitions,
    **{f"turned by {90 * q}, upright": turned(q, upright=True) for q in range(4)},
    **{f"turned by {90 * q}, with the page": turned(q, upright=False) for q in range(1, 4)},
}
