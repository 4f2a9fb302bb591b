"""Parses numbers and dates in answers, for comparison."""

from __future__ import annotations

import re
from math import inf

from msgspec import Struct

LETTERS = re.compile(r"[a-z]+")
SMALL = LETTERS.findall(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
TENS_IN_ORDER = LETTERS.findall("twenty thirty forty fifty sixty seventy eighty ninety")
TENS = {word: 10 * number for number, word in enumerate(TENS_IN_ORDER, start=2)}
SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12.0}
DIGITS = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
PIECE = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|[^\W\d_]+|[%$€£]")
AT_LEAST = re.compile(r"\b(?:more than|at least|over|above|no fewer than|minimum)\b", re.IGNORECASE)
AT_MOST = re.compile(r"\b(?:less than|fewer than|at most|up to|under|below|no more than|maximum)\b", re.IGNORECASE)
ABOUT = re.compile(r"\b(?:about|around|some|approximately|roughly|nearly|almost|circa|ca|estimated)\b", re.IGNORECASE)
ROUGH = 0.1  # tolerance of an approximate number, as a share; 0.05 to 0.15 are as good (`make bench-thresholds`)
RANGE = re.compile(r"\bbetween\b|\b(?:to|or)\b|\d ?[-–] ?\d", re.IGNORECASE)
ROUNDED = {"m": 0.02, "kg": 0.02, "s": 0.02}  # tolerance between measurements, as a share: 61 metres, 200 feet
UNITS = {
    "km": ("m", 1e3), "kilometre": ("m", 1e3), "kilometer": ("m", 1e3), "m": ("m", 1.0), "metre": ("m", 1.0),
    "meter": ("m", 1.0), "cm": ("m", 0.01), "mm": ("m", 0.001), "mile": ("m", 1609.344), "foot": ("m", 0.3048),
    "feet": ("m", 0.3048), "kg": ("kg", 1.0), "g": ("kg", 0.001), "ton": ("kg", 1e3), "tonne": ("kg", 1e3),
    "%": ("%", 1.0), "percent": ("%", 1.0), "$": ("$", 1.0), "dollar": ("$", 1.0), "€": ("€", 1.0),
    "euro": ("€", 1.0), "£": ("£", 1.0), "pound": ("£", 1.0), "second": ("s", 1.0), "minute": ("s", 60.0),
    "hour": ("s", 3600.0), "day": ("s", 86400.0), "week": ("s", 604800.0), "month": ("s", 2629800.0),
    "year": ("s", 31557600.0), "decade": ("s", 315576000.0),
}  # fmt: skip

MONTHS = LETTERS.findall("january february march april may june july august september october november december")
DAYS = LETTERS.findall("monday tuesday wednesday thursday friday saturday sunday")
ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
YEAR = re.compile(r"\b(1\d{3}|20\d{2})\b(?!s)")
DECADE = re.compile(r"\b(1\d|20)(\d)0s\b")
CENTURY = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th) century\b", re.IGNORECASE)
MONTH = re.compile(rf"\b({'|'.join(MONTHS)})\b", re.IGNORECASE)
ANY_MONTH = f"(?:{'|'.join(MONTHS)})"
DAY = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?{ANY_MONTH}\b|\b{ANY_MONTH} (\d{{1,2}})\b(?!\d)", re.IGNORECASE
)
WEEKDAY = re.compile(rf"\b({'|'.join(DAYS)})\b", re.IGNORECASE)
TIME = re.compile(r"\b(\d{1,2})(?:[:.](\d{2})(?:\s*([ap])\.?m)?|\s*([ap])\.?m)\b", re.IGNORECASE)


class Quantity(Struct, frozen=True):
    """From `low` to `high`, in the base unit; `unit` is empty for a bare count."""

    low: float
    high: float
    unit: str


def quantity_of(answer: str, sentence: str) -> Quantity | None:
    """The only quantity in an answer: "more than 30 km" -> 30,000 m and up; "2 to 4" -> from 2 to 4.

    Includes the words just before the answer in its sentence, because "more than" may be outside the span. None if
    several things are counted: "35 dead and 119 injured".
    """
    place = sentence.find(answer)
    said = f"{sentence[max(0, place - 14) : place]}{answer}" if place > 0 else answer
    found = amounts(answer)
    if not found or len({unit for _, unit in found}) > 1:
        return None
    value, unit = found[0]
    if len(found) == 2 and RANGE.search(answer):
        return Quantity(min(value, found[1][0]), max(value, found[1][0]), unit)
    if len(found) > 1:
        return None
    if AT_LEAST.search(said):
        return Quantity(value, inf, unit)
    if AT_MOST.search(said):
        return Quantity(0.0, value, unit)
    rough = ROUGH * value if ABOUT.search(said) else 0.0
    return Quantity(value - rough, value + rough, unit)


def quantities_differ(a: Quantity, b: Quantity) -> bool:
    if a.unit != b.unit:
        return False
    close = ROUNDED.get(a.unit, 1e-6) * max(abs(a.low), abs(b.low), 1.0)
    return a.high + close < b.low or b.high + close < a.low


def amounts(text: str) -> list[tuple[float, str]]:
    """Each number with its unit: "3.2 million dollars" -> [(3200000, "$")]; "two hundred" -> [(200, "")]."""
    found: list[tuple[float, str]] = []
    value: float | None = None
    sign = ""
    for piece in [*PIECE.findall(text.lower()), "."]:
        singular = piece if piece in UNITS or not piece.endswith("s") else piece[:-1]
        if (number := number_of(piece)) is not None:
            joins = value is not None and not DIGITS.fullmatch(piece) and 0 < number < 100 <= value
            tens = value is not None and value in TENS.values() and 0 < number < 10
            if value is not None and not (joins or tens):
                found.append((value, sign))
            value = value + number if value is not None and (joins or tens) else number
        elif piece in SCALES and (value is not None or piece == "dozen"):
            value = (1.0 if value is None else value) * SCALES[piece]
        elif piece in "$€£":
            sign = piece
        elif value is not None and not (piece == "and" and value >= 100 and not DIGITS.search(text)):
            base, factor = UNITS.get(singular, (sign, 1.0))
            found.append((value * factor, base))
            value, sign = None, ""
    return found


def number_of(piece: str) -> float | None:
    if DIGITS.fullmatch(piece):
        return float(piece.replace(",", ""))
    if piece in SMALL:
        return float(SMALL.index(piece))
    return float(TENS[piece]) if piece in TENS else None


def dates_differ(a: str, b: str) -> bool | None:
    """Whether two dates differ in a part that both have; None if either is not a date."""
    first, second = date_parts(a), date_parts(b)
    if not first or not second:
        return None
    return any(disjoint(first[part], second[part]) for part in first.keys() & second.keys())


def disjoint(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[1] < b[0] or b[1] < a[0]


def date_parts(text: str) -> dict[str, tuple[int, int]]:
    """Each part as an inclusive range: "4 May 1871" -> day 4, month 5, year 1871; "the 1980s" -> 1980 to 1989."""
    if iso := ISO.search(text):
        year, month, day = map(int, iso.groups())
        return {"year": (year, year), "month": (month, month), "day": (day, day)}
    parts: dict[str, tuple[int, int]] = {}
    if decade := DECADE.search(text):
        start = int(decade[1] + decade[2] + "0")
        parts["year"] = (start, start + 9)
    elif century := CENTURY.search(text):
        parts["year"] = (100 * int(century[1]) - 99, 100 * int(century[1]))
    elif year_ := YEAR.search(text):
        parts["year"] = (int(year_[1]), int(year_[1]))
    if (month_ := MONTH.search(text)) and (parts or month_[1][0].isupper()):
        number = MONTHS.index(month_[1].lower()) + 1
        parts["month"] = (number, number)
        if day_ := DAY.search(text):
            number = int(day_[1] or day_[2])
            parts["day"] = (number, number)
    if weekday := WEEKDAY.search(text):
        number = DAYS.index(weekday[1].lower())
        parts["weekday"] = (number, number)
    if time := TIME.search(text):
        afternoon = (time[3] or time[4] or "").lower() == "p"
        minutes = 60 * int(time[1]) + int(time[2] or 0) + (720 if afternoon and int(time[1]) < 12 else 0)
        parts["time"] = (minutes, minutes)
    return parts
