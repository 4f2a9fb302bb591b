"""Rows of tables: detects headers, and tables used for layout."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from index.text.formats.office.draft import Piece

LONGEST_ROW = 1000  # code points; a longer cell is page layout, and is read cell by cell
LONGEST_NAME = 80  # maximum code points in a column name
LOOK_AHEAD = 200  # rows in which a name would occur again as a value
YEAR = re.compile(r"(?:FY ?)?(?:19|20)\d\d")
AMOUNT = re.compile(r"[^\w\s]?\s?\d[\d.,:/ -]*\D{0,4}")
ADDRESS = re.compile(r"\S+@\S+\.\S+|\w+://\S+")


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: short, different words, no values, none of which occurs again below.

    `[["City", "Since"], ["Rome", "1871"]]` -> True; `[["Rome", "1871"], ["Paris", "987"]]` -> False. Years count as
    names if the other rows have no years there.
    """
    if len(rows) < 2:
        return False
    names = [name.strip() for name in rows[0]]
    filled = [name for name in names if name]
    if not filled or 2 * len(filled) < len(names) or len({name.casefold() for name in filled}) < len(filled):
        return False
    if any(len(name) > LONGEST_NAME for name in filled):
        return False
    below = list(islice(rows, 1, LOOK_AHEAD))
    columns = [[row[at].strip() for row in below if at < len(row)] for at in range(len(names))]
    if len(filled) == 1:  # a single column has a header only if its values are of another kind
        values = [cell for cell in columns[names.index(filled[0])] if cell]
        return not is_value(filled[0]) and bool(values) and all(is_value(value) for value in values)
    return all(_names(name, column) for name, column in zip(names, columns, strict=True) if name)


def joined(row: Sequence[Sequence[Piece]]) -> list[Piece | str]:
    """A row as text: tabs between cells, line feeds between the paragraphs of a cell."""
    pieces: list[Piece | str] = []
    for at, cell in enumerate(row):
        pieces += ["\t"] if at else []
        for nth, piece in enumerate(cell):
            pieces += ["\n", piece] if nth else [piece]
    return pieces


def is_value(cell: str) -> bool:
    """Whether it is a number, amount, date or address, not a name: `12 EUR`, `2024-05-01`, `a@b.org`."""
    text = cell.strip()
    digits = sum(character.isdigit() for character in text)
    mostly_digits = digits > 0 and 2 * digits >= len(text.replace(" ", ""))
    return mostly_digits or AMOUNT.fullmatch(text) is not None or ADDRESS.fullmatch(text) is not None


def _names(name: str, column: Sequence[str]) -> bool:
    if YEAR.fullmatch(name):
        return not any(YEAR.fullmatch(cell) for cell in column)
    return not is_value(name) and name not in column
