"""Front matter: the YAML between `---` or the TOML between `+++` at the top of a file.

Only scalars at the top level are taken; a list of scalars becomes one value with commas. Nothing in it is ever executed
or looked up: YAML is read by its safe loader, and what cannot be read gives nothing.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Mapping

from msgspec import Struct

from index.text.metadata import is_date, is_url

LARGEST = 64_000  # code points; anything longer is not the head of a document
NEWLINE = r"(?:\r\n?|\n)"
YAML = re.compile(rf"\A---[ \t]*{NEWLINE}(?P<body>(?:[^\r\n]*{NEWLINE})*?)(?:---|\.\.\.)[ \t]*(?:{NEWLINE}|\Z)")
TOML = re.compile(rf"\A\+\+\+[ \t]*{NEWLINE}(?P<body>(?:[^\r\n]*{NEWLINE})*?)\+\+\+[ \t]*(?:{NEWLINE}|\Z)")
FIELD = re.compile(r"^([A-Za-z_][\w-]*):[ \t]+(\S.*)$", re.MULTILINE)  # what is read of YAML that is broken
MOST_META = 50
LONGEST_VALUE = 1000  # code points
ALIAS = re.compile(r"(?:^|[\s\[,{])[&*][\w-]+", re.MULTILINE)


class FrontMatter(Struct, frozen=True):
    """`end`: where the text of the document begins, in code points."""

    end: int = 0
    title: str | None = None
    url: str | None = None
    date: str | None = None
    meta: dict[str, str] = {}


def front_matter(text: str) -> FrontMatter:
    r"""`"---\ntitle: Night\n---\nIt is dark."` -> title "Night", end 20."""
    for pattern, load in ((YAML, yaml_fields), (TOML, toml_fields)):
        match = pattern.match(text, 0, LARGEST)
        if match:
            fields = load(match["body"].replace("\r\n", "\n").replace("\r", "\n"))
            return FrontMatter(
                end=match.end(),
                title=fields.pop("title", None),
                url=fields.pop("url") if is_url(fields.get("url", "")) else None,
                date=fields.pop("date") if is_date(fields.get("date", "")) else None,
                meta=fields,
            )
    return FrontMatter()


def yaml_fields(body: str) -> dict[str, str]:
    import yaml

    if ALIAS.search(body):  # anchors and aliases can make a small file huge, and front matter has no use for them
        return {}
    try:
        return scalars(yaml.load(body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))  # noqa: S506  both are safe
    except (yaml.YAMLError, ValueError, RecursionError):
        return {name.lower(): value.strip().strip("\"'") for name, value in FIELD.findall(body)[:MOST_META]}


def toml_fields(body: str) -> dict[str, str]:
    try:
        return scalars(tomllib.loads(body))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def scalars(loaded: object) -> dict[str, str]:
    fields: dict[str, str] = {}
    if not isinstance(loaded, Mapping):
        return fields
    for name, value in loaded.items():
        values = value if isinstance(value, list) else [value]
        words = [word for each in values if (word := as_text(each)) is not None]
        if isinstance(name, str) and words and len(words) == len(values) and len(fields) < MOST_META:
            fields[name.lower()] = ", ".join(words)[:LONGEST_VALUE]
    return fields


def as_text(value: object) -> str | None:
    """A scalar as people write it; None for what is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return str(value).strip() or None
    return None
