"""The pages that may ask: origins listed by whoever runs the service, and those that tokens are for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from litestar.config.cors import CORSConfig

from service.auth.keys import Keyring
from service.errors import BadSetting

ORIGIN = re.compile(r"(https?)://([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")
USUAL_PORTS = {"http": "80", "https": "443"}
EXPOSED = ["ETag", "Content-Range", "Retry-After", "X-Request-Id"]


def origin_of(text: str, setting: str) -> str:
    """An origin in the one form in which browsers send it. Raises BadSetting, naming the setting.

    >>> origin_of("https://Example.com:443/", "--origin")
    'https://example.com'
    """
    matched = ORIGIN.fullmatch(text.lower().removesuffix("/"))
    if not matched or int(matched[3] or 1) > 0xFFFF:
        expected = "an origin such as https://example.com, its host in ASCII, without a path or a wildcard"
        raise BadSetting(variable=setting, value=text, expected=expected)
    scheme, host, port = matched.groups()
    return f"{scheme}://{host}" + (f":{port}" if port and port != USUAL_PORTS[scheme] else "")


class Pages(CORSConfig):
    """CORS, closed but for `listed` origins and those of tokens that are good now.

    Methods and headers are left open: what a request may do depends on its key alone. There are no cookies.
    """

    def __init__(self, listed: Sequence[str], keys: Keyring) -> None:
        super().__init__(allow_origins=list(listed), expose_headers=EXPOSED)
        self._keys = keys

    def is_origin_allowed(self, origin: str) -> bool:
        return origin in self.allow_origins or self._keys.has_page(origin)
