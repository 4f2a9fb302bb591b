"""Errors of the client.

PinciteError
└── ClientError
    ├── Unreachable      no connection, or it was lost
    ├── NotPincite       something else answers at this address
    └── Refused          the service returned a problem; `facts` has all its members
        ├── BadRequest   400, 405, 406, 413, 415, 416, 422: the caller can correct the request
        ├── NotAllowed   401, 403
        ├── NotFound     404
        ├── Conflict     409, 412
        ├── Gone         410
        ├── Busy         429, 503: try again later
        └── Failed       any other 5xx
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from index.errors import PinciteError

TYPE = "urn:pincite:problem:"


class ClientError(PinciteError):
    message = "The service cannot be used."


class Unreachable(ClientError):
    message = "{url} cannot be reached: {reason}"


class NotPincite(ClientError):
    message = "{url} answered {status} to {path}, but not as Pincite does: {reason}"


class Refused(ClientError):
    """`facts` has `status`, `name`, `title`, `detail`, `request_id`, and the problem's other members.

    >>> error.facts["name"], error.facts["source"]
    ('unknown-document', 'news/a.txt')
    """

    message = "{title} ({status}). {detail}"


class BadRequest(Refused):
    pass


class NotAllowed(Refused):
    pass


class NotFound(Refused):
    pass


class Conflict(Refused):
    pass


class Gone(Refused):
    pass


class Busy(Refused):
    pass


class Failed(Refused):
    pass


KINDS: dict[int, type[Refused]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Conflict,
    429: Busy,
    503: Busy,
}


def refusal(status: int, body: bytes) -> Refused:
    """The error for a response: a problem of the service, or a response of a proxy in between."""
    try:
        problem = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        problem = {"detail": body[:500].decode(errors="replace")}
    return error_of(problem | {"status": status})


def error_of(problem: Mapping[str, object]) -> Refused:
    """The error for the members of a problem."""
    further = {name: value for name, value in problem.items() if name not in ("type", "instance")}
    facts: dict[str, object] = {
        "title": "The request was rejected",
        "detail": "",
        "status": 500,
        **further,
        "name": str(problem.get("type", "")).removeprefix(TYPE),
        "request_id": str(problem.get("instance", "")).removeprefix("urn:uuid:"),
    }
    status = facts["status"] if isinstance(facts["status"], int) else 500
    return KINDS.get(status, BadRequest if status < 500 else Failed)(**facts)
