"""Decoding is exact, or the file is rejected."""

from __future__ import annotations

import codecs
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import (
    AmbiguousEncoding,
    BinaryFile,
    BrokenUtf8,
    DocumentError,
    StatefulEncoding,
    UndecodableFile,
    UnknownEncoding,
)
from index.text.decoding import BOMS, MULTIBYTE, decode
from index.text.positions import PositionMap
from tests.support.encoded import samples

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
CODECS = st.sampled_from([*sorted({encoding for _, encoding in BOMS}), *sorted(MULTIBYTE), "cp1252", "koi8-r"])


def check_every_slice(data: bytes, text: str, encoding: str, bom: int) -> None:
    positions = PositionMap(text, encoding, bom)
    places = [positions.byte(point) for point in range(len(text) + 1)]
    assert places[-1] == len(data)
    for first in range(len(text) + 1):
        for last in range(first, len(text) + 1):
            assert data[places[first] : places[last]].decode(encoding) == text[first:last]


@given(TEXT.filter(lambda text: len(text) < 30), st.sampled_from(BOMS))
def test_a_byte_order_mark_decides_and_is_not_text(text: str, marked: tuple[bytes, str]) -> None:
    mark, encoding = marked
    data = mark + text.encode(encoding)
    if mark == codecs.BOM_UTF16_LE and text.startswith("\0"):
        return  # those bytes are the mark of UTF-32
    decoded = decode(data, "a.txt")
    assert (decoded.text, decoded.encoding, decoded.bom, decoded.guessed) == (text, encoding, len(mark), False)
    check_every_slice(data, text, encoding, len(mark))


@given(TEXT, CODECS)
def test_whatever_is_accepted_slices_exactly(text: str, encoding: str) -> None:
    data = text.encode(encoding, errors="ignore")
    try:
        decoded = decode(data, "a.txt", encoding)
    except UndecodableFile:  # what does not encode to the same bytes
        assert encoding in MULTIBYTE
        return
    check_every_slice(data, decoded.text, decoded.encoding, decoded.bom)


@given(st.binary(max_size=60), st.sampled_from([None, "utf-8", "utf-16", "cp1252", "shift_jis", "gb18030", "euc-kr"]))
def test_any_bytes_are_decoded_exactly_or_refused(data: bytes, charset: str | None) -> None:
    try:
        decoded = decode(data, "a.txt", charset)
    except DocumentError:
        return
    check_every_slice(data, decoded.text, decoded.encoding, decoded.bom)


@pytest.mark.parametrize("text", ["", "a\r\nb\rc\u2028d", "e\u0301 İ \u200b", "plain"])
def test_utf8_without_mark_is_known_and_untouched(text: str) -> None:
    decoded = decode(text.encode(), "a.txt")
    assert (decoded.text, decoded.encoding, decoded.guessed) == (text, "utf-8", False)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["The light fell.", "Свет упал, и всё."])
def test_utf16_without_mark_is_found(text: str, encoding: str) -> None:
    decoded = decode(text.encode(encoding), "a.txt")
    assert (decoded.text, decoded.encoding, decoded.guessed) == (text, encoding, True)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Корабль ушёл утром, и никто не знал куда."),
        ("cp1252", "Le garçon est allé à l’école près de l’église."),
        ("cp932", "船は朝に港を出た。天気はよかった。"),
        ("gb18030", "船在早上离开了港口。天气很好！"),
    ],
)
def test_other_encodings_are_guessed_and_say_so(encoding: str, text: str) -> None:
    decoded = decode(text.encode(encoding), "a.txt")
    assert (decoded.text, decoded.guessed) == (text, True)
    check_every_slice(text.encode(encoding), text, decoded.encoding, 0)


def test_a_large_file_is_guessed_in_no_time() -> None:
    data = b"plain words " * 100_000 + ("Корабль ушёл утром, и никто не знал куда.\n" * 20_000).encode("cp1251")
    start = time.perf_counter()
    assert decode(data, "a.txt").encoding == "cp1251"
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("UTF8", "utf-8"), ('"latin1"', "iso-8859-1"), ("windows-1252", "cp1252"), ("utf-8-sig", "utf-8")],
)
def test_a_charset_has_one_name(charset: str, encoding: str) -> None:
    assert decode(b"abc", "a.txt", charset).encoding == encoding


@pytest.mark.parametrize(("mark", "encoding"), [(codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")])
def test_utf16_as_charset_takes_the_order_of_the_mark(mark: bytes, encoding: str) -> None:
    decoded = decode(mark + "ab".encode(encoding), "a.txt", "utf-16")
    assert (decoded.text, decoded.encoding, decoded.bom) == ("ab", encoding, 2)


@pytest.mark.parametrize("charset", ["iso-2022-jp", "utf-7", "hz", "ISO-2022-KR", "big5-hkscs"])
def test_an_encoding_without_fixed_positions_is_refused(charset: str) -> None:
    with pytest.raises(StatefulEncoding):
        decode(b"abc", "a.txt", charset)


@pytest.mark.parametrize(
    "charset", ["base64", "rot13", "punycode", "idna", "unicode_escape", "raw_unicode_escape", "klingon", "", "\0"]
)
def test_what_is_no_text_encoding_is_refused(charset: str) -> None:
    with pytest.raises(UnknownEncoding):
        decode(b"abc", "a.txt", charset)


@pytest.mark.parametrize(
    "data",
    [b"\x89PNG\r\n\x1a\n", b"PK\x03\x04\x14\0", b"%PDF-1.7\n", b"abc\0def", bytes(range(256)) * 4, b"\x01\x02\x03\x04"],
)
def test_a_binary_file_is_refused(data: bytes) -> None:
    with pytest.raises(BinaryFile):
        decode(data, "a.bin")


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        ("Geöffnet ab neun Uhr.".encode() + b"\x9d", 22),
        (b"Open from nine.\x9d", 15),
        ("Schöner Gruß".encode()[:-1], 12),
        (b"Open \xe2\x80", 5),
    ],
)
def test_utf8_with_a_broken_byte_is_refused_with_its_place(data: bytes, offset: int) -> None:
    for charset in (None, "utf-8"):
        with pytest.raises(BrokenUtf8) as caught:
            decode(data, "a.txt", charset)
        assert caught.value.facts["offset"] == offset
        assert f"at {offset}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("博物館は月曜日に休みます。", "iso-2022-jp"),
        ("박물관은 문을 닫습니다.", "iso-2022-kr"),
        ("博物馆星期一关闭。", "hz"),
        ("Größere Gruppen", "utf-7"),
    ],
)
def test_text_of_seven_bits_in_a_stateful_encoding_is_refused(text: str, encoding: str) -> None:
    with pytest.raises(StatefulEncoding):
        decode(text.encode(encoding), "a.txt")


@pytest.mark.parametrize("text", ["C++-code, a+b-c and +4912345678", "~{ is not ~} a quote", "press \x1b to leave"])
def test_what_only_looks_stateful_is_plain_text(text: str) -> None:
    assert decode(text.encode(), "a.txt").text == text


def test_hardly_any_old_encoding_is_mistaken_in_silence() -> None:
    outcomes: Counter[str] = Counter()
    for _, encoding, text in samples():
        data = text.encode(encoding)
        assert decode(data, "a.txt", encoding).text == text
        try:
            decoded = decode(data, "a.txt")
        except AmbiguousEncoding:
            outcomes["refused"] += 1
            continue
        assert decoded.guessed
        outcomes["right" if decoded.text == text else "wrong"] += 1
    assert outcomes["wrong"] <= 0.03 * outcomes.total()
    assert outcomes["right"] >= 0.8 * outcomes.total()


@pytest.mark.parametrize(("data", "charset"), [(b"\xff\xfe\0", None), (b"\x80", "utf-8"), (b"\x81", "cp1252")])
def test_broken_text_is_refused(data: bytes, charset: str | None) -> None:
    with pytest.raises(UndecodableFile):
        decode(data, "a.txt", charset)
