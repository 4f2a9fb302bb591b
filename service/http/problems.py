"""From an error to its answer: one table, which the documentation prints as well."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from litestar import Request, Response
from litestar.datastructures import MutableScopeHeaders, State
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.types import Message, Scope
from litestar.utils.path import normalize_path

from index.errors import (
    BadCollectionName,
    BadPattern,
    BadSource,
    BeyondStore,
    CollectionExists,
    CollectionNotFound,
    CollectionNotMade,
    DefaultCollection,
    DocumentError,
    DocumentNotFound,
    DocumentTooLarge,
    IndexLocked,
    IndexProblem,
    ModelError,
    PinciteError,
    StorageFull,
    StorageReadOnly,
    StoreRefused,
    StoreUnavailable,
    UndecodableFile,
)
from service import errors
from service.auth.callers import AccessProblem, Caller

logger = logging.getLogger("pincite")

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:pincite:problem:"
STORE_RETRY_S = 5  # after which to ask a store again that did not answer
GONE = "client disconnected prematurely"  # what the framework says of a body that does not end
NO_CONTENT = 204
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")

AppRequest = Request[Caller, AccessProblem | None, State]


class Kind(NamedTuple):
    """A type of problem. Only the facts named here leave the service: others may hold paths."""

    status: int
    name: str
    title: str
    facts: tuple[str, ...] = ()
    detail: str | None = None  # where the error's own message must not leave the service


FAILED = "The service failed. Its log says why, under this request's id."
INTERNAL = Kind(500, "internal", "The service failed", detail=FAILED)
LIMITS = ("minimum", "maximum")
FULL = "The disk of the index is full. Nothing was changed."
READ_ONLY = "The index cannot be written to now. Nothing was changed."
LOCKED = "A build is writing to the collection. Try again when it is done."
AWAY = "What the collections are stored in does not answer. Nothing was half changed."
REFUSED = "What the collections are stored in refuses. The log of the service says why."
NO_COLLECTION = "There is no collection of this name. GET /v1/collections lists those that there are."
NOT_MADE = "The collection could not be made. The log of the service says why."
CLOSED = "The keys of the service cannot be read, so nobody is let in. The log of the service says why."
UNAVAILABLE = "The index or a model cannot be used. The log of the service says why."

KINDS: dict[type[Exception], Kind] = {
    errors.MalformedJson: Kind(400, "malformed-json", "The body is not JSON"),
    errors.BadField: Kind(400, "bad-field", "A field is missing, unknown or of the wrong type", ("field",)),
    errors.RepeatedField: Kind(400, "repeated-field", "A field is given twice", ("field",)),
    errors.BadParameter: Kind(400, "bad-parameter", "A parameter of the address cannot be used", ("parameter",)),
    errors.BadCursor: Kind(400, "bad-cursor", "The cursor is unknown"),
    errors.BadHeader: Kind(400, "bad-header", "A header cannot be read"),
    errors.BadPath: Kind(400, "bad-path", "The path is not percent-encoded UTF-8"),
    errors.KeyMissing: Kind(401, "key-missing", "A key is needed"),
    errors.KeyUnknown: Kind(401, "key-unknown", "The key is not known"),
    errors.KeyExpired: Kind(401, "key-expired", "The key has expired", ("expired",)),
    errors.ScopeMissing: Kind(403, "scope-missing", "The key lacks a scope", ("scope",)),
    errors.CollectionForbidden: Kind(403, "collection-forbidden", "The key is for other collections", ("collection",)),
    errors.OriginForbidden: Kind(403, "origin-forbidden", "The key is for pages of another origin"),
    errors.OriginNotListed: Kind(403, "origin-not-listed", "Pages of this origin may not ask"),
    errors.ForeignRequest: Kind(403, "foreign-address", "The request comes from another machine"),
    errors.ForeignHost: Kind(403, "foreign-host", "The Host header names another machine"),
    errors.ForeignOrigin: Kind(403, "foreign-origin", "The request comes from a page of another machine"),
    CollectionNotFound: Kind(404, "unknown-collection", "There is no such collection", ("collection",), NO_COLLECTION),
    DocumentNotFound: Kind(404, "unknown-document", "There is no such document", ("source", "collection")),
    errors.UnknownPath: Kind(404, "unknown-path", "There is nothing at this path"),
    errors.WrongMethod: Kind(405, "wrong-method", "The path does not take this method", ("allowed",)),
    errors.NotAcceptable: Kind(406, "not-acceptable", "The Accept header leaves the format out", ("produced",)),
    CollectionExists: Kind(409, "collection-exists", "It is there, with another encoder", ("collection",)),
    DefaultCollection: Kind(409, "default-collection", "This collection cannot be dropped", ("collection",)),
    IndexLocked: Kind(409, "being-built", "A build is writing to the collection", detail=LOCKED),
    errors.VersionGone: Kind(410, "version-gone", "This version is not kept", ("source", "present")),
    errors.PreconditionFailed: Kind(
        412, "precondition-failed", "The document is not as expected", ("source", "present")
    ),
    DocumentTooLarge: Kind(413, "document-too-large", "The document is too large", ("source", "bytes", "limit")),
    BeyondStore: Kind(413, "beyond-store", "A part of the document is too large", ("source", "part", "bytes", "limit")),
    DocumentError: Kind(
        415, "unreadable-document", "The document cannot be read", ("source", "media_type", "encoding")
    ),
    BadCollectionName: Kind(422, "bad-collection", "The name cannot be used", ("collection",)),
    errors.UnknownEncoder: Kind(422, "unknown-encoder", "There is no such encoder", ("encoder",)),
    errors.UnknownTokens: Kind(422, "unknown-encoding", "Tokens cannot be counted in it", ("encoding", "known")),
    UndecodableFile: Kind(422, "undecodable-document", "The document is not in its encoding", ("source", "encoding")),
    BadSource: Kind(422, "bad-source", "The source cannot name a document", ("source", "reason")),
    StorageFull: Kind(507, "storage-full", "The disk is full", detail=FULL),
    StorageReadOnly: Kind(503, "storage-read-only", "The index cannot be written to", detail=READ_ONLY),
    errors.BodyTooLarge: Kind(413, "too-large", "The body is too large", ("limit",)),
    errors.UnsupportedMedia: Kind(415, "unsupported-media", "The body cannot be read", ("given", "expected")),
    errors.RangeNotSatisfiable: Kind(416, "range-not-satisfiable", "The range lies outside of the file", ("bytes",)),
    errors.NumberOutOfRange: Kind(422, "out-of-range", "A number is out of range", ("field", "value", *LIMITS)),
    errors.LengthOutOfRange: Kind(422, "bad-length", "Too short or too long", ("field", "length", *LIMITS)),
    errors.BlankText: Kind(422, "blank", "A text is blank", ("field",)),
    errors.NulCharacter: Kind(422, "nul-character", "A text contains NUL", ("field",)),
    BadPattern: Kind(422, "bad-pattern", "A pattern cannot be used", ("pattern", "reason")),
    errors.TooManyRequests: Kind(429, "too-many-requests", "Too many requests", ("retry_after",)),
    errors.KeysUnusable: Kind(503, "keys-unusable", "The keys cannot be read", detail=CLOSED),
    errors.HungUp: Kind(499, "hung-up", "The client hung up"),
    errors.TooManyUploads: Kind(503, "too-many-uploads", "Too many uploads at once", ("limit", "retry_after")),
    errors.Overloaded: Kind(503, "overloaded", "Too many questions are waiting", ("retry_after",)),
    CollectionNotMade: Kind(503, "not-made", "The collection could not be made", ("collection",), NOT_MADE),
    StoreUnavailable: Kind(503, "store-unavailable", "The store does not answer", detail=AWAY),
    StoreRefused: Kind(503, "store-refused", "The store refuses", detail=REFUSED),
    IndexProblem: Kind(503, "index-unavailable", "The index cannot be used", detail=UNAVAILABLE),
    ModelError: Kind(503, "model-unavailable", "A model cannot be used", detail=UNAVAILABLE),
}


def kind_of(error: Exception) -> Kind:
    """The nearest class in the table; an error that it does not know is the service's own failure."""
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), INTERNAL)


def problem_of(error: Exception, request_id: str) -> dict[str, object]:
    """The members of the problem, the facts among them.

    >>> problem_of(BadCursor(), "0192")["type"]
    'urn:pincite:problem:bad-cursor'
    """
    kind = kind_of(error)
    facts = error.facts if isinstance(error, PinciteError) else {}
    if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, errors.Overloaded):
        log_failure(error, request_id)
    return {
        "type": TYPE + kind.name,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.detail or str(error),
        "instance": f"urn:uuid:{request_id}",
        **{name: facts[name] for name in kind.facts if name in facts},
    }


def log_failure(error: Exception, request_id: str) -> None:
    """The stack and the error's class. A foreign message is left out: it may quote the question."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    message = str(error) if isinstance(error, PinciteError) else ""
    logger.error("request %s failed: %s %s\n%s", request_id, type(error).__name__, message, stack)


def encode_problem(error: Exception, request_id: str) -> bytes:
    return msgspec.json.encode(problem_of(error, request_id))


def headers_of(error: Exception) -> dict[str, str]:
    """The headers that belong to the answer to `error`."""
    facts = error.facts if isinstance(error, PinciteError) else {}
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{facts['bytes']}"
    if isinstance(error, errors.Overloaded | errors.TooManyRequests):
        headers["Retry-After"] = str(facts["retry_after"])
    if isinstance(error, StoreUnavailable):
        headers["Retry-After"] = str(STORE_RETRY_S)
    if isinstance(error, errors.AccessDenied):
        headers["WWW-Authenticate"] = challenge(error)
    if isinstance(error, errors.WrongMethod):
        headers["Allow"] = str(facts["allowed"])
    return headers


def challenge(error: errors.AccessDenied) -> str:
    """What a client is told about keys in a header (RFC 6750, 3).

    >>> challenge(errors.ScopeMissing(scope="write"))
    'Bearer realm="pincite", error="insufficient_scope", scope="write"'
    """
    realm = 'Bearer realm="pincite"'
    if isinstance(error, errors.KeyMissing):
        return realm
    if isinstance(error, errors.KeyUnknown | errors.KeyExpired):
        return f'{realm}, error="invalid_token"'
    scope = f', scope="{error.facts["scope"]}"' if isinstance(error, errors.ScopeMissing) else ""
    return f'{realm}, error="insufficient_scope"{scope}'


def handle(request: AppRequest, error: Exception) -> Response[bytes]:
    """The one exception handler of the service."""
    told = _in_our_words(request, error) if isinstance(error, HTTPException) else error
    return Response(
        encode_problem(told, request.scope["state"]["request_id"]),
        status_code=kind_of(told).status,
        media_type=MEDIA_TYPE,
        headers=headers_of(told),
    )


def _in_our_words(request: AppRequest, error: HTTPException) -> Exception:
    """What the framework refuses, as an error of the table."""
    told: Exception = error
    if isinstance(error, NotFoundException):
        told = errors.UnknownPath()
    elif isinstance(error, MethodNotAllowedException):
        told = errors.WrongMethod(allowed=", ".join(_methods_at(request.scope)))
    elif isinstance(error, ValidationException) and isinstance(error.extra, list):
        told = _bad_value(error.extra)
    elif isinstance(error, InternalServerException) and error.detail == GONE:
        told = errors.HungUp()
    elif error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        told = errors.BodyTooLarge(limit=request.route_handler.resolve_request_max_body_size())
    elif error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        told = errors.TooManyRequests(retry_after=max(1, int((error.headers or {})["RateLimit-Reset"])))
    elif error.status_code == HTTPStatus.BAD_REQUEST:
        told = errors.BadHeader()
    return told


def _bad_value(found: Sequence[dict[str, str]]) -> errors.RequestError:
    if found[0].get("key") == "data":
        return errors.MalformedJson(reason="it is empty")
    return errors.BadParameter(parameter=found[0].get("key"), reason="does not have the right type")


async def tell_methods(message: Message, scope: Scope) -> None:
    """Before an answer to OPTIONS is sent, name all methods: the framework names those of the first route alone."""
    if (
        message["type"] == "http.response.start"
        and scope.get("method") == "OPTIONS"
        and message["status"] == NO_CONTENT
    ):
        MutableScopeHeaders.from_message(message)["Allow"] = ", ".join(_methods_at(scope))


def _methods_at(scope: Scope) -> list[str]:
    return [method for method in METHODS if _takes(scope, method)]


def _takes(scope: Scope, method: str) -> bool:
    try:
        scope["litestar_app"].asgi_router.handle_routing(path=normalize_path(scope["path"]), method=method)
    except HTTPException:
        return method == "HEAD" and _takes(scope, "GET")
    return True
