"""The API keys of an index: scopes, collections and expiry.

A key is `pincite_ID_SECRET`: a public id for look-up, and 256 random bits. Only its hash is stored. Passwords need a
slow, salted hash because they can be guessed; 256 random bits cannot, so SHA-256 is as safe and takes microseconds.

A page token is a key that can only read, for pages of one origin, for a short time. It is stored like any key, so it
can be revoked, preflight requests are answered from the same list, and there is no signing secret to steal.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock
from msgspec import Struct

from index.storage.disk import refused_by_disk
from service.errors import KeyExpired, KeyNotFound, KeysUnusable, KeyUnknown

Scope = Literal["ask", "read", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("ask", "read", "write", "admin")
READ_ONLY: tuple[Scope, ...] = ("ask", "read")

KEY = re.compile(r"pincite_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
Stamp = tuple[int, int, int, int]


class Key(Struct, frozen=True, kw_only=True):
    """`hash`: SHA-256 of the whole key. `collections`: None for all. `origin`: of the pages that a token is for."""

    id: str
    hash: str
    scopes: tuple[Scope, ...]
    collections: tuple[str, ...] | None
    origin: str | None
    name: str
    made: datetime
    expires: datetime | None

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of `keys.json`."""

    format: Literal[1]
    keys: tuple[Key, ...]


class Keyring:
    """The keys in a file that several processes read and change. Thread-safe.

    Changes by another process take effect at the next call.
    """

    def __init__(self, path: Path | None) -> None:
        """Without a `path` there are no keys, and none can be created."""
        self.path = path
        self._read: tuple[Stamp, dict[str, Key]] | None = None

    @property
    def configured(self) -> bool:
        """Whether keys are required: from the first key on, even if all are revoked or the file is damaged or lost."""
        try:
            self.present()
        except KeysUnusable:
            return True
        return self._read is not None

    def usable(self) -> bool:
        """Whether there is a key, other than a token of a page, that has not expired. Raises KeysUnusable."""
        now = datetime.now(UTC)
        return any(key.origin is None and not key.expired(now) for key in self.present().values())

    def find(self, text: str) -> Key:
        """The key with this text. Raises KeyUnknown, KeyExpired or KeysUnusable."""
        matched = KEY.fullmatch(text)
        key = self.present().get(matched[1]) if matched else None
        if key is None or not hmac.compare_digest(key.hash, hash_of(text)):
            raise KeyUnknown
        if key.expires is not None and key.expired(datetime.now(UTC)):
            raise KeyExpired(expired=key.expires.isoformat())
        return key

    def has_page(self, origin: str) -> bool:
        """Whether a valid page token exists for this origin."""
        now = datetime.now(UTC)
        try:
            return any(key.origin == origin and not key.expired(now) for key in self.present().values())
        except KeysUnusable:
            return False

    def listed(self) -> list[Key]:
        """All keys, oldest first. Raises KeysUnusable."""
        return sorted(self.present().values(), key=lambda key: (key.made, key.id))

    def make(
        self,
        scopes: Iterable[Scope],
        *,
        collections: Sequence[str] = (),
        origin: str | None = None,
        name: str = "",
        expires: datetime | None = None,
    ) -> tuple[str, Key]:
        """Create a key and return its text, which is not stored. Raises KeysUnusable and the disk's errors."""
        number = secrets.token_hex(8)
        text = f"pincite_{number}_{secrets.token_urlsafe(32)}"
        key = Key(
            id=number,
            hash=hash_of(text),
            scopes=tuple(scope for scope in SCOPES if scope in set(scopes)),
            collections=tuple(sorted(set(collections))) or None,
            origin=origin,
            name=name,
            made=datetime.now(UTC),
            expires=expires,
        )
        self._change(add=key)
        return text, key

    def revoke(self, number: str) -> None:
        """Revoke a key. Raises KeyNotFound, KeysUnusable, StorageFull or StorageReadOnly."""
        self._change(remove=number)

    def present(self) -> dict[str, Key]:
        """The keys by id, re-read if the file changed. Raises KeysUnusable."""
        if self.path is None:
            return {}
        try:
            status = self.path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
            if self._read is None or self._read[0] != stamp:
                keys = msgspec.json.decode(self.path.read_bytes(), type=File).keys
                self._read = stamp, {key.id: key for key in keys}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise KeysUnusable(path=self.path, reason=os.strerror(error.errno or 0).lower()) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise KeysUnusable(path=self.path, reason=f"the file is damaged ({error})") from error
        return self._read[1]

    def _change(self, *, add: Key | None = None, remove: str | None = None) -> None:
        """Replace the file atomically, without expired tokens."""
        if self.path is None:
            raise KeysUnusable(path="no folder", reason="the index is in memory only")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock")):
                present = self.present()
                if remove is not None and remove not in present:
                    raise KeyNotFound(id=remove)
                now = datetime.now(UTC)
                remaining = [
                    key for key in present.values() if not (key.origin and key.expired(now)) and key.id != remove
                ]
                write(self.path, msgspec.json.encode(File(1, (*remaining, *([add] if add else [])))))
        except OSError as error:
            raise refused_by_disk(error, self.path.parent) from error


def write(path: Path, content: bytes) -> None:
    """Replace a file atomically, readable by its owner only."""
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as file:  # noqa: PTH123  # a Path opens with the rights that everyone gets
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()
