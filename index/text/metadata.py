"""What a document's date and address may be."""

from __future__ import annotations

import re
from datetime import date, datetime
from urllib.parse import urlsplit

DATE = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?")
LONGEST_URL = 2000  # code points


def is_date(value: str) -> bool:
    """A year, a month or a day of ISO 8601, or a time of RFC 3339.

    >>> [is_date(each) for each in ("2024", "2024-02-29", "2023-02-29", "2024-02-29T10:00:00Z", "yesterday")]
    [True, True, False, True, False]
    """
    try:
        if DATE.fullmatch(value):
            date.fromisoformat((value + "-01-01")[:10])
        else:
            datetime.fromisoformat(value)
            return len(value) > 10 and value[4] == value[7] == "-"
    except ValueError:
        return False
    return True


def is_url(value: str) -> bool:
    """An address that a link may lead to: http or https with a host, or mailto.

    >>> is_url("https://example.org/a"), is_url("javascript:alert(1)"), is_url("mailto:a@example.org")
    (True, False, True)
    """
    if len(value) > LONGEST_URL or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        return False
    if parts.scheme.lower() == "mailto":
        return "@" in parts.path
    return parts.scheme.lower() in ("http", "https") and bool(host)
