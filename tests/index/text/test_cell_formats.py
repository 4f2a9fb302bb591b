"""Numbers as spreadsheets show them, against values that LibreOffice and Excel show."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.datetime import from_excel

from index.text.formats.xlsx.cell_formats import formatter, show_plain


@pytest.mark.parametrize(
    ("code", "number", "expected"),
    [
        ("0.00", 4.5, "4.50"),
        ("0.00", 2.675, "2.68"),
        ("#,##0.00", 1234567.891, "1,234,567.89"),
        ("0%", 0.256, "26%"),
        ("0.0%", 0.2564, "25.6%"),
        ('#,##0.00 "€"', 12, "12.00 €"),
        ("[$€-407]#,##0", 1200, "€1,200"),
        ("$#,##0.00;[Red]($#,##0.00)", -3.5, "($3.50)"),
        ("$#,##0.00", -3.5, "-$3.50"),
        ("00000", 1067, "01067"),
        ("0.##", 1.5, "1.5"),
        ("0.##", 2, "2"),
        ("#,##0,", 1234567, "1,235"),
        ("0.00E+00", 12345, "1.23E+04"),
        ("# ?/?", 0.5, "0.5"),
        ("@", 7, "7"),
        ("General", 0.1 + 0.2, "0.3"),
        ("General", 5.0, "5"),
        ("yyyy-mm-dd", 45413, "2024-05-01"),
        ("dd.mm.yyyy", 45413, "2024-05-01"),
        ("m/d/yy h:mm", 45413.6041666667, "2024-05-01 14:30"),
        ("[$-F400]h:mm:ss AM/PM", 0.6041666667, "14:30:00"),
        ("[h]:mm:ss", 1.25, "30:00:00"),
        ("mmm yyyy", 1, "1900-01-01"),
        ("yyyy-mm-dd", 59, "1900-02-28"),
        ("yyyy-mm-dd", 61, "1900-03-01"),
        ("yyyy-mm-dd", -5, "-5"),
        ("yyyy-mm-dd", 1e9, "1000000000"),
        ('"Q"0', 3, "Q3"),
        ('0" days"', 3, "3 days"),
        ("0;;", 1e200, "1e+200"),
    ],
)
def test_numbers_show_as_the_spreadsheet_shows_them(code: str, number: float, expected: str) -> None:
    assert formatter(0 if code == "General" else 164, code, since_1904=False)(float(number)) == expected


def test_built_in_formats_need_no_code() -> None:
    assert formatter(9, None, since_1904=False)(0.5) == "50%"
    assert formatter(14, None, since_1904=False)(45413) == "2024-05-01"
    assert formatter(14, None, since_1904=True)(43951) == "2024-05-01"
    assert formatter(999, None, since_1904=False)(0.5) == "0.5"


@given(st.floats(61, 2_900_000))
def test_dates_agree_with_openpyxl(number: float) -> None:
    shown = datetime.fromisoformat(formatter(164, "yyyy-mm-dd hh:mm:ss", since_1904=False)(number))
    reference = from_excel(number)
    assert isinstance(reference, datetime)
    assert abs((shown - reference).total_seconds()) <= 0.51


@given(st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False))
def test_any_format_shows_something(code: str, number: float) -> None:
    assert formatter(164, code, since_1904=False)(number)


@given(st.text('0#?.,%E+-;"\\[]$hmsydDM/ @*_', max_size=24), st.floats(-1e300, 1e300))
def test_odd_formats_never_fail(code: str, number: float) -> None:
    assert isinstance(formatter(164, code, since_1904=False)(number), str)


@given(st.integers(-(10**14), 10**14))
def test_whole_numbers_show_without_a_point(number: int) -> None:
    assert show_plain(float(number)) == str(number)
