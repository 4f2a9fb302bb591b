"""The errors between a request and its answer, in addition to those of index/errors.py.

PinciteError
├── RequestError                  the caller can correct the request
│   ├── MalformedJson
│   ├── BadField                  missing, unknown or of the wrong type
│   ├── RepeatedField
│   ├── NumberOutOfRange
│   ├── LengthOutOfRange
│   ├── BlankText
│   ├── NulCharacter
│   ├── UnknownPath
│   ├── WrongMethod
│   ├── BodyTooLarge
│   ├── UnsupportedMedia
│   ├── NotAcceptable
│   ├── BadParameter              a query parameter is missing, unknown, repeated or of the wrong type
│   ├── BadCursor
│   ├── BadHeader
│   ├── BadPath
│   ├── VersionGone
│   ├── RangeNotSatisfiable
│   ├── NoPages                   a picture of a page of what is no PDF
│   ├── PreconditionFailed
│   ├── UnknownEncoder
│   ├── UnknownTokens             a token encoding that is not installed
│   ├── ForeignRequest            from another machine
│   │   ├── ForeignHost
│   │   └── ForeignOrigin
│   ├── OriginNotListed
│   ├── AccessDenied
│   │   ├── KeyMissing
│   │   ├── KeyUnknown            made up, damaged or revoked
│   │   ├── KeyExpired
│   │   ├── OriginForbidden       a token in a page of another site
│   │   ├── ScopeMissing
│   │   └── CollectionForbidden
│   └── TooManyRequests
├── Overloaded
│   └── TooManyUploads
├── HungUp                        the client disconnected; only the log shows it
├── NoChoice                      the language model made no usable choice; the reader's answer is used
├── KeyNotFound
├── KeysUnusable                  the key file cannot be read
├── ReaderDamaged
├── NoDevice
├── BadSetting
├── OpenToOthers
├── CannotListen
├── NotStarted                    a worker process failed at once
└── NothingToServe

Each class takes its facts as keyword arguments, as in index/errors.py.
"""

from __future__ import annotations

from index.errors import PinciteError


class RequestError(PinciteError):
    message = "The request cannot be answered."


class MalformedJson(RequestError):
    message = "The body is not JSON in UTF-8: {reason}."


class BadField(RequestError):
    message = "The body does not match the schema: {reason}."


class RepeatedField(RequestError):
    message = "The field {field!r} is given more than once."


class NumberOutOfRange(RequestError):
    message = "{field} is {value}; it must be {limits}."


class LengthOutOfRange(RequestError):
    message = "{field} has {length} {unit}; it must have {limits}."


class BlankText(RequestError):
    message = "{field} is blank."


class NulCharacter(RequestError):
    message = "{field} contains a NUL character (U+0000)."


class UnknownPath(RequestError):
    message = "This path does not exist."


class WrongMethod(RequestError):
    message = "This path allows {allowed} only."


class BodyTooLarge(RequestError):
    message = "The body has more than {limit} bytes."


class UnsupportedMedia(RequestError):
    message = "The body is {given}; send it as {expected}."


class NotAcceptable(RequestError):
    message = "The response is {produced}, which the Accept header excludes."


class BadParameter(RequestError):
    message = "The parameter {parameter!r} {reason}."


class BadMetadata(RequestError):
    message = "{value!r} cannot be the {parameter} of a document: {reason}."


class BadCursor(RequestError):
    message = "The cursor is invalid. Start again without a cursor."


class BadHeader(RequestError):
    message = "The Host or Content-Length header is malformed."


class BadPath(RequestError):
    message = "The path is not percent-encoded UTF-8."


class VersionGone(RequestError):
    message = "This version of {source!r} is gone: it was deleted, or replaced more than 10 minutes ago."


class RangeNotSatisfiable(RequestError):
    message = "The range is outside the file, which has {bytes} bytes."


class NoPages(RequestError):
    message = "{source!r} has no pages to draw: it is {media_type}. GET /v1/texts has its text."


class PreconditionFailed(RequestError):
    message = "{source!r} does not match If-Match or If-None-Match. Its current SHA-256 is {present}."


class UnknownEncoder(RequestError):
    message = "The encoder {encoder!r} is not installed on the server."


class UnknownTokens(RequestError):
    message = "The token encoding {encoding!r} is not available. Available: {known}."


class ForeignRequest(RequestError):
    message = "This service answers requests from its own machine only."


class ForeignHost(ForeignRequest):
    message = "This service answers its own machine only, but the Host header names another."


class ForeignOrigin(ForeignRequest):
    message = "This service answers its own machine only, but the request comes from a page of another."


class OriginNotListed(RequestError):
    message = "Pages of this origin may not use the service. The operator can allow the origin: --cors-origin"


class AccessDenied(RequestError):
    message = "The request is not allowed."


class KeyMissing(AccessDenied):
    message = "This service requires a key: send the header 'Authorization: Bearer KEY'."


class KeyUnknown(AccessDenied):
    message = "The key in the Authorization header is unknown. It may have been revoked."


class KeyExpired(AccessDenied):
    message = "The key expired at {expired}."


class OriginForbidden(AccessDenied):
    message = "The key is valid for pages of one origin only, and the Origin header names another or none."


class ScopeMissing(AccessDenied):
    message = "The key lacks the scope {scope!r}, which this call requires."


class CollectionForbidden(AccessDenied):
    message = "The key does not include the collection {collection!r}."


class TooManyRequests(RequestError):
    message = "The rate limit is exceeded. Try again in {retry_after} s."


class Overloaded(PinciteError):
    message = "Too many questions are waiting. Try again in {retry_after} s."


class TooManyUploads(Overloaded):
    message = "{limit} documents are being uploaded already. Try again in {retry_after} s."


class HungUp(PinciteError):
    message = "The client disconnected."


class NoChoice(PinciteError):
    message = "The language model made no usable choice: {reason}."


class KeyNotFound(PinciteError):
    message = "The key {id!r} does not exist. `pincite keys list` shows all keys."


class KeysUnusable(PinciteError):
    message = "The keys in {path} cannot be read: {reason}. All requests are rejected until this is fixed."


class ReaderDamaged(PinciteError):
    message = "The reader in {path} is unusable: {reason}. Choose another with --reader, or reinstall Pincite."


class NoDevice(PinciteError):
    message = "The device {device!r} is unusable: {reason}. Without --device, the CPU is used."


class BadSetting(PinciteError):
    message = "{variable} is {value!r}; it must be {expected}."


class OpenToOthers(PinciteError):
    message = (
        "{host} is reachable from other machines, and there are no keys. Create one (pincite keys make), "
        "listen on this machine only (--host 127.0.0.1), or let anyone ask and read: --allow-anonymous"
    )


class CannotListen(PinciteError):
    message = "Cannot listen on {host}, port {port}: {reason}."


class NotStarted(PinciteError):
    message = "A process of the service failed at start. Its output is above."


class NothingToServe(PinciteError):
    message = "The collection {collection!r} has no documents: none of the files could be read."
