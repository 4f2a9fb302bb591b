"""What HTML says, and that each quote is what its bytes say."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turbohtml.saxparse import SaxHandler, sax_parse

from index.errors import EmptyDocument, StatefulEncoding
from index.text.formats import html
from index.text.formats.html import parsing
from index.text.formats.html.elements import Piece
from index.text.maps import ByteMap
from index.text.sentences import split
from index.types import Extracted, Span
from tests.support.pages import WORDS, page, rejoined

TAGS = [
    "p",
    "b",
    "i",
    "a",
    "div",
    "span",
    "table",
    "tr",
    "td",
    "th",
    "ul",
    "li",
    "h1",
    "pre",
    "br",
    "form",
    "nobr",
    "font",
    "title",
    "textarea",
    "script",
    "style",
    "button",
    "select",
]
PIECES = [
    *(f"<{tag}>" for tag in TAGS),
    *(f"</{tag}>" for tag in TAGS),
    *("<!-- c -->", "<!--", "-->", "<?x>", "<!x>", "<a href='x", "<i", "=", '"', ">", "<", "</", "</html>", "<body>"),
    *("&amp;", "&lt", "&notit;", "&#65;", "&#x20;", "&NotEqualTilde;", "&copy", "&"),
    *("\n", "\r\n", "\r", " ", "\t", "\f", "word", "two words", "é", "漢字", "😀", "\U000f0001\U00100001"),
]
SOUP = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def read(markup: str) -> Extracted:
    return html.extract(f"<!DOCTYPE html><meta charset=utf-8>{markup}".encode(), "a.html")


def shown(markup: str) -> list[str]:
    extracted = read(markup)
    return [extracted.text[slice(*block.span)] for block in extracted.blocks]


def kinds(markup: str) -> list[tuple[str, int | None, int, str]]:
    extracted = read(markup)
    return [(block.kind, block.group, block.level, extracted.text[slice(*block.span)]) for block in extracted.blocks]


def map_of(extracted: Extracted) -> ByteMap:
    assert isinstance(extracted.map, ByteMap)
    return extracted.map


@given(SOUP)
def test_text_in_the_tree_is_what_the_tree_builder_makes_of_the_same_document(markup: str) -> None:
    expected: list[str] = []

    class Handler(SaxHandler):
        def characters(self, data: str) -> None:
            expected.append(data)

    sax_parse(markup, Handler())
    parsed = parsing.parse(markup)
    pieces = [event for event in parsed.events if type(event) is Piece]
    values = [parsed.source[each.start : each.end] if each.value is None else each.value for each in pieces]
    assert "".join(values) == "".join(expected)


@given(SOUP, st.sampled_from(["utf-8", "utf-16", "gb18030"]), st.data())
def test_any_part_of_any_page_is_what_its_bytes_say(markup: str, encoding: str, data: st.DataObject) -> None:
    file = f"<meta charset={encoding}><p>x</p>{markup}".encode(encoding)
    extracted = html.extract(file, "a.html")
    for block in extracted.blocks:
        start = data.draw(st.integers(block.span.start, block.span.end))
        span = Span(start, data.draw(st.integers(start, block.span.end)))
        quote = extracted.text[slice(*span)]
        result = rejoined(file, extracted.encoding, map_of(extracted), span)
        # A cut inside an entity of two characters takes it whole; tabs between cells and <br> stand for no bytes.
        assert "".join(quote.split()) in "".join(result.split())
        if span == block.span and block.kind not in ("row", "header") and "\n" not in quote and "br>" not in markup:
            assert result == quote


@pytest.mark.parametrize("encoding", WORDS)
def test_ten_thousand_sentences_in_untidy_markup_are_what_their_bytes_say(encoding: str) -> None:
    for seed in range(20):
        known = page(Random(seed), encoding, 100)  # noqa: S311
        extracted = html.extract(known.file, "a.html")
        assert extracted.encoding.startswith(
            ("utf-16-le", "cp932") if encoding in ("utf-16", "shift_jis") else encoding
        )
        shown = (extracted.text[slice(*block.span)].removeprefix("No\t") for block in extracted.blocks)
        assert " ".join(each for each in shown if each.lower() != "no") == " ".join(known.sentences)
        for sentence in split(extracted.text, extracted.blocks):
            quote = extracted.text[slice(*sentence.span)]
            bytes_say = rejoined(known.file, extracted.encoding, map_of(extracted), sentence.span)
            assert bytes_say == quote.replace("\t", "")


def test_text_is_shown_as_a_browser_shows_it() -> None:
    assert shown("<p>Fish &amp;\n  <b>chips</b><i> today</i> &mdash; caf&eacute;&nbsp;open.<p>Now<wbr>here.") == [
        "Fish & chips today — café\xa0open.",
        "Nowhere.",
    ]


def test_line_break_ends_a_block_unless_the_sentence_goes_on_in_small_letters() -> None:
    assert shown("<p>The ferry leaves<br>at noon.<br>Bring<br><br>a coat.") == [
        "The ferry leaves\nat noon.",
        "Bring",
        "a coat.",
    ]


def test_newline_between_two_wide_characters_is_no_space() -> None:
    assert shown("<p>港は\n  八時に開く。\nOpen\n港") == ["港は八時に開く。 Open 港"]


def test_hidden_elements_scripts_and_struck_out_text_are_left_out() -> None:
    hidden = ["<script>no()</script>", "<style>no{}</style>", "<template>no</template>", "<noscript>no</noscript>"]
    hidden += ["<!-- no -->", "<span hidden>no</span>", "<span aria-hidden=true>no</span>", "<del>no</del>"]
    hidden += ["<i style='color:red;display : none'>no</i>", "<i style=visibility:hidden>no</i>"]
    hidden += [
        "<span class='x sr-only'>no</span>",
        "<svg><title>no</title><text>no</text></svg>",
        "<textarea>no</textarea>",
    ]
    for markup in hidden:
        assert shown(f"<main><p>The ferry leaves from{markup} the northern quay.</main>") == [
            "The ferry leaves from the northern quay."
        ]


def test_hidden_heading_is_left_out() -> None:
    assert shown("<h1>Ferries</h1><h2 hidden>Feedback</h2><p>They go.") == ["Ferries", "They go."]


def test_button_is_left_out_unless_it_folds_what_stands_below_a_heading() -> None:
    assert shown("<h3><button>When?</button></h3><p>At noon.<button>Copy</button>") == ["When?", "At noon."]


@pytest.mark.parametrize(
    "markup",
    [
        *("<div>", "<table>", "<ul><li>", "<header>", "<blockquote>:", "<svg><g>", "<h1>a<h2>b", "<pre>\n", "a<br>"),
        *("<svg><title>a</title></svg>", "<svg><![CDATA[a]]></svg>", "<details><summary>a", "<dl><dt>a<dd>b"),
        *(
            "<a href='#x'>1",
            "<footer>x",
            "<p>a:<ul><li>x</ul>",
            "&amp;",
            "<",
            "x",
            "word ",
            "<td>x",
        ),
    ],
)
def test_page_made_to_be_slow_is_read(markup: str) -> None:
    page = read(
        markup * (100_000 if markup == "<div>" else 5_000)
        + "<meta http-equiv=refresh content='0; url=//x'></svg><p>hello there"
    )
    assert page.text.endswith("hello there")


def test_lists_are_items_and_steps_with_what_introduces_them() -> None:
    markup = (
        "<p>Bring:<ul><li>a coat<li>a ticket<ul><li>printed</ul></ul><p>Then<ol><li>board<pre>\n  $ go\n</pre></ol>"
    )
    assert kinds(markup) == [
        ("paragraph", 1, 0, "Bring:"),
        ("item", 1, 0, "a coat"),
        ("item", 1, 0, "a ticket"),
        ("item", 1, 1, "printed"),
        ("paragraph", None, 0, "Then"),
        ("step", 2, 0, "board"),
        ("code", 2, 0, "  $ go"),
    ]
    assert [block.introduces for block in read(markup).blocks] == [True, False, False, False, False, False, False]


def test_rows_of_a_table_are_blocks_labelled_with_its_caption() -> None:
    markup = "<table><caption>Fares</caption><tr><th>Who<th>Price<tr><td>Adult<td>3&nbsp;&euro;"
    markup += "<tr><td>Child<br>under 6<td>free</table>"
    assert kinds(markup) == [
        ("caption", 1, 0, "Fares"),
        ("header", 1, 0, "Who\tPrice"),
        ("row", 1, 0, "Adult\t3\xa0€"),
        ("row", 1, 0, "Child under 6\tfree"),
    ]
    assert [block.label for block in read(markup).blocks] == [None, None, "Fares, row 1", "Fares, row 2"]


def test_table_that_only_lays_out_the_page_is_no_table() -> None:
    assert kinds("<table><tr><td><h1>Ferries</h1><p>Daily.<p>Also on Sundays.<td>Aldhaven</table>") == [
        ("heading", None, 1, "Ferries"),
        ("paragraph", None, 0, "Daily."),
        ("paragraph", None, 0, "Also on Sundays."),
        ("paragraph", None, 0, "Aldhaven"),
    ]


def test_blocks_know_the_headings_above_them() -> None:
    markup = "<h1>A</h1><h2>B</h2><p>b<dl><dt>T<dd>t</dl>"
    markup += "<details><summary>Q</summary><p>q</details><h2>C</h2><blockquote>c</blockquote>"
    assert [(block.kind, block.headings) for block in read(markup).blocks] == [
        ("heading", ("A",)),
        ("heading", ("A", "B")),
        ("paragraph", ("A", "B")),
        ("item", ("A", "B")),
        ("item", ("A", "B", "T")),
        ("heading", ("A", "B", "Q")),
        ("paragraph", ("A", "B", "Q")),
        ("heading", ("A", "C")),
        ("quotation", ("A", "C")),
    ]


def test_navigation_footers_and_banners_are_left_out() -> None:
    around = (
        "<header><a href=/>Logo</a><h1>Ferries</h1></header><nav><a href=/a>Home</a></nav>"
        "<div class=cookie-banner>We use cookies.</div>{}<aside>Read this too</aside>"
        "<div role=contentinfo>Port of Aldhaven</div><footer>© Port</footer>"
    )
    text = "The ferry to Gull Island leaves from the northern quay at eight each morning."
    for inner in (f"<main><p>{text}</main>", f"<article><p>{text}</article>", f"<div id=x><p>{text}</div>"):
        assert shown(around.format(inner)) == ["Ferries", text]


def test_list_of_links_is_navigation_unless_a_sentence_introduces_it() -> None:
    links = "<ul><li><a href=/1>Gull Island</a><li><a href=/2>Aldhaven</a><li><a href=/3>Mole Bay</a></ul>"
    text = "The ferry to Gull Island leaves from the northern quay at eight each morning, and stops at these piers"
    assert shown(f"<p>{text}.{links}") == [f"{text}."]
    assert shown(f"<p>{text}:{links}") == [f"{text}:", "Gull Island", "Aldhaven", "Mole Bay"]


def test_page_of_nothing_but_links_is_read_all_the_same() -> None:
    assert shown("<nav><a href=/1>Gull Island</a></nav>") == ["Gull Island"]


def test_marks_of_notes_and_headings_are_left_out_and_links_in_sentences_are_not() -> None:
    markup = "<h2>Ferries<a href='#f'>¶</a></h2><p>They leave<sup><a href='#n'>1</a></sup> at "
    markup += "<a href='#3'>3</a>.<a href='#m'>[2]</a>"
    assert shown(markup) == ["Ferries", "They leave at 3."]


def test_head_says_title_address_date_and_language() -> None:
    extracted = html.extract(
        b"<html lang=en><base href='https://port.example/a/'><title>Ferries | Port of Aldhaven</title>"
        b"<link rel=canonical href=ferries><meta name=description content='All ferries.'>"
        b"<meta property=og:site_name content='Port of Aldhaven'>"
        b'<script type=application/ld+json>{"@graph": [{"datePublished": "2024-05-01T08:00:00+02:00"}]}</script>'
        b"<h1>Boats</h1><p>They go.",
        "a.html",
    )
    assert (extracted.title, extracted.url) == ("Ferries", "https://port.example/a/ferries")
    assert extracted.date == "2024-05-01T08:00:00+02:00"
    assert extracted.meta == {"language": "en", "description": "All ferries.", "site": "Port of Aldhaven"}


@pytest.mark.parametrize(
    ("file", "charset", "encoding"),
    [
        (b"<p>caf\xe9", "iso-8859-1", "cp1252"),
        (b"<meta charset=latin1><p>caf\xe9 \x80", None, "cp1252"),
        (b"<meta http-equiv=Content-Type content='text/html; charset=windows-1251'><p>\xef", None, "cp1251"),
        ("<meta charset=shift_jis><p>港".encode("cp932"), None, "cp932"),
        ("<meta charset=gbk><p>港𠮷".encode("gb18030"), None, "gb18030"),
        ("<?xml version='1.0' encoding='euc-jp'?><p>港</p>".encode("euc-jp"), None, "euc_jp"),
        ("<meta charset=latin1><p>ü".encode("utf-16"), None, "utf-16-le"),
        ("<meta charset=utf-16><p>ü".encode(), None, "utf-8"),
        ("<meta charset=nonsense><p>ü".encode(), None, "utf-8"),
        ("<meta name=description content='charset=latin1'><p>ü".encode(), None, "utf-8"),
        (b"\xef\xbb\xbf<meta charset=latin1><p>\xc3\xbc", None, "utf-8"),
        # It isn't what it says.
        ("<meta charset=utf-8><p>Паром уходит в полдень, билет стоит три рубля".encode("cp1251"), None, "cp1251"),
    ],
)
def test_encoding_is_that_of_header_mark_or_declaration(file: bytes, charset: str | None, encoding: str) -> None:
    extracted = html.extract(file, "a.html", charset)
    assert extracted.encoding == encoding
    span = extracted.blocks[0].span
    assert rejoined(file, encoding, map_of(extracted), span) == extracted.text[slice(*span)]


def test_encoding_with_states_and_page_without_text_are_refused() -> None:
    with pytest.raises(StatefulEncoding):
        html.extract(b"<meta charset=iso-2022-jp><p>a", "a.html")
    with pytest.raises(EmptyDocument):
        html.extract(b"<title>a</title><frameset><noframes>b</noframes></frameset>", "a.html")


BROKEN = {
    "<B><I>Bold</B> both</I> plain": ["Bold both plain"],
    "<p>AT&T sells R&D, &copy 2024 &notin; x<3, a < b & c": ["AT&T sells R&D, © 2024 ∉ x<3, a < b & c"],
    "<table>Lost text<tr>stray<td>one<td>two<tr><td>three<td>four</table>after": [
        "Lost textstray",
        "one\ttwo",
        "three\tfour",
        "after",
    ],
    "<ul><li>one<li>two</p>three</ul></div></span>": ["one", "two", "three"],
    "<p>One<div>two</p>three</div>": ["One", "two", "three"],
    "<a href='/x'>first<a href='/y'>second</a> third": ["firstsecond third"],
    "<h1>Title</h2><p>text</h1>": ["Title", "text"],
    "<!-- open -- > <p>shown? --><p>yes": ["yes"],
    "<p>a</body></html><p>after the end": ["a", "after the end"],
    "<font><p>a<b>b</font>c</b>": ["abc"],
    "<p title='>'>quote</p title=x><p class=a class=b>twice": ["quote", "twice"],
    "<p>one</>two<//>three</ p>four<p/>five": ["onetwothreefour", "five"],
    "<div>unclosed <script>document.write('</div>')</script>script": ["unclosed script"],
    "<p>text<style>p > a {}</p>": ["text"],
    "<math><mi>x</mi><mo>&lt;</mo><annotation>x < y</annotation></math> holds": ["x< holds"],
    "<svg><style>a > b {}</style><title>A <b>bold</b></title><![CDATA[a > b]]></svg><p>after": ["after"],
    "<p>five<plaintext>a</plaintext> <b>": ["five", "a</plaintext> <b>"],
    "<select><option>a<option>b</select>chosen": ["chosen"],
    "<PRE>\r\n a\tb\r\n\r\nc</PRE>": [" a\tb\n\nc"],
}


@pytest.mark.parametrize("markup", BROKEN)
def test_broken_markup_is_read_as_the_standard_says(markup: str) -> None:
    file = f"{markup}<p>.".encode()
    extracted = html.extract(file, "a.html")
    blocks = [block.span for block in extracted.blocks if extracted.text[slice(*block.span)] != "."]
    assert [extracted.text[slice(*span)].removesuffix("<p>.") for span in blocks] == BROKEN[markup]
    for span in blocks:
        quote = extracted.text[slice(*span)]
        assert "".join(rejoined(file, "utf-8", map_of(extracted), span).split()) == "".join(quote.split())
