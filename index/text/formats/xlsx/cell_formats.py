"""Formats numbers in cells as the spreadsheet displays them: dates, times, percent, currencies, decimals.

Dates become ISO 8601 and decimals have a point, because the file does not record the reader's locale.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

Show = Callable[[float], str]

BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    14: "yyyy-mm-dd",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm",
    19: "h:mm:ss",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm",
    37: "#,##0;(#,##0)",
    38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    **dict.fromkeys((*range(27, 37), *range(50, 59)), "yyyy-mm-dd"),  # dates of East Asia
}
# Quoted text; an escaped character; space of a character's width; a fill; brackets; a date; a number.
TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[(?P<bracket>[^\]]*)\]|(?P<date>AM/PM|A/P|[ymdhs]+)'
    r"|(?P<number>[#0?][#0?,]*(?:\.[#0?]*)?(?P<exponent>E[+-][#0?]+)?|\.[#0?]+)|(?P<other>.)",
    re.IGNORECASE,
)
ELAPSED = re.compile(r"[hms]+", re.IGNORECASE)
CURRENCY = re.compile(r"\$([^-]*)")
LAST_DAY = 2_958_466  # the first day of the year 10000
SECONDS = 86_400
MOST_DECIMALS = 30


class Pattern(Struct):
    """One section of a number format."""

    prefix: str = ""
    suffix: str = ""
    number: str = ""
    dates: str = ""  # the letters of a date or a time, in order
    elapsed: bool = False  # hours beyond 24
    plain: bool = False  # a fraction, or text only: displayed as a number without format


def show_plain(number: float) -> str:
    """A number in a cell without format: 5.0 -> 5, 0.1 + 0.2 -> 0.3."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"


def formatter(identifier: int, code: str | None, *, since_1904: bool) -> Show:
    """A function that formats numbers; `code` is defined in the file, or else built in."""
    sections = [_pattern(section) for section in _sections(code or BUILT_IN.get(identifier, ""))]
    first = sections[0]
    if first.dates or first.elapsed:
        return lambda number: _date(number, first, since_1904=since_1904)
    if first.plain or not first.number:
        return show_plain
    negative = sections[1] if len(sections) > 1 and sections[1].number else None

    def show(number: float) -> str:
        if number < 0 and negative:
            return _number(-number, negative)
        return ("-" if number < 0 else "") + _number(abs(number), first)

    return show


def _sections(code: str) -> list[str]:
    """Positive, negative, zero, text: `0;(0);-;@`."""
    parts, start, quoted, escaped = [], 0, False, False
    for at, character in enumerate(code):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            parts.append(code[start:at])
            start = at + 1
    return [*parts, code[start:]]


def _pattern(section: str) -> Pattern:
    pattern = Pattern()
    for token in TOKEN.finditer(section):
        if bracket := token["bracket"]:
            literal = match[1] if (match := CURRENCY.match(bracket)) else ""
            pattern.elapsed |= ELAPSED.fullmatch(bracket) is not None
        elif token["date"]:
            pattern.dates += token["date"].lower()
            continue
        elif token["number"]:
            pattern.plain |= bool(pattern.number)  # a second number: a fraction
            pattern.number = pattern.number or token["number"]
            continue
        else:
            literal = token["quoted"] or token["escaped"] or token["other"] or ""
            pattern.plain |= literal == "@" or token["other"] == "/"
        if pattern.number:
            pattern.suffix += literal
        else:
            pattern.prefix += literal
    return pattern


def _number(number: float, pattern: Pattern) -> str:
    whole, _, decimals = pattern.number.partition(".")
    if "E" in pattern.number.upper():
        mantissa = decimals.upper().partition("E")[0]
        return f"{number:.{min(len(mantissa), MOST_DECIMALS)}E}"
    scaled = Decimal(repr(number)) if number < 1e300 else Decimal(0)
    if "%" in pattern.suffix or "%" in pattern.prefix:
        scaled *= 100
    digits = whole.rstrip(",")
    scaled /= 1000 ** min(len(whole) - len(digits), 4)
    places = min(len(decimals.rstrip(",")), MOST_DECIMALS)
    needed = min(decimals.count("0"), places)
    if scaled.adjusted() + places > 26:  # more digits than decimal arithmetic keeps
        return show_plain(number)
    text = f"{scaled.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):{',' if ',' in digits else ''}f}"
    before, _, after = text.partition(".")
    after = after[:needed] + after[needed:].rstrip("0")
    before = before.zfill(digits.count("0")) if "," not in digits else before
    return (pattern.prefix + before + ("." + after if after else "") + pattern.suffix).strip()


def _date(number: float, pattern: Pattern, *, since_1904: bool) -> str:
    """2024-05-01, 2024-05-01 14:30, 14:30, 26:30:00 where hours are counted beyond a day."""
    if not 0 <= number < LAST_DAY:
        return show_plain(number)
    seconds = round(number * SECONDS)
    if pattern.elapsed:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    # Spreadsheets treat 1900 as a leap year, so until February 1900 the count starts a day later.
    epoch = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30 + (number < 60))  # noqa: DTZ001 - in no zone
    moment = epoch + timedelta(seconds=seconds)
    has_time = any(each in pattern.dates for each in "hs")
    has_date = any(each in pattern.dates for each in "yd") or not has_time
    time = moment.strftime("%H:%M:%S" if "s" in pattern.dates else "%H:%M")
    return " ".join([f"{moment:%Y-%m-%d}"] * has_date + [time] * has_time)
