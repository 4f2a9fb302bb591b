"""The numbers that a program displays before list items and headings, which are not in the file's text."""

from __future__ import annotations

ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
HIGHEST_ROMAN, HIGHEST_LETTER = 3999, 780  # beyond them, programs differ


def letters(number: int) -> str:
    """1 -> a, 26 -> z, 27 -> aa, 28 -> bb, as in Word and LibreOffice."""
    if not 1 <= number <= HIGHEST_LETTER:
        return str(number)
    return chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)


def roman(number: int) -> str:
    """4 -> iv."""
    if not 1 <= number <= HIGHEST_ROMAN:
        return str(number)
    text = ""
    for worth, digit in ROMAN:
        text += digit * (number // worth)
        number %= worth
    return text


def ordinal(number: int) -> str:
    """3 -> 3rd."""
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
