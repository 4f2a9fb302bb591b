"""Invisible elements, and elements around the main text: navigation, footers, cookie banners."""

from __future__ import annotations

import re

from index.text.formats.html.elements import Element, Page, Piece, names

UNSHOWN = names(
    "annotation annotation-xml applet audio base canvas datalist embed frame frameset head iframe input link map meta "
    "meter noembed noframes noscript object optgroup option param picture progress rp rt rtc script select style svg "
    "template textarea title video"
)
WITHDRAWN = frozenset({"del", "s", "strike"})  # displayed, but struck out: retracted by the author
STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)
UNSEEN = names(  # classes of common frameworks for text that only screen readers use
    "screen-reader-text screen-reader-only sr-only visually-hidden visuallyhidden assistive-text a11y-hidden element- "
    "invisible hidden is-hidden d-none hide"
)

AROUND = frozenset({"nav", "footer", "aside"})
ROLES = names(
    "alertdialog banner complementary contentinfo dialog doc-endnote doc-index doc-pagebreak doc-pagelist doc-toc "
    "menu menubar navigation search searchbox toolbar tooltip"
)
NOTES = re.compile(r"note|tip|hint|warning|caution|danger|important|info|admonition|callout|box", re.IGNORECASE)

WHERE = (
    r"(?:(?:site|page|main|global|top|bottom|left|right|primary|secondary|sub|local|mobile|post|entry|article)[-_]?)?"
)
FURNITURE = re.compile(
    # Anywhere on a page
    r"(?:.*[-_])?(?:cookies?|consent|gdpr|ccpa|newsletter|breadcrumbs?|pagination|paginator|pager|share|sharing|sharethis"
    r"|addthis|social|socials|disqus|advert(?:isement)?s?|sponsor(?:ed)?|promo|popup|modal|paywall|skip|skiplink|toc"
    r"|editsection|navbox|catlinks|headerlink|printfooter|jump[-_]link|noprint|gutter|linenos?|line-numbers?)(?:[-_].*)?"
    r"|(?:ad|ads|adsense|banner-ad)(?:[-_].*)?|table-of-contents|tableofcontents|copyright"
    rf"|{WHERE}(?:nav|navbar|navigation|navigations|menu|menus|footer|sidebar|side-bar|sitemap|masthead|searchform|search"
    r"|search-form|login|logo|related|recommended|recommendations|recirculation|taglist|tags|tag-list)"
    r"(?:[-_](?:links?|list|wrapper|container|bar|box|area|section|content|inner|widget|posts|articles|menu|nav))*",
    re.IGNORECASE,
)
FEW = 8  # events
LONGEST_NAME = 60  # characters
MARKER = re.compile(r"[\[(](?:\d{1,3}|[a-z]|[ivx]{1,5}|note \d+)[\])]|\*+|[†‡§¶#↩↑^🔗]", re.IGNORECASE)
RAISED = re.compile(r"\d{1,3}|[a-z]|[ivx]{1,5}", re.IGNORECASE)


def is_hidden(element: Element, *, in_label: bool = False) -> bool:
    """Whether a browser hides the element; `in_label`: in a heading or a term, whose buttons collapse what follows."""
    tag, attributes = element.tag, element.attributes
    if tag in UNSHOWN or tag in WITHDRAWN or (tag == "button" and not in_label):
        return True
    if tag == "dialog" and "open" not in attributes:
        return True
    if not attributes:
        return False
    if "hidden" in attributes and attributes["hidden"].lower() != "until-found":
        return True
    return bool(
        (attributes.get("aria-hidden") == "true")
        or ("style" in attributes and STYLE.search(attributes["style"]))
        or ("class" in attributes and not UNSEEN.isdisjoint(attributes["class"].lower().split()))
    )


def is_around(element: Element) -> bool:
    """Whether markup puts the element outside the main text. A note beside it is part of the text."""
    if element.attributes.get("role", "").lower() in ROLES:
        return True
    return element.tag in AROUND and not (element.tag == "aside" and NOTES.search(element.get("class")))


def is_named_furniture(element: Element) -> bool:
    """Whether one of its class names or its id identifies furniture: `site-nav`, `cookie-banner`, `toc`."""
    names = [*element.get("class").split(), *element.get("id").split()]
    return any(len(name) < LONGEST_NAME and FURNITURE.fullmatch(name) for name in names)


def is_marker(page: Page, element: Element, *, raised: bool) -> bool:
    """Whether it only links to a note or to its heading: `[1]`, `*`, `¶`; `raised`, in <sup>, also a bare number."""
    if element.tag != "a" or element.end - element.start > FEW or not element.get("href").startswith("#"):
        return False
    visible = "".join(page.text_of(each) for each in page.within(element) if type(each) is Piece)
    visible = visible.strip() if len(visible) < LONGEST_NAME else ""
    return bool(MARKER.fullmatch(visible) or (raised and RAISED.fullmatch(visible)))
