"""Open Packaging Conventions: relationships between the parts of a DOCX, PPTX or XLSX, and its properties."""

from __future__ import annotations

from posixpath import basename, dirname, join, normpath
from urllib.parse import unquote

from msgspec import Struct

from index.errors import DamagedFile
from index.text.formats.containers import Container, Element

RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
OFFICE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
# ISO's strict variant has other namespaces for the same vocabulary.
STRICT = "{http://purl.oclc.org/ooxml/"
TRANSITIONAL = {
    "wordprocessingml/main": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "spreadsheetml/main": "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "presentationml/main": "http://schemas.openxmlformats.org/presentationml/2006/main",
    "drawingml/main": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "drawingml/diagram": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "officeDocument/math": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "officeDocument/relationships": OFFICE[1:-1],
}
DC = "{http://purl.org/dc/elements/1.1/}"
DCTERMS = "{http://purl.org/dc/terms/}"
CORE = "{http://schemas.openxmlformats.org/package/2006/metadata/core-properties}"
PROPERTIES = {
    f"{DC}title": "title",
    f"{DC}creator": "author",
    f"{DC}subject": "subject",
    f"{DC}language": "language",
    f"{CORE}keywords": "keywords",
    f"{CORE}category": "category",
    f"{DCTERMS}created": "created",
    f"{DCTERMS}modified": "modified",
}


class Relationship(Struct, frozen=True):
    kind: str  # the last word of its type: "slide", "footnotes"
    target: str  # a part of the package


class Package(Container):
    """A container whose parts are found through relationships."""

    def tree(self, name: str) -> Element:
        """Like the container's `tree`, always in the transitional vocabulary."""
        root = super().tree(name)
        if root.tag.startswith(STRICT):
            for element in root.iter():
                element.tag = _transitional(element.tag)
                for key, value in element.items():
                    element.set(_transitional(key), value)
        return root

    def relationships(self, part: str) -> dict[str, Relationship]:
        """The relationships of a part inside the package, by identifier."""
        root = self.tree_if_present(join(dirname(part), "_rels", f"{basename(part)}.rels"))
        return {
            each.get("Id", ""): Relationship(basename(each.get("Type", "")), _absolute(part, each.get("Target", "")))
            for each in (() if root is None else root.iter(RELATIONSHIP))
            if each.get("TargetMode") != "External"
        }

    def related(self, part: str, kind: str) -> str | None:
        """The part of a kind that `part` refers to, or None."""
        targets = (each.target for each in self.relationships(part).values() if each.kind == kind)
        return next((target for target in targets if target in self), None)

    def main(self, default: str) -> str:
        """The main part. Raises DamagedFile."""
        part = self.related("", "officeDocument") or default
        if part not in self:
            raise DamagedFile(source=self.source, reason=f"it has no part {default}")
        return part

    def properties(self) -> dict[str, str]:
        """Title, author, language, times and so on, if present."""
        part = self.related("", "core-properties")
        return properties(self.tree(part), PROPERTIES) if part else {}


def properties(root: Element, names: dict[str, str]) -> dict[str, str]:
    """The texts of the elements in `names`: the first non-blank one of each."""
    values: dict[str, str] = {}
    for element in root.iter():
        name = names.get(element.tag)
        if name and (text := (element.text or "").strip()):
            values.setdefault(name, text)
    return values


def _absolute(part: str, target: str) -> str:
    """Resolve a target: `ppt/slides/slide1.xml`, `../media/a.png` -> `ppt/media/a.png`."""
    return normpath(join("/", dirname(part), unquote(target).replace("\\", "/"))).lstrip("/")


def _transitional(name: str) -> str:
    space, _, local = name.removeprefix(STRICT).partition("}")
    return f"{{{TRANSITIONAL[space]}}}{local}" if name.startswith(STRICT) and space in TRANSITIONAL else name
