"""Decodes files exactly: no normalisation, no newline translation, no replacement characters.

For every accepted file and every slice of its text: `file[byte0:byte1].decode(encoding) ==
text[codepoint0:codepoint1]`.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter

from charset_normalizer import from_bytes
from msgspec import Struct

from index.errors import BinaryFile, StatefulEncoding, UndecodableFile, UnknownEncoding

# UTF-32 first: the mark of UTF-16-LE is a prefix of its little-endian mark.
BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
UTF = frozenset(encoding for _, encoding in BOMS)
# The last three are not stateful, but some of their characters decode to two code points, between which there is no
# byte position.
STATEFUL = re.compile(r"iso2022|utf7|^hz$|^hzgb|big5hkscs|jisx0213|jis2004")
NOT_TEXT = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "charmap", "mbcs", "oem"}
)
MULTIBYTE = frozenset({"big5", "cp932", "cp949", "cp950", "euc_jp", "gb18030", "gb2312", "gbk", "johab", "shift_jis"})
RENAMED = {"utf-8-sig": "utf-8", "euc_kr": "cp949"}  # cp949 contains EUC-KR, without its eight-byte syllables
GUESSES = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r", "mac_roman"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
CONTROLS = bytes([*range(7), *range(14, 27), *range(28, 32), 127])  # not white space, BEL or ESC, which occur in logs
SAMPLE = 1 << 16  # bytes used to guess the encoding, which the whole file must then confirm
SIGNATURES = re.compile(rb"\x89PNG|PK[\x03\x05]\S|%PDF-|\xff\xd8\xff|GIF8[79]a|\x1f\x8b\x08|\x7fELF|SQLite format 3\0")


class Decoded(Struct, frozen=True):
    """A file's text, and its encoding."""

    text: str
    encoding: str  # a Python codec without byte-order mark
    bom: int  # length of the byte-order mark in bytes
    guessed: bool


def decode(data: bytes, source: str, charset: str | None = None) -> Decoded:
    r"""Decode a file. `charset`, from a header, takes precedence, except over the byte order in a byte-order mark.

    `decode(b"\xff\xfea\0", "a.txt")` -> text "a", encoding "utf-16-le", bom 2.

    Raises BinaryFile, UndecodableFile, StatefulEncoding or UnknownEncoding.
    """
    if SIGNATURES.match(data):
        raise BinaryFile(source=source)
    if charset is not None:
        return _as_told(data, source, charset)
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return _strict(data, source, encoding, bom=len(mark))
    if b"\0" in data:
        return _strict(data, source, _wide(data, source), guessed=True)
    if _is_binary(data):
        raise BinaryFile(source=source)
    try:
        return Decoded(text=data.decode("utf-8"), encoding="utf-8", bom=0, guessed=False)
    except UnicodeDecodeError:
        return _guess(data, source)


def canonical(charset: str, source: str) -> str:
    """A canonical codec name: `UTF8` -> `utf-8`, `windows-1252` -> `cp1252`, `latin1` -> `iso-8859-1`.

    `utf-16` and `utf-32` keep no byte order, which only the file determines.
    """
    label = charset.strip().strip("\"'")
    try:
        info = codecs.lookup(label)
    except (LookupError, ValueError):
        name, is_text = label.lower(), False
    else:
        name, is_text = info.name, info._is_text_encoding  # noqa: SLF001  nothing else tells base64 from cp1252
    if STATEFUL.search(re.sub(r"[-_]", "", name)):
        raise StatefulEncoding(source=source, encoding=charset)
    if not is_text or name in NOT_TEXT:
        raise UnknownEncoding(source=source, encoding=charset)
    return RENAMED.get(name, name.replace("iso8859", "iso-8859"))


def _as_told(data: bytes, source: str, charset: str) -> Decoded:
    encoding = canonical(charset, source)
    for mark, marked in BOMS:
        if data.startswith(mark) and marked.startswith(encoding):
            return _strict(data, source, marked, bom=len(mark))
    if encoding in ("utf-16", "utf-32"):
        encoding += "-be" if data[::2].count(0) > data[1::2].count(0) else "-le"
    return _strict(data, source, encoding)


def _strict(data: bytes, source: str, encoding: str, bom: int = 0, *, guessed: bool = False) -> Decoded:
    try:
        text = data[bom:].decode(encoding)
    except (UnicodeError, ValueError):
        raise UndecodableFile(source=source, encoding=encoding) from None
    if encoding not in UTF and not _is_exact(text, data, encoding):
        raise UndecodableFile(source=source, encoding=encoding)
    return Decoded(text=text, encoding=encoding, bom=bom, guessed=guessed)


def _is_exact(text: str, data: bytes, encoding: str) -> bool:
    """Whether the bytes of each code point are unambiguous."""
    if encoding not in MULTIBYTE:
        return len(text) == len(data)
    try:
        return text.encode(encoding) == data
    except UnicodeEncodeError:
        return False


def _is_binary(data: bytes) -> bool:
    """More than one control character in two hundred bytes, or any in a short file."""
    return len(data) - len(data.translate(None, CONTROLS)) > len(data) // 200


def _wide(data: bytes, source: str) -> str:
    """Guess the byte order of UTF-16 data with NULs and without a mark.

    In text of one script, the high bytes have few values, including NUL (from spaces and digits), and no low byte is
    NUL.
    """
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        high, low = data[first:SAMPLE:2], data[1 - first : SAMPLE : 2]
        frequent = sum(count for _, count in Counter(high).most_common(2))
        if 0 not in low and high.count(0) * 10 >= len(high) and frequent * 10 >= len(high) * 9:
            return encoding
    raise BinaryFile(source=source)


def _guess(data: bytes, source: str) -> Decoded:
    matches = list(from_bytes(_sample(data), steps=16, chunk_size=1024, cp_isolation=GUESSES))
    alike = [match.encoding for match in matches if match.chaos == matches[0].chaos]
    names = [match.encoding for match in matches]
    if "cp1252" in alike:  # the most common of those that fit equally well
        names.insert(0, "cp1252")
    for name in names:
        try:
            return _strict(data, source, canonical(name, source), guessed=True)
        except UndecodableFile:
            continue
    raise UndecodableFile(source=source, encoding="UTF-8 or any other encoding")


def _sample(data: bytes) -> bytes:
    """The data from the first non-ASCII byte up to white space, so that no character is split."""
    found = re.search(rb"[\x80-\xff]", data)
    start = found.start() if found else 0
    if len(data) - start <= SAMPLE:
        return data[start:] if start > SAMPLE else data
    whole = re.match(rb"(?s).*[ \n]", data[start : start + SAMPLE])
    return whole[0] if whole else data
