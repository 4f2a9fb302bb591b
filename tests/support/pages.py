"""Pages whose sentences are known, in mark-up that is as untidy as on the web."""

from __future__ import annotations

import html
import re
from random import Random

from msgspec import Struct

from index.text.maps import ByteMap
from index.types import Span

WORDS = {
    "utf-8": [
        "harbour",
        "façade",
        "naïve",
        "東京",
        "Ελλάδα",
        "корабль",
        "🚢",
        "ebb",
        "&",
        "flow",
        "<tide>",
        "don’t",
        "“quoted”",
        "5€",
        "x<y",
    ],
    "utf-16": ["lantern", "𝕏", "𠮷野家", "Straße", "καλημέρα", "ferry", "AT&T", "a<b", "“so”", "港", "ship's"],
    "cp1252": [
        "pier",
        "café",
        "Grüße",
        "garçon",
        "“quay”",
        "£12",
        "AT&T",
        "rock’n’roll",
        "œuvre",
        "Zürich",
        "x<y",
        "naïve",
    ],
    "shift_jis": ["港", "灯台", "フェリー", "午前", "料金", "切符", "波", "ＡＢＣ", "3人", "&", "表", "ソース"],
    "gb18030": ["港口", "渡轮", "票价", "灯塔", "潮汐", "€", "早上", "𠮷", "&", "三人", "码头"],
}
SPACES = [" "] * 6 + ["\n", "  ", "\r\n\t", " <!-- a > b --> ", "&#32;", " &#x0A; "]
OPENERS = ["<b>", "<i class=x>", "<a name='/?a=1&b=2>'>", '<span title="a > b">', "<font color=red>", "<EM>", "<code>"]
INTERRUPTIONS = [
    "</u>",
    "<!-- no -->",
    "<wbr>",
    "<span hidden>not shown.</span>",
    "<script>a<b</script>",
    "<!x>",
    "</>",
]
WRAPPERS = [
    "<p>{}",
    "<p>{}</p>",
    "<div>{}</div>",
    "<ul><li>{}</ul>",
    "<table><tr><th>No<td>{}</table>",
    "<blockquote>{}",
]
WRAPPERS += [
    "<h3>{}</h3>",
    "<dl><dt>no<dd>{}</dl>",
    "<center>{}</center>",
    "<div><b><p>{}</b></div>",
    "<section>{}</article>",
]


class Known(Struct, frozen=True):
    """A page, and its sentences in order."""

    file: bytes
    sentences: list[str]


def page(random: Random, encoding: str, count: int) -> Known:
    """A page of about `count` sentences; its `<meta>`, or its byte-order mark, names the encoding."""
    sentences: list[str] = []
    parts = [f"<!DOCTYPE html><meta charset={encoding}><title>No</title>"]
    while len(sentences) < count:
        own = [_sentence(random, encoding) for _ in range(random.randint(1, 4))]
        sentences += own
        text = random.choice(SPACES[:9]).join(_marked(each, random, encoding) for each in own)
        parts.append(random.choice(WRAPPERS).format(text))
    return Known(random.choice(["\n", "", "\r\n"]).join(parts).encode(encoding), sentences)


def rejoined(file: bytes, encoding: str, source_map: ByteMap, span: Span) -> str:
    """What the slices of a quote give: decoded, entities resolved, white space collapsed, joined."""
    slices = (file[start:end].decode(encoding) for start, end in source_map.segments(span))
    return "".join(collapsed(html.unescape(each)) for each in slices)


def collapsed(text: str) -> str:
    """Each run of white space as one space; a no-break space is none to HTML."""
    return re.sub("[ \t\n\r\f]+", " ", text)


def _sentence(random: Random, encoding: str) -> str:
    words = random.choices(WORDS[encoding], k=random.randint(3, 12))
    return "So " + " ".join(words) + " ended."


def _marked(sentence: str, random: Random, encoding: str) -> str:
    """A sentence as mark-up: words in elements closed in the wrong order, characters as entities."""
    out: list[str] = []
    open_tags: list[str] = []
    for word in sentence.split(" "):
        if random.random() < 0.1:
            out.append(random.choice(INTERRUPTIONS))
        if random.random() < 0.2:
            tag = random.choice(OPENERS)
            out.append(tag)
            open_tags.append(tag.strip("<>").split()[0])
        out.append("".join(_character(each, random, encoding) for each in word))
        if open_tags and random.random() < 0.5:
            out.append(f"</{open_tags.pop(random.randrange(len(open_tags)))}>")
        # A newline between two wide characters is no space.
        out.append(" " if word[-1] > "\u2e7f" else random.choice(SPACES))
    out.pop()
    out.extend(f"</{tag}>" for tag in open_tags)
    return "".join(out)


def _character(character: str, random: Random, encoding: str) -> str:
    if character in "&<":
        return random.choice([html.escape(character), f"&#{ord(character)};", html.escape(character)])
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return f"&#x{ord(character):X};"
    return f"&#{ord(character)};" if random.random() < 0.03 else character
