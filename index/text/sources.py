"""Sources: the names of documents, finding files in folders, and selecting by patterns."""

from __future__ import annotations

import os
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import takewhile
from operator import itemgetter
from pathlib import Path

import re2
from msgspec import Struct

from index.errors import BadPattern, BadSource, DocumentError, SourceConflict

LONGEST_SOURCE = 1024  # bytes in UTF-8
WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
TOKEN = re.compile(r"\\[*?\[\]\\]|\[(?P<bracketed>[*?\[])\]|\*\*/|\*\*|.", re.DOTALL)
LONGEST_PATTERN = 1000  # code points
LOOK_ALIKES = re.compile(r"[∕⁄／⧸╱＼∖⧵﹨]")  # look like a slash or backslash, and would suggest another path
DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:\..*)?", re.IGNORECASE)
DRIVE = re.compile(r"[A-Za-z]:")


class FoundFile(Struct, frozen=True):
    source: str
    path: Path
    origin: str  # the folder or file given by the user


class FoundFiles(Struct, frozen=True):
    """The files by source; those whose names are invalid sources; links that are not followed."""

    files: list[FoundFile]
    failed: list[DocumentError]
    skipped: list[str]


def find_files(roots: Sequence[Path]) -> FoundFiles:
    """The files in the given folders, and the given files.

    Hidden files and folders are left out. Links to folders, and links that lead out of the given folder or nowhere, are
    not followed. Raises SourceConflict if two have the same source.
    """
    files: dict[str, FoundFile] = {}
    failed: list[DocumentError] = []
    skipped: list[str] = []
    for root in roots:
        origin = root.resolve()
        for source, path in files_under(origin):
            if path.is_symlink() and not leads_to_file_in(origin, path):
                skipped.append(source)
                continue
            try:
                check_source(source)
            except BadSource as error:
                failed.append(error)
                continue
            other = files.setdefault(source, FoundFile(source, path, str(origin)))
            if other.path != path:
                raise SourceConflict(source=source, first=other.origin, second=str(origin))
    return FoundFiles([files[source] for source in sorted(files)], failed, skipped)


def leads_to_file_in(folder: Path, link: Path) -> bool:
    return link.is_file() and link.resolve().is_relative_to(folder)


def files_under(root: Path) -> Iterator[tuple[str, Path]]:
    """The files and the links under a folder, by source; or the one file."""
    if root.is_file():
        yield root.name, root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted([*names, *links]):
            path = Path(folder, name)
            if not name.startswith(".") and (path.is_file() or path.is_symlink()):
                yield path.relative_to(root).as_posix(), path


def file_of(origin: str, source: str) -> Path:
    """The file that `source` was built from, for the given `origin`."""
    root = Path(origin)
    return root / source if root.is_dir() or root.name != source else root


def check_source(source: str) -> None:
    """Raise BadSource unless `source` is a relative path with the same meaning on all systems."""
    segments = source.split("/")
    reason = None
    if not source.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") for c in source):
        reason = "it has control characters or is not valid Unicode"
    elif len(source.encode()) > LONGEST_SOURCE:
        reason = f"it is longer than {LONGEST_SOURCE} bytes"
    elif not all(segments):
        reason = "it has an empty part, or starts or ends with a slash"
    elif {".", ".."}.intersection(unicodedata.normalize("NFKC", segment) for segment in segments):
        reason = "it has '.' or '..' as a part"
    elif "\\" in source or LOOK_ALIKES.search(source):
        reason = "it has a backslash, or a look-alike of a slash or backslash"
    elif DRIVE.match(source) or any(DEVICE.fullmatch(segment) for segment in segments):
        reason = "it is the name of a drive or device on some systems"
    if reason:
        raise BadSource(source=source, reason=reason)


def select(patterns: Sequence[str], sources: Sequence[str]) -> list[int]:
    """The positions of sources, in code point order, that match a pattern: `*`, `?` stay in a segment, `**` crosses.

    Only sources with the pattern's literal prefix are examined. The time is linear in patterns and sources.
    """
    places: set[int] = set()
    for pattern in patterns:
        match = matcher(pattern)
        begin = beginning(pattern)
        start = bisect_left(sources, begin)
        if not any(token in WILDCARDS for token in tokens(pattern)):
            places.update(range(start, start + (sources[start : start + 1] == [begin])))
            continue
        end = bisect_right(sources, begin, key=itemgetter(slice(len(begin))))
        every = [*tokens(pattern)] == [*begin, "**"]
        places.update(place for place in range(start, end) if every or match.fullmatch(sources[place]))
    return sorted(places)


def tokens(pattern: str) -> Iterator[str]:
    r"""Wildcards, and code points; an escaped one as backslash and code point: `a\*b*` -> `a`, `\*`, `b`, `*`.

    `[*]`, `[?]` and `[[]` are escapes as well, as in a shell.
    """
    for match in TOKEN.finditer(pattern):
        yield f"\\{match['bracketed']}" if match["bracketed"] else match[0]


def beginning(pattern: str) -> str:
    """The literal prefix of all sources that match a pattern: "news/2*.md" -> "news/2"."""
    return "".join(map(literal, takewhile(lambda token: token not in WILDCARDS, tokens(pattern))))


def literal(token: str) -> str:
    return token[-1]


def matcher(pattern: str) -> re2._Regexp:
    if len(pattern) > LONGEST_PATTERN:
        raise BadPattern(pattern=pattern[:40] + "…", reason=f"it is longer than {LONGEST_PATTERN} characters")
    expression = "".join(WILDCARDS.get(token) or re2.escape(literal(token)) for token in tokens(pattern))
    try:
        return re2.compile(f"(?s){expression}")
    except re2.error as error:
        raise BadPattern(pattern=pattern, reason=str(error)) from error
