"""Maps errors to problem responses, in one table that the documentation prints as well."""

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
    AmbiguousEncoding,
    BadCollectionName,
    BadPattern,
    BadSource,
    BeyondStore,
    BrokenUtf8,
    CollectionExists,
    CollectionNotFound,
    CollectionNotMade,
    DamagedFile,
    DefaultCollection,
    DocumentError,
    DocumentNotFound,
    DocumentTooLarge,
    DocumentTooSlow,
    EmptyDocument,
    EncryptedFile,
    IndexLocked,
    IndexProblem,
    ModelError,
    PageNotFound,
    ParserFailed,
    PinciteError,
    StorageFull,
    StorageReadOnly,
    StoreRefused,
    StoreUnavailable,
    TooManyPages,
    TooMuchText,
    UndecodableFile,
    UnpackedTooLarge,
)
from service import errors
from service.auth.callers import AccessProblem, Caller

logger = logging.getLogger("pincite")

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:pincite:problem:"
STORE_RETRY_S = 5  # Retry-After while a store is unavailable
GONE = "client disconnected prematurely"  # Litestar's message when a body ends early
NO_CONTENT = 204
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")

AppRequest = Request[Caller, AccessProblem | None, State]


class Kind(NamedTuple):
    """A problem type. Only the facts listed here leave the service; others may contain paths."""

    status: int
    name: str
    title: str
    facts: tuple[str, ...] = ()
    detail: str | None = None  # replaces the error's own message if that must stay inside


FAILED = "The service failed. Its log has the cause under this request's id."
INTERNAL = Kind(500, "internal", "The service failed", detail=FAILED)
LIMITS = ("minimum", "maximum")
FULL = "The disk of the index is full. Nothing was changed."
READ_ONLY = "The index is read-only at the moment. Nothing was changed."
LOCKED = "A build is writing to the collection. Try again when it is done."
AWAY = "The store of the collections does not respond. No change was left incomplete."
REFUSED = "The store of the collections rejected the request. The log of the service has the cause."
NO_COLLECTION = "No collection has this name. GET /v1/collections lists all collections."
NOT_MADE = "The collection could not be created. The log of the service has the cause."
CLOSED = "The keys of the service cannot be read, so all requests are rejected. The log of the service has the cause."
UNAVAILABLE = "The index or a model is unavailable. The log of the service has the cause."

KINDS: dict[type[Exception], Kind] = {
    errors.MalformedJson: Kind(400, "malformed-json", "The body is not JSON"),
    errors.BadField: Kind(400, "bad-field", "A field is missing, unknown or of the wrong type", ("field",)),
    errors.RepeatedField: Kind(400, "repeated-field", "A field is repeated", ("field",)),
    errors.BadMetadata: Kind(422, "bad-metadata", "A date or an address is invalid", ("parameter", "reason")),
    errors.BadParameter: Kind(400, "bad-parameter", "A query parameter is invalid", ("parameter",)),
    errors.BadCursor: Kind(400, "bad-cursor", "The cursor is invalid"),
    errors.BadHeader: Kind(400, "bad-header", "A header is malformed"),
    errors.BadPath: Kind(400, "bad-path", "The path is not percent-encoded UTF-8"),
    errors.KeyMissing: Kind(401, "key-missing", "A key is required"),
    errors.KeyUnknown: Kind(401, "key-unknown", "The key is unknown"),
    errors.KeyExpired: Kind(401, "key-expired", "The key has expired", ("expired",)),
    errors.ScopeMissing: Kind(403, "scope-missing", "The key lacks a scope", ("scope",)),
    errors.CollectionForbidden: Kind(403, "collection-forbidden", "The key lacks the collection", ("collection",)),
    errors.OriginForbidden: Kind(403, "origin-forbidden", "The key is for pages of another origin"),
    errors.OriginNotListed: Kind(403, "origin-not-listed", "The origin is not allowed"),
    errors.ForeignRequest: Kind(403, "foreign-address", "The request comes from another machine"),
    errors.ForeignHost: Kind(403, "foreign-host", "The Host header names another machine"),
    errors.ForeignOrigin: Kind(403, "foreign-origin", "The request comes from a page of another machine"),
    CollectionNotFound: Kind(404, "unknown-collection", "Unknown collection", ("collection",), NO_COLLECTION),
    DocumentNotFound: Kind(404, "unknown-document", "Unknown document", ("source", "collection")),
    errors.UnknownPath: Kind(404, "unknown-path", "Unknown path"),
    errors.WrongMethod: Kind(405, "wrong-method", "The path does not allow this method", ("allowed",)),
    errors.NotAcceptable: Kind(406, "not-acceptable", "The Accept header excludes the format", ("produced",)),
    CollectionExists: Kind(409, "collection-exists", "The collection exists with another encoder", ("collection",)),
    DefaultCollection: Kind(409, "default-collection", "This collection cannot be dropped", ("collection",)),
    IndexLocked: Kind(409, "being-built", "A build is writing to the collection", detail=LOCKED),
    errors.VersionGone: Kind(410, "version-gone", "The version is gone", ("source", "present")),
    errors.PreconditionFailed: Kind(
        412, "precondition-failed", "The document does not match the condition", ("source", "present")
    ),
    DocumentTooLarge: Kind(413, "document-too-large", "The document is too large", ("source", "bytes", "limit")),
    BeyondStore: Kind(413, "beyond-store", "A part of the document is too large", ("source", "part", "bytes", "limit")),
    DocumentError: Kind(
        415, "unreadable-document", "The document cannot be read", ("source", "media_type", "encoding")
    ),
    EncryptedFile: Kind(422, "encrypted-document", "The document is encrypted", ("source",)),
    DamagedFile: Kind(422, "damaged-document", "The document is damaged", ("source", "reason")),
    EmptyDocument: Kind(422, "empty-document", "The document has no text", ("source",)),
    ParserFailed: Kind(422, "parser-failed", "The document cannot be parsed", ("source", "reason")),
    UnpackedTooLarge: Kind(413, "unpacked-too-large", "The document is too large when unpacked", ("source", "limit")),
    TooManyPages: Kind(413, "too-many-pages", "The document has too many pages", ("source", "pages", "limit")),
    TooMuchText: Kind(413, "too-much-text", "The document has too much text", ("source", "limit")),
    DocumentTooSlow: Kind(422, "too-slow", "The document takes too long to read", ("source", "seconds")),
    PageNotFound: Kind(404, "unknown-page", "The document has no such page", ("source", "page", "pages")),
    errors.NoPages: Kind(415, "no-pages", "The document has no pages", ("source", "media_type")),
    BadCollectionName: Kind(422, "bad-collection", "The collection name is invalid", ("collection",)),
    errors.UnknownEncoder: Kind(422, "unknown-encoder", "The encoder is not installed", ("encoder",)),
    errors.UnknownTokens: Kind(422, "unknown-encoding", "The token encoding is not available", ("encoding", "known")),
    UndecodableFile: Kind(422, "undecodable-document", "The document is not in its encoding", ("source", "encoding")),
    BrokenUtf8: Kind(422, "broken-utf8", "A byte of the document is not UTF-8", ("source", "encoding", "offset")),
    AmbiguousEncoding: Kind(422, "ambiguous-encoding", "The encoding cannot be told", ("source", "candidates")),
    BadSource: Kind(422, "bad-source", "The document name is invalid", ("source", "reason")),
    StorageFull: Kind(507, "storage-full", "The disk is full", detail=FULL),
    StorageReadOnly: Kind(503, "storage-read-only", "The index is read-only", detail=READ_ONLY),
    errors.BodyTooLarge: Kind(413, "too-large", "The body is too large", ("limit",)),
    errors.UnsupportedMedia: Kind(415, "unsupported-media", "The media type is not supported", ("given", "expected")),
    errors.RangeNotSatisfiable: Kind(416, "range-not-satisfiable", "The range is outside the file", ("bytes",)),
    errors.NumberOutOfRange: Kind(422, "out-of-range", "A number is out of range", ("field", "value", *LIMITS)),
    errors.LengthOutOfRange: Kind(422, "bad-length", "A value is too short or too long", ("field", "length", *LIMITS)),
    errors.BlankText: Kind(422, "blank", "A text is blank", ("field",)),
    errors.NulCharacter: Kind(422, "nul-character", "A text contains a NUL character", ("field",)),
    BadPattern: Kind(422, "bad-pattern", "A pattern is invalid", ("pattern", "reason")),
    errors.TooManyRequests: Kind(429, "too-many-requests", "Too many requests", ("retry_after",)),
    errors.KeysUnusable: Kind(503, "keys-unusable", "The keys cannot be read", detail=CLOSED),
    errors.HungUp: Kind(499, "hung-up", "The client disconnected"),
    errors.TooManyUploads: Kind(503, "too-many-uploads", "Too many uploads at once", ("limit", "retry_after")),
    errors.Overloaded: Kind(503, "overloaded", "Too many questions are waiting", ("retry_after",)),
    CollectionNotMade: Kind(503, "not-made", "The collection could not be created", ("collection",), NOT_MADE),
    StoreUnavailable: Kind(503, "store-unavailable", "The store does not respond", detail=AWAY),
    StoreRefused: Kind(503, "store-refused", "The store rejected the request", detail=REFUSED),
    IndexProblem: Kind(503, "index-unavailable", "The index is unavailable", detail=UNAVAILABLE),
    ModelError: Kind(503, "model-unavailable", "A model is unavailable", detail=UNAVAILABLE),
}


def kind_of(error: Exception) -> Kind:
    """The nearest class in the table. Any other error is an internal failure."""
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), INTERNAL)


def problem_of(error: Exception, request_id: str) -> dict[str, object]:
    """The members of the problem, including the facts.

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
    """Log the stack and the error's class. Foreign messages are dropped, because they may quote a question."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    message = str(error) if isinstance(error, PinciteError) else ""
    logger.error("request %s failed: %s %s\n%s", request_id, type(error).__name__, message, stack)


def encode_problem(error: Exception, request_id: str) -> bytes:
    return msgspec.json.encode(problem_of(error, request_id))


def headers_of(error: Exception) -> dict[str, str]:
    """The headers of the response to `error`."""
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
    """The WWW-Authenticate header for a problem with a key (RFC 6750, section 3).

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
    """The only exception handler of the service."""
    problem = _in_our_words(request, error) if isinstance(error, HTTPException) else error
    return Response(
        encode_problem(problem, request.scope["state"]["request_id"]),
        status_code=kind_of(problem).status,
        media_type=MEDIA_TYPE,
        headers=headers_of(problem),
    )


def _in_our_words(request: AppRequest, error: HTTPException) -> Exception:
    """Translate Litestar's exceptions to errors of the table."""
    problem: Exception = error
    if isinstance(error, NotFoundException):
        problem = errors.UnknownPath()
    elif isinstance(error, MethodNotAllowedException):
        problem = errors.WrongMethod(allowed=", ".join(_methods_at(request.scope)))
    elif isinstance(error, ValidationException) and isinstance(error.extra, list):
        problem = _bad_value(error.extra)
    elif isinstance(error, InternalServerException) and error.detail == GONE:
        problem = errors.HungUp()
    elif error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        problem = errors.BodyTooLarge(limit=request.route_handler.resolve_request_max_body_size())
    elif error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        problem = errors.TooManyRequests(retry_after=max(1, int((error.headers or {})["RateLimit-Reset"])))
    elif error.status_code == HTTPStatus.BAD_REQUEST:
        problem = errors.BadHeader()
    return problem


def _bad_value(entries: Sequence[dict[str, str]]) -> errors.RequestError:
    if entries[0].get("key") == "data":
        return errors.MalformedJson(reason="it is empty")
    return errors.BadParameter(parameter=entries[0].get("key"), reason="does not have the right type")


async def tell_methods(message: Message, scope: Scope) -> None:
    """List all methods in responses to OPTIONS; Litestar lists only those of the first route."""
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
