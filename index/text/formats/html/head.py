"""Metadata from the head of a page: title, address, date, language, description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from index.text.formats.html.elements import Page, Piece

SUFFIX = re.compile(r"\s+[|\-–—·•:»/]\s+|\s*[|»]\s*")
DATES = [  # the best first
    *("article:published_time", "og:published_time", "datepublished", "date.published", "publish-date", "publishdate"),
    *("pubdate", "parsely-pub-date", "sailthru.date", "dc.date.issued", "dcterms.issued", "dc.date.created"),
    *("dcterms.created", "dc.date", "dcterms.date", "citation_publication_date", "citation_date", "date"),
]
MODIFIED = ["article:modified_time", "og:updated_time", "datemodified", "last-modified", "dcterms.modified", "revised"]
NAMED = {"author": ["author", "article:author", "dc.creator", "citation_author"], "site": ["og:site_name"]}
DESCRIPTION = ["description", "og:description", "dc.description", "twitter:description"]
DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")
LONGEST = 2000  # characters of a value
LARGEST_DATA = 1 << 18  # characters of linked data
DEEPEST = 8


class Head(Struct, frozen=True):
    title: str | None
    url: str | None
    date: str | None  # ISO 8601
    meta: dict[str, str]


def read(page: Page) -> Head:
    named = _named(page)
    title = next(filter(None, (page.content(each) for each in page.named("title"))), None)
    heading = next(filter(None, (page.content(each) for each in page.named("h1"))), None)
    meta = {
        "language": next((each.get("lang") or each.get("xml:lang") for each in page.named("html")), ""),
        "description": _first(named, DESCRIPTION),
        "modified": _date(_first(named, MODIFIED)) or "",
        **{name: _first(named, names) for name, names in NAMED.items()},
    }
    return Head(
        title=_title(title, heading, named),
        url=_url(page, named),
        date=_first_date(page, named),
        meta={name: value for name, value in meta.items() if value},
    )


def _named(page: Page) -> dict[str, str]:
    """The content of each <meta> by lower-case name; the first one counts."""
    named: dict[str, str] = {}
    for element in page.named("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop") or element.get("http-equiv")
        value = " ".join(element.get("content").split())[:LONGEST]
        if name and value:
            named.setdefault(name.strip().lower(), value)
    return named


def _first(named: dict[str, str], names: list[str]) -> str:
    return next((named[name] for name in names if name in named), "")


def _title(title: str | None, heading: str | None, named: dict[str, str]) -> str | None:
    """The title without the name of the site: "Ferries | Port of Aldhaven" -> "Ferries"."""
    if title is None:
        return named.get("og:title") or heading
    parts = SUFFIX.split(title)
    site = named.get("og:site_name")
    for end, other in ((0, -1), (-1, 0)):
        if len(parts) > 1 and (parts[end] == heading or (site and parts[other] == site)):
            return parts[end] if parts[end] == heading or len(parts) == 2 else title
    return title[:LONGEST]


def _url(page: Page, named: dict[str, str]) -> str | None:
    base = next((each.get("href") for each in page.named("base") if each.get("href")), "")
    links = (each for each in page.named("link") if "canonical" in each.get("rel").lower().split())
    for address in (*(each.get("href") for each in links), named.get("og:url", "")):
        try:
            whole = urljoin(base, address.strip())
            if urlsplit(whole).scheme in ("http", "https") and urlsplit(whole).hostname:
                return whole
        except ValueError:
            continue
    return None


def _first_date(page: Page, named: dict[str, str]) -> str | None:
    candidates = [
        _first(named, DATES),
        *_linked_data(page),
        *(
            each.get("datetime") or page.content(each)
            for each in page.named("time")
            if "pubdate" in each.attributes or each.get("itemprop").lower() == "datepublished"
        ),
    ]
    return next(filter(None, map(_date, candidates)), None)


def _date(value: str) -> str | None:
    """The date in ISO 8601, from ISO or e-mail format."""
    value = value.strip()
    try:
        parsed = datetime.fromisoformat(value) if DATE.match(value) else parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    return parsed.date().isoformat() if len(value) <= 10 else parsed.isoformat()


def _linked_data(page: Page) -> Iterator[str]:
    """`datePublished` of the page's JSON-LD."""
    for script in page.named("script"):
        if script.get("type").strip().lower() != "application/ld+json":
            continue
        raw = "".join(page.text_of(each) for each in page.within(script) if type(each) is Piece)
        try:
            data = json.loads(raw) if len(raw) <= LARGEST_DATA else None
        except (ValueError, RecursionError):
            continue
        yield from _published(data, DEEPEST)


def _published(data: object, depth: int) -> Iterator[str]:
    if isinstance(data, dict) and isinstance(date := data.get("datePublished"), str):
        yield date
    children = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    for child in children if depth else ():
        yield from _published(child, depth - 1)
