"""What a mail says, and which bytes of it each quote comes from."""

from __future__ import annotations

import base64
import quopri
from contextlib import suppress
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import DamagedFile, DocumentError
from index.text.formats import eml
from index.text.formats.eml.transfer import payload
from index.text.maps import ByteMap
from index.types import Extracted

BODY = """Dear Ingrid,

the ferry leaves at noon — café on board. It returns
at six.

On Monday Bob wrote:
> When does the ferry leave? I could not
> find it anywhere.
>> Nobody knows.

Yours

--
Zoë
"""
SHOWN = [
    ("paragraph", "Dear Ingrid,"),
    ("paragraph", "the ferry leaves at noon — café on board. It returns\nat six."),
    ("paragraph", "On Monday Bob wrote:"),
    ("quotation", "When does the ferry leave? I could not\nfind it anywhere."),
    ("quotation", "Nobody knows."),
    ("paragraph", "Yours"),
    ("furniture", "--"),
    ("furniture", "Zoë"),
]


def mail(body: str = BODY, subtype: str = "plain", cte: str = "8bit", charset: str = "utf-8") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Zoë <zoe@port.example>"
    message["To"] = "ingrid@quay.example"
    message["Subject"] = "Fähren & Boote"
    message["Date"] = "Mon, 06 May 2024 10:00:00 +0200"
    message.set_content(body, subtype=subtype, cte=cte, charset=charset)
    return message


def blocks(extracted: Extracted) -> list[tuple[str, str]]:
    return [(block.kind, extracted.text[slice(*block.span)]) for block in extracted.blocks]


def slices(file: bytes, extracted: Extracted, number: int) -> bytes:
    assert isinstance(extracted.map, ByteMap)
    return b"".join(file[start:end] for start, end in extracted.map.segments(extracted.blocks[number].span))


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("cte", ["8bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("charset", ["utf-8", "cp1252"])
def test_text_of_a_mail_is_what_its_bytes_say(newline: bytes, cte: str, charset: str) -> None:
    file = mail(cte=cte, charset=charset).as_bytes().replace(b"\n", newline)
    extracted = eml.extract(file, "a.eml")
    shown = blocks(extracted)
    assert [each for each in shown if each[0] != "front_matter"] == SHOWN
    for number, (kind, quote) in enumerate(shown):
        raw = slices(file, extracted, number)
        if kind == "front_matter":
            continue
        if cte == "base64":
            assert quote.partition("\n")[0] in base64.b64decode(raw).decode(charset, "replace").replace("\r", "")
            continue
        decoded = quopri.decodestring(raw) if cte == "quoted-printable" else raw
        assert decoded.decode(charset) == quote


def test_headers_are_front_matter_and_properties() -> None:
    extracted = eml.extract(mail().as_bytes(), "a.eml")
    assert blocks(extracted)[:4] == [
        ("front_matter", "From: Zoë <zoe@port.example>"),
        ("front_matter", "To: ingrid@quay.example"),
        ("front_matter", "Subject: Fähren & Boote"),
        ("front_matter", "Date: Mon, 06 May 2024 10:00:00 +0200"),
    ]
    assert (extracted.title, extracted.date) == ("Fähren & Boote", "2024-05-06T10:00:00+02:00")
    assert extracted.meta["from"] == "Zoë <zoe@port.example>"


def test_plain_text_is_preferred_and_html_is_read_where_there_is_none() -> None:
    both = mail()
    both.add_alternative("<p>In HTML.</p>", subtype="html")
    assert ("paragraph", "Dear Ingrid,") in blocks(eml.extract(both.as_bytes(), "a.eml"))
    alone = mail(
        "<p>The <b>ferry</b> leaves &mdash; at noon.<blockquote>When?</blockquote>", "html", "quoted-printable"
    )
    extracted = eml.extract(alone.as_bytes(), "a.eml")
    assert blocks(extracted)[4:] == [("paragraph", "The ferry leaves — at noon."), ("quotation", "When?")]
    assert slices(alone.as_bytes(), extracted, 4) == b"The ferry leaves &mdash; at noon."


def test_attachments_are_files_with_names_that_name_no_folder() -> None:
    message = mail()
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="../prices.pdf")
    message.add_attachment("Fares", filename="prices.txt")
    message.add_attachment("Fares of old", filename="prices.txt")
    message.add_attachment(mail("Inner text."))
    found = list(eml.attachments(message.as_bytes()))
    assert [(each.name, each.media_type) for each in found] == [
        ("_prices.pdf", "application/pdf"),
        ("prices.txt", "text/plain"),
        ("prices-3.txt", "text/plain"),
        ("part-4.eml", "message/rfc822"),
    ]
    assert found[0].data == b"%PDF"
    assert ("paragraph", "Inner text.") in blocks(eml.extract(found[3].data, "b.eml"))
    assert not any("Fares" in text for _, text in blocks(eml.extract(message.as_bytes(), "a.eml")))


def test_file_without_headers_of_a_mail_is_refused() -> None:
    with pytest.raises(DamagedFile):
        eml.extract(b"Just some text.\n", "a.eml")


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(data: bytes) -> None:
    with suppress(DocumentError):
        eml.extract(b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n" + data, "a.eml")


@given(st.binary(max_size=300))
def test_quoted_printable_and_base64_give_each_byte_its_place(data: bytes) -> None:
    for encoding, encoded in (("quoted-printable", quopri.encodestring(data)), ("base64", base64.encodebytes(data))):
        decoded = payload(b"..." + encoded, 3, 3 + len(encoded), encoding)
        if encoding == "base64":
            assert decoded.data == data
        else:
            assert decoded.data == quopri.decodestring(encoded)
        for place, (start, end) in enumerate(zip(decoded.starts.tolist(), decoded.ends.tolist(), strict=True)):
            piece = (b"..." + encoded)[start:end]
            one = base64.b64decode(piece) if encoding == "base64" else quopri.decodestring(piece)
            assert decoded.data[place : place + 1] in one or piece in b"\t \n\r"
