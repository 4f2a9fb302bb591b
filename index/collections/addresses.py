"""Addresses of stores: `milvus+http://host:19530/database`, `milvus+https://…`, `milvus+file:PATH`."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from index.errors import BadStore

FILE = "milvus+file:"
REMOTE = {"milvus+http": "http", "milvus+https": "https"}
PORT = 19530
DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


class Address(Struct, frozen=True):
    """The address of a store. `str` and all messages leave out its secret."""

    uri: str  # http://host:port or https://host:port; or the folder of the embedded engine
    database: str = ""  # "" for the embedded engine
    secret: str = ""  # user:password, or a token

    @property
    def embedded(self) -> bool:
        return not self.database

    @property
    def text(self) -> str:
        """The full address with the secret, for a subprocess of ours."""
        return f"{FILE}{self.uri}" if self.embedded else f"milvus+{self.uri}/{self.database}"

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Address({self})"

    @classmethod
    def read(cls, url: str, secret: str = "") -> Address:
        """Parse an address; `secret` is used if it contains none. Raises BadStore without quoting secrets.

        >>> Address.read("milvus+http://root:Milvus@localhost/docs")
        Address(milvus+http://localhost:19530/docs)
        """
        if url.startswith(FILE):
            path = url.removeprefix(FILE)
            path = path.removeprefix("//") if path.startswith("///") else path
            if not path or "\0" in path:
                raise BadStore(reason="milvus+file: needs a path")
            return cls(path)
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise BadStore(reason="its host or port is invalid") from error
        if parts.scheme not in REMOTE or not host or parts.query or parts.fragment:
            raise BadStore(reason="it is not a store address")
        database = parts.path.strip("/") or "default"
        if not DATABASE.fullmatch(database):
            raise BadStore(reason="the database name may only have letters, digits and underscores")
        named = ":".join(unquote(part) for part in (parts.username, parts.password) if part)
        host_part = f"[{host}]" if ":" in host else host
        return cls(f"{REMOTE[parts.scheme]}://{host_part}:{port or PORT}", database, named or secret)
