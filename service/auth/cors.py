"""CORS: origins listed in the configuration, and the origins of valid page tokens."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.config.cors import CORSConfig

from service.auth.keys import Keyring

EXPOSED = ["ETag", "Content-Range", "Retry-After", "X-Request-Id", "X-Page-Size", "X-Page-Count"]


class Pages(CORSConfig):
    """A CORS policy that allows only the `listed` origins and those of valid page tokens.

    Methods and headers are not restricted: what a request may do depends on its key alone. There are no cookies.
    """

    def __init__(self, listed: Sequence[str], keys: Keyring) -> None:
        super().__init__(allow_origins=list(listed), expose_headers=EXPOSED)
        self._keys = keys

    def is_origin_allowed(self, origin: str) -> bool:
        return origin in self.allow_origins or self._keys.has_page(origin)
