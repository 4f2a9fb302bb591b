"""Seals: how a derived file tells that it is whole.

A file of ours ends with a record of what is in it, a mark, and the hash of all before the mark; readers of the file
never get that far. tantivy ends its files with a footer of its own, which holds a CRC.
"""

from __future__ import annotations

import json
import zlib
from hashlib import blake2b
from pathlib import Path

MARK = b"pincite seal 1\n\0"
DIGEST = 16  # bytes
RECORD = 256  # bytes, filled up with spaces
CHUNK = 1 << 20
SMALL = 64_000_000  # bytes, read in less than a tenth of a second
TANTIVY_MAGIC = 1337
TANTIVY_PARTS = (".term", ".idx", ".pos", ".fast", ".fieldnorm", ".store")


def seal(path: Path, record: bytes) -> None:
    """End a file with a record, of up to RECORD bytes, and its seal."""
    with path.open("ab") as file:
        file.write(record.ljust(RECORD))
    digest = digest_of(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(MARK + digest)


def sealed(path: Path) -> bool:
    """Whether a file was written to its end, which its last bytes tell; a small one is read whole."""
    return intact(path) if size_of(path) <= SMALL else seal_of(path) is not None


def intact(path: Path) -> bool:
    """Whether every byte of a file is as it was sealed."""
    digest = seal_of(path)
    return digest is not None and digest == digest_of(path, size_of(path) - len(MARK) - DIGEST)


def recorded(path: Path) -> bytes:
    """The record that a file was sealed with."""
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
    """What is wrong with the files of a tantivy index: missing or short, and damaged where `contents` are read."""
    while True:
        described = described_in(folder)
        told = flaws_of(folder, described, contents=contents)
        if not told or described_in(folder) == described:  # else a writer has put other files in their place
            return told


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
    told = []
    for name in names:
        footer = footer_of(folder / name)
        if footer is None:
            told.append(f"{name} is missing or cut short")
        elif contents and crc_of(folder / name, footer[0]) != footer[1]:
            told.append(f"{name} is damaged")
    return told


def remove_unfinished(folder: Path) -> None:
    """Remove the lists of deletes that a crash left before they were committed. Only a writer to be may.

    tantivy names them by a count that goes on from the last commit, and does not write over a file.
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
    """The files that a segment of `meta.json` is made of."""
    name = str(segment["segment_id"]).replace("-", "")
    deletes = segment.get("deletes")
    removed = [f"{name}.{deletes['opstamp']}.del"] if isinstance(deletes, dict) else []
    return [name + part for part in TANTIVY_PARTS] + removed


def footer_of(path: Path) -> tuple[int, int] | None:
    """(bytes before the footer, their CRC), or None where there is no footer."""
    tail = tail_of(path, 4096)
    length, magic = int.from_bytes(tail[-8:-4], "little"), int.from_bytes(tail[-4:], "little")
    if magic != TANTIVY_MAGIC or not 0 < length <= len(tail) - 8:
        return None
    try:
        return path.stat().st_size - 8 - length, int(json.loads(tail[-8 - length : -8])["crc"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def crc_of(path: Path, size: int) -> int | None:
    """None where the file is gone."""
    crc = 0
    try:
        with path.open("rb") as file:
            while size > 0 and (part := file.read(min(CHUNK, size))):
                crc = zlib.crc32(part, crc)
                size -= len(part)
    except FileNotFoundError:
        return None
    return crc
