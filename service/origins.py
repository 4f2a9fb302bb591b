"""Web origins, in the one form in which browsers send them."""

from __future__ import annotations

import re

from service.errors import BadSetting

ORIGIN = re.compile(r"(https?)://([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")
USUAL_PORTS = {"http": "80", "https": "443"}


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
