"""Checksums of derived files, to detect truncation and damage.

A FAISS file ends with a record, a marker and the hash of everything before the marker; FAISS stops reading before them.
tantivy ends its files with a footer of its own that holds a CRC.
"""

from __future__ import annotations

import json
import zlib
from hashlib import blake2b
from pathlib import Path

MARK = b"pincite seal 1\n\0"
DIGEST = 16  # bytes
RECORD = 256  # bytes, padded with spaces
CHUNK = 1 << 20
SMALL = 64_000_000  # bytes; hashed in less than a tenth of a second
TANTIVY_MAGIC = 1337
TANTIVY_PARTS = (".term", ".idx", ".pos", ".fast", ".fieldnorm", ".store")


def seal(path: Path, record: bytes) -> None:
    """Append a record (at most RECORD bytes) and the checksum to a file."""
    with path.open("ab") as file:
        file.write(record.ljust(RECORD))
    digest = digest_of(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(MARK + digest)


def sealed(path: Path) -> bool:
    """Whether a file was written to its end. Small files are hashed; of large ones only the marker is checked."""
    return intact(path) if size_of(path) <= SMALL else seal_of(path) is not None


def intact(path: Path) -> bool:
    """Whether the contents of a file match its checksum."""
    digest = seal_of(path)
    return digest is not None and digest == digest_of(path, size_of(path) - len(MARK) - DIGEST)


def recorded(path: Path) -> bytes:
    """The record that `seal` appended."""
    return tail_of(path, RECORD + len(MARK) + DIGEST)[:RECORD].rstrip()


def seal_of(path: Path) -> bytes | None:
    tail = tail_of(path, len(MARK) + DIGEST)
    return tail[len(MARK) :] if tail.startswith(MARK) and len(tail) == len(MARK) + DIGEST else None


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def digest_of(path: Path, size: int) -> bytes:
    digest = blake2b(digest_size=DIGEST)
    with path.open("rb") as file:
        while size > 0 and (part := file.read(min(CHUNK, size))):
            digest.update(part)
            size -= len(part)
    return digest.digest()


def tail_of(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, size_of(path) - size))
            return file.read(size)
    except OSError:
        return b""


def flaws(folder: Path, *, contents: bool) -> list[str]:
    """Problems with the files of a tantivy index: missing or truncated ones; with `contents`, damaged ones too."""
    while True:
        described = described_in(folder)
        problems = flaws_of(folder, described, contents=contents)
        if not problems or described_in(folder) == described:  # otherwise a writer replaced the files meanwhile
            return problems


def described_in(folder: Path) -> bytes:
    try:
        return (folder / "meta.json").read_bytes()
    except OSError:
        return b""


def flaws_of(folder: Path, described: bytes, *, contents: bool) -> list[str]:
    try:
        names = [name for segment in json.loads(described)["segments"] for name in files_of(segment)]
    except (ValueError, KeyError, TypeError):
        return ["meta.json cannot be read"]
    problems = []
    for name in names:
        footer = footer_of(folder / name)
        if footer is None:
            problems.append(f"{name} is missing or truncated")
        elif contents and crc_of(folder / name, footer[0]) != footer[1]:
            problems.append(f"{name} is damaged")
    return problems


def remove_unfinished(folder: Path) -> None:
    """Remove the delete lists that a crash left uncommitted. Call it only before opening a writer.

    tantivy names these lists by a counter that continues from the last commit, and refuses to overwrite a file.
    """
    try:
        committed = int(json.loads(described_in(folder))["opstamp"])
    except (ValueError, KeyError, TypeError):
        return
    for path in folder.glob("*.del"):
        count = path.name.split(".")[1]
        if count.isdecimal() and int(count) > committed:
            path.unlink()


def files_of(segment: dict[str, object]) -> list[str]:
    """The files of a segment listed in `meta.json`."""
    name = str(segment["segment_id"]).replace("-", "")
    deletes = segment.get("deletes")
    removed = [f"{name}.{deletes['opstamp']}.del"] if isinstance(deletes, dict) else []
    return [name + part for part in TANTIVY_PARTS] + removed


def footer_of(path: Path) -> tuple[int, int] | None:
    """(bytes before the footer, their CRC), or None if there is no footer."""
    tail = tail_of(path, 4096)
    length, magic = int.from_bytes(tail[-8:-4], "little"), int.from_bytes(tail[-4:], "little")
    if magic != TANTIVY_MAGIC or not 0 < length <= len(tail) - 8:
        return None
    try:
        return path.stat().st_size - 8 - length, int(json.loads(tail[-8 - length : -8])["crc"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def crc_of(path: Path, size: int) -> int | None:
    """The CRC of the first `size` bytes; None if the file does not exist."""
    crc = 0
    try:
        with path.open("rb") as file:
            while size > 0 and (part := file.read(min(CHUNK, size))):
                crc = zlib.crc32(part, crc)
                size -= len(part)
    except FileNotFoundError:
        return None
    return crc
