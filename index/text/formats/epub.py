"""EPUB: the chapters of a book in their order, each character with its bytes in the chapter (`mapped` with `part`)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote

from index.errors import DamagedFile, DocumentError, EmptyDocument, EncryptedFile, UnpackedTooLarge
from index.text.byte_map import ByteMap
from index.text.formats import html
from index.text.formats.containers import Container, Element
from index.text.formats.html import charset as charsets
from index.text.formats.stretches import Stretch, joined
from index.text.positions import byte_offsets
from index.types import Extracted

MEDIA_TYPE = "application/epub+zip"
CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
CHAPTERS = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document"})
MOST_CHAPTERS = 10_000
LARGEST_CHAPTER = 16_000_000  # bytes
LARGEST_BOOK = 64_000_000  # bytes of all chapters
MOST_TAGS = 2_000_000  # of a chapter
NOTICES = 5  # chapters that are named each by each


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:  # noqa: ARG001  each chapter says its own
    """Read a book. Raises DocumentError; a chapter that cannot be read is told in the notices."""
    container = Container(data, source, "epub")
    root = _package_path(container)
    package = container.tree(root)
    stretches, problems = _chapters(container, _spine(package, root))
    if not any(each.blocks for each in stretches):
        raise EmptyDocument(source=source, reason=f" that can be read: {problems[0]}" if problems else "")
    whole = joined(stretches)
    metadata = {name: value for name in ("title", "creator", "date", "language") if (value := _said(package, name))}
    if len(problems) > NOTICES:
        problems[NOTICES:] = [f"{len(problems) - NOTICES} more chapters were left out"]
    return Extracted(
        text=whole.text,
        encoding=stretches[0].encoding or "utf-8",
        bom=0,
        guessed=False,
        media_type=MEDIA_TYPE,
        title=metadata.pop("title", None),
        blocks=whole.blocks,
        anchor="mapped",
        date=metadata.pop("date", None),
        map=ByteMap.of(whole.starts, whole.ends, whole.parts),
        meta={"author" if name == "creator" else name: value for name, value in metadata.items()},
        notices=tuple(problems),
    )


def _package_path(container: Container) -> str:
    roots = container.tree(CONTAINER).iterfind(".//{*}rootfile")
    path = next((each.get("full-path", "") for each in roots), "")
    if path not in container:
        raise DamagedFile(source=container.source, reason=f"{CONTAINER} names no package")
    return path


def _spine(package: Element, root: str) -> list[str]:
    """The chapters in the order of reading, without the table of contents."""
    folder = posixpath.dirname(root)
    items = {each.get("id", ""): each for each in package.iterfind(".//{*}item")}
    contents = {
        each.get("href", "").partition("#")[0]
        for each in package.iterfind(".//{*}reference")
        if each.get("type") == "toc"
    }
    names: dict[str, None] = {}
    for reference in package.iterfind(".//{*}itemref"):
        item = items.get(reference.get("idref", ""))
        if item is None or item.get("media-type") not in CHAPTERS:
            continue
        href = item.get("href", "").partition("#")[0]
        if "nav" not in item.get("properties", "").split() and href not in contents:
            names[posixpath.normpath(posixpath.join(folder, unquote(href)))] = None
    return list(names)[:MOST_CHAPTERS]


def _chapters(container: Container, names: list[str]) -> tuple[list[Stretch], list[str]]:
    stretches: list[Stretch] = []
    problems: list[str] = []
    encrypted = set(_encrypted(container))
    remaining = LARGEST_BOOK
    for name in names:
        if name in encrypted:
            raise EncryptedFile(source=container.source)
        try:
            data = b"".join(container.chunks(name, min(LARGEST_CHAPTER, max(remaining, 1)), MOST_TAGS))
            remaining -= len(data)
            chapter = _chapter(data, f"{container.source}/{name}", container.members[name.lower()].filename)
        except (UnpackedTooLarge, EncryptedFile):
            raise
        except DocumentError as problem:
            problems.append(f"a chapter was left out: {problem}")
            continue
        if stretches and chapter.encoding != stretches[0].encoding:
            problems.append(f"{name} was left out: it is in {chapter.encoding}, not in {stretches[0].encoding}")
        elif chapter.blocks:
            stretches.append(chapter)
    return stretches, problems


def _chapter(data: bytes, source: str, name: str) -> Stretch:
    decoded = charsets.decode(data, source)
    page = html.render(decoded.text, is_xml=True)
    starts, ends = html.in_bytes(page, byte_offsets(decoded.text, decoded.encoding, decoded.bom))
    return Stretch(page.text, page.blocks, starts, ends, decoded.encoding, name)


def _encrypted(container: Container) -> Iterator[str]:
    """Members that only a reader with a key can read; fonts are often scrambled, chapters are not."""
    tree = container.tree_if_present(ENCRYPTION)
    if tree is not None:
        yield from (unquote(each.get("URI", "")) for each in tree.iterfind(".//{*}CipherReference"))


def _said(package: Element, name: str) -> str | None:
    """What Dublin Core says, the first of each."""
    values = ("".join(each.itertext()).split() for each in package.iterfind(f".//{{*}}{name}"))
    return next((" ".join(value) for value in values if value), None)
