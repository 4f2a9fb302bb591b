"""Decodes files exactly: no normalisation, no newline translation, no replacement characters.

For every accepted file and every slice of its text: `file[byte0:byte1].decode(encoding) ==
text[codepoint0:codepoint1]`.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter

import regex
from msgspec import Struct

from index.errors import (
    AmbiguousEncoding,
    BinaryFile,
    BrokenUtf8,
    StatefulEncoding,
    UndecodableFile,
    UnknownEncoding,
)

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
# Encodings that files are in. The others that the detector knows, those of mainframes and the like, are no rivals.
COMMON = frozenset(
    {
        *(f"cp{number}" for number in (1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 866, 874, 932, 949, 950)),
        *(f"iso-8859-{number}" for number in (1, 2, 5, 7, 8, 9, 13, 15)),
        *("koi8-r", "koi8-u", "mac-roman", "mac_roman", "cp437", "cp850", "cp852"),
        *("euc_jp", "shift_jis", "gb18030", "gb2312", "big5"),
    }
)
LEAST = 0.05  # the detector's confidence below which nothing is told: two or three characters
RIVAL = 0.95  # of the best one's confidence, from which another encoding is as likely
MOST_NAMED = 4  # candidates in a message
# Text in seven bits that is not what it seems: ISO-2022 in Japanese, Korean and Chinese files, HZ, UTF-7.
ISO_2022 = re.compile(rb"\x1b(?:\$[@AB]|\$[()*+.-][A-Z@]|\([BJI])")
HZ = re.compile(rb"~\{(?:[!-}][!-~])+~\}")
UTF7 = re.compile(rb"\+[A-Za-z0-9+/]{3,}-")
CONTROLS = bytes([*range(7), *range(14, 27), *range(28, 32), 127])  # not white space, BEL or ESC, which occur in logs
MIXED_ALPHABETS = regex.compile(
    r"\p{Latin}[\p{Cyrillic}\p{Greek}\p{Arabic}\p{Hebrew}]|[\p{Cyrillic}\p{Greek}\p{Arabic}\p{Hebrew}]\p{Latin}"
)
C1 = re.compile("[\x80-\x9f]")  # control characters that no text has
HIGH = bytes(range(0x80, 0x100))
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
    _raise_if_stateful(data, source)
    if _is_binary(data):
        raise BinaryFile(source=source)
    try:
        return Decoded(text=data.decode("utf-8"), encoding="utf-8", bom=0, guessed=False)
    except UnicodeDecodeError as error:
        if _nearly_utf8(data):
            raise broken(error, source) from None
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
    except UnicodeDecodeError as error:
        if encoding == "utf-8":
            raise broken(error, source, bom) from None
        raise UndecodableFile(source=source, encoding=encoding) from None
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


def broken(error: UnicodeDecodeError, source: str, bom: int = 0) -> BrokenUtf8:
    """Which byte of a file is not UTF-8, and where: `0x9d at 41`."""
    byte = error.object[error.start]
    return BrokenUtf8(source=source, encoding="utf-8", byte=f"{byte:#04x}", offset=bom + error.start)


def _nearly_utf8(data: bytes) -> bool:
    """Whether a file is UTF-8 but for a few bytes: a stray one, or a character that is cut off at the end."""
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd") - data.count("\ufffd".encode())
    valid = len(text) - wrong - len(data.translate(None, HIGH))
    if valid >= wrong:
        return True
    cut_off = wrong == 1 and bool(re.search(rb"[\xe0-\xf4][\x80-\xbf]{1,2}\Z", data))
    control = wrong == 1 and bool(re.search(rb"[\x80-\x9f]", data))  # no letter in any common encoding of Latin text
    return cut_off or control


def _raise_if_stateful(data: bytes, source: str) -> None:
    """Raise StatefulEncoding where text of seven bits means other characters than it shows."""
    if not data[:SAMPLE].isascii():
        return
    for pattern, encoding, codec in ((ISO_2022, "ISO-2022", None), (HZ, "HZ", "hz"), (UTF7, "UTF-7", "utf-7")):
        escapes = pattern.findall(data)
        if escapes and (codec is None or _means_letters(b" ".join(escapes), codec)):
            raise StatefulEncoding(source=source, encoding=encoding)


def _means_letters(data: bytes, codec: str) -> bool:
    """Whether what is written in a stateful encoding is words of another script, or accented ones."""
    try:
        text = data.decode(codec)
    except UnicodeError:
        return False
    visible = [character for character in text if not character.isspace()]
    return (
        bool(visible)
        and not text.isascii()
        and all(character.isalpha() or character.isprintable() for character in visible)
    )


def _guess(data: bytes, source: str) -> Decoded:
    """Decode in the likeliest encoding. Raises AmbiguousEncoding where another is as likely and gives another text."""
    likely = _candidates(_sample(data), source)
    while likely:
        (best, confidence), *others = likely
        try:
            decoded = _strict(data, source, best.encoding, guessed=True)
        except UndecodableFile:  # further on, behind the sample
            likely = others
            continue
        rivals = [each for each, other in others if other >= RIVAL * confidence and each.text != best.text]
        if confidence < LEAST or rivals:
            names = dict.fromkeys(each.encoding for each in (best, *rivals, *(each for each, _ in others)))
            raise AmbiguousEncoding(source=source, encoding=best.encoding, candidates=", ".join([*names][:MOST_NAMED]))
        return decoded
    raise UndecodableFile(source=source, encoding="UTF-8 or any other encoding")


def _candidates(sample: bytes, source: str) -> list[tuple[Decoded, float]]:
    """The sample in each encoding that fits it, with the confidence of the detector, likeliest first."""
    import chardet

    candidates: list[tuple[Decoded, float]] = []
    for match in chardet.detect_all(sample, ignore_threshold=True):
        try:
            encoding = canonical(match["encoding"] or "", source)
            decoded = _strict(sample, source, encoding, guessed=True)
        except (UndecodableFile, StatefulEncoding, UnknownEncoding):
            continue
        if (encoding in COMMON or not candidates) and not C1.search(decoded.text) and not _mixes_scripts(decoded.text):
            candidates.append((decoded, match["confidence"]))
    return candidates


def _mixes_scripts(text: str) -> bool:
    """Whether words hold letters of Latin beside those of another alphabet, which no language does."""
    mixed = len(MIXED_ALPHABETS.findall(text))
    return mixed > 0 and mixed * 20 > sum(character > "\x7f" and character.isalpha() for character in text)


def _sample(data: bytes) -> bytes:
    """The data from the first non-ASCII byte up to white space, so that no character is split."""
    match = re.search(rb"[\x80-\xff]", data)
    start = match.start() if match else 0
    if len(data) - start <= SAMPLE:
        return data[start:] if start > SAMPLE else data
    whole = re.match(rb"(?s).*[ \n]", data[start : start + SAMPLE])
    return whole[0] if whole else data
