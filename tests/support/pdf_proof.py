"""Are the boxes of cited sentences where they were drawn? `python -m tests.support.pdf_proof` says so for each scene.

A sentence counts as placed where the text has it word for word, and its boxes and those that were drawn are as many and
overlap one by one with an IoU above 0.8. The drawn boxes are as high as the ascent and descent of the font's own tables
say, ours as high as the font size: neither knows of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from index.text.formats.pdf import extract
from index.text.maps import PageMap
from index.types import Extracted, Span
from tests.support.pdf_scenes import SCENES
from tests.support.pdfs import Drawn, overlap

LEAST = 0.8


class Placed(Struct):
    """A sentence: whether the text has it, and the worst overlap of its lines."""

    text: str
    in_text: bool
    overlap: float

    @property
    def is_right(self) -> bool:
        return self.in_text and self.overlap > LEAST


def placed(extracted: Extracted, drawn: Sequence[Drawn]) -> Iterator[Placed]:
    assert isinstance(extracted.map, PageMap)
    for sentence in drawn:
        start = extracted.text.find(sentence.text)
        if start < 0:
            yield Placed(sentence.text, in_text=False, overlap=0.0)
            continue
        pages = extracted.map.pages(Span(start, start + len(sentence.text)))
        boxes = [(page.page, box) for page in pages for box in page.boxes]
        worst = min(
            max((overlap(box, ours) for number, ours in boxes if number == page), default=0.0)
            for page, box in sentence.boxes
        )
        yield Placed(sentence.text, in_text=True, overlap=worst if len(boxes) == len(sentence.boxes) else 0.0)


def main() -> None:
    total = right = 0
    worst = 1.0
    for name, scene in SCENES.items():
        data, drawn = scene()
        found = list(placed(extract(data, name), drawn))
        total, right = total + len(found), right + sum(each.is_right for each in found)
        worst = min(worst, *(each.overlap for each in found))
        print(f"{name:32} {len(found):4} sentences, {sum(each.is_right for each in found):4} placed")  # noqa: T201
    print(f"{right} of {total} placed with an IoU above {LEAST}; the worst has {worst:.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
