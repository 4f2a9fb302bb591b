from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from index.text.maps import BlockMap, BlockMapBuilder, BlockPlace
from index.types import Span

pieces = st.lists(st.tuples(st.text(min_size=1, max_size=5), st.integers(0, 2), st.integers(0, 3)), max_size=8)


def built(of: list[tuple[str, int, int]]) -> tuple[str, BlockMap]:
    """Pieces of text separated by line feeds, each with its own number in one of three parts."""
    builder, text = BlockMapBuilder(depth=2), ""
    for number, (piece, part, label) in enumerate(of):
        builder.add(
            Span(len(text), len(text) + len(piece)), f"part{part}", (number, part), f"l{label}" if label else None
        )
        text += piece + "\n"
    return text, builder.build()


@given(pieces, st.data())
def test_places_of_a_span_are_the_touched_pieces_and_nothing_else(
    of: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    text, block_map = built(of)
    start = data.draw(st.integers(0, len(text)))
    span = Span(start, data.draw(st.integers(start, len(text))))
    owners = [number for number, (piece, _, _) in enumerate(of) for _ in piece + "\n"]
    offsets = [offset for piece, _, _ in of for offset in range(len(piece) + 1)]
    touched = [at for at in range(*span) if offsets[at] < len(of[owners[at]][0])]
    expected = [
        BlockPlace(
            part=f"part{of[number][1]}",
            path=(number, of[number][1]),
            codepoint=Span(min(own), max(own) + 1),
        )
        for number in dict.fromkeys(owners[at] for at in touched)
        if (own := [offsets[at] for at in touched if owners[at] == number])
    ]
    assert block_map.places(span) == expected
    assert block_map.part(span) == (expected[0].part if expected else None)
    labels = [of[place.path[0]][2] for place in expected if of[place.path[0]][2]]
    assert block_map.label(span) == (f"l{labels[0]}" if labels else None)
    assert not block_map.ocr(span)


@given(pieces)
def test_map_survives_messagepack(of: list[tuple[str, int, int]]) -> None:
    _, block_map = built(of)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(block_map), type=BlockMap) == block_map
