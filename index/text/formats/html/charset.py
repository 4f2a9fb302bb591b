"""The encoding of a page: from the header, the byte-order mark, the XML declaration or a <meta>; else a guess."""

from __future__ import annotations

import re

from index.errors import UndecodableFile, UnknownEncoding
from index.text.decoding import BOMS, Decoded, canonical
from index.text.decoding import decode as decode_text

PRESCAN = 1 << 14  # bytes; browsers look at 1,024, but some pages declare it later
DECLARATION = re.compile(rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.:-]{1,40})""")
IN_CONTENT = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';]+)""", re.IGNORECASE)
# The Encoding Standard maps these labels to other encodings than their names: https://encoding.spec.whatwg.org
READ_AS = {
    **dict.fromkeys(("ascii", "iso-8859-1"), "cp1252"),
    "iso-8859-9": "cp1254",
    **dict.fromkeys(("iso-8859-11", "tis-620"), "cp874"),
    "shift_jis": "cp932",
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    "big5": "cp950",
}


def decode(data: bytes, source: str, charset: str | None = None) -> Decoded:
    """Decode a page. `charset`: from a header. Raises DocumentError.

    A declaration inside the file is ignored if the file does not decode with it.
    """
    if charset is not None:
        return decode_text(data, source, _as_read(charset, source))
    declared = None if data.startswith(tuple(mark for mark, _ in BOMS)) else declaration(data)
    if declared:
        try:
            encoding = _as_read(declared, source)
            # If the declaration is readable byte by byte, the encoding is not UTF-16.
            return decode_text(data, source, "utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding)
        except (UndecodableFile, UnknownEncoding):
            pass
    return decode_text(data, source)


def declaration(data: bytes) -> str | None:
    """The encoding named in the XML declaration or the first <meta>."""
    if match := DECLARATION.match(data):
        return match[1].decode("ascii")
    from turbohtml import TokenType, tokenize

    for token in tokenize(data[:PRESCAN].decode("latin-1")):
        if token.type != TokenType.START_TAG or token.tag != "meta":
            continue
        attributes = dict(reversed(token.attrs or []))
        if label := (attributes.get("charset") or "").strip():
            return label
        if (attributes.get("http-equiv") or "").lower() == "content-type" and (
            named := IN_CONTENT.search(attributes.get("content") or "")
        ):
            return named[1]
    return None


def _as_read(label: str, source: str) -> str:
    encoding = canonical(label, source)
    return READ_AS.get(encoding, encoding)
