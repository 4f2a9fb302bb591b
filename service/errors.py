"""Everything that can go wrong between a request and its answer, besides what index/errors.py names.

PinciteError
├── RequestError                  the caller can put it right
│   ├── MalformedJson
│   ├── BadField                  missing, unknown or of the wrong type
│   ├── RepeatedField
│   ├── OutOfRange                a value beyond its limits
│   │   ├── NumberOutOfRange
│   │   ├── LengthOutOfRange
│   │   └── BlankText
│   ├── NulCharacter
│   ├── UnknownPath
│   ├── WrongMethod
│   ├── BodyTooLarge
│   ├── UnsupportedMedia
│   ├── NotAcceptable
│   ├── BadParameter              of a query string: missing, unknown, repeated or of the wrong type
│   ├── BadCursor
│   ├── BadHeader
│   ├── BadPath
│   ├── VersionGone
│   ├── RangeNotSatisfiable
│   ├── PreconditionFailed
│   ├── UnknownEncoder
│   ├── UnknownTokens             an encoding of tokens that cannot be counted in
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
├── HungUp                        the client; nobody sees it but the log
├── NoChoice                      of the chooser; the reader's answer stands alone
├── KeyNotFound
├── KeysUnusable                  the file of the keys
└── StartError                    the service cannot be started
    ├── ReaderDamaged
    ├── NoDevice
    ├── BadSetting
    ├── OpenToOthers
    ├── CannotListen
    ├── NotStarted            a process of several
    └── NothingToServe

Each class names its facts as keyword arguments, as in index/errors.py.
"""

from __future__ import annotations

from index.errors import PinciteError


class RequestError(PinciteError):
    message = "The request cannot be answered."


class MalformedJson(RequestError):
    message = "The body is not JSON in UTF-8: {reason}."


class BadField(RequestError):
    message = "The body does not fit: {reason}."


class RepeatedField(RequestError):
    message = "The field {field!r} is given more than once."


class OutOfRange(RequestError):
    message = "{field} is out of range."


class NumberOutOfRange(OutOfRange):
    message = "{field} is {value}; it must be {limits}."


class LengthOutOfRange(OutOfRange):
    message = "{field} has {length} {unit}; it must have {limits}."


class BlankText(OutOfRange):
    message = "{field} is blank."


class NulCharacter(RequestError):
    message = "{field} contains a NUL character (U+0000)."


class UnknownPath(RequestError):
    message = "There is nothing at this path."


class WrongMethod(RequestError):
    message = "This path takes {allowed} only."


class BodyTooLarge(RequestError):
    message = "The body has more than {limit} bytes."


class UnsupportedMedia(RequestError):
    message = "The body is {given}; send it as {expected}."


class NotAcceptable(RequestError):
    message = "The answer is {produced}, which the Accept header leaves out."


class BadParameter(RequestError):
    message = "The parameter {parameter!r} {reason}."


class BadCursor(RequestError):
    message = "The cursor is not one that this service gave. Begin again without it."


class BadHeader(RequestError):
    message = "The Host or the Content-Length header cannot be read."


class BadPath(RequestError):
    message = "The path is not percent-encoded UTF-8."


class VersionGone(RequestError):
    message = "This version of {source!r} is not kept: it was deleted, or replaced more than 10 minutes ago."


class RangeNotSatisfiable(RequestError):
    message = "The range lies outside of the file, which has {bytes} bytes."


class PreconditionFailed(RequestError):
    message = "{source!r} is not as If-Match or If-None-Match expects. Its present SHA-256 is {present}."


class UnknownEncoder(RequestError):
    message = "There is no encoder {encoder!r} on the machine of the service."


class UnknownTokens(RequestError):
    message = "Tokens of the encoding {encoding!r} cannot be counted here. Those that can: {known}."


class ForeignRequest(RequestError):
    message = "This service answers its own machine only."


class ForeignHost(ForeignRequest):
    message = "This service answers its own machine only, and the Host header names another."


class ForeignOrigin(ForeignRequest):
    message = "This service answers its own machine only, and the request comes from a page of another."


class OriginNotListed(RequestError):
    message = "Pages of this origin may not use the service. Whoever runs it can list the origin: --cors-origin"


class AccessDenied(RequestError):
    message = "The request is not allowed."


class KeyMissing(AccessDenied):
    message = "This service wants a key: send the header 'Authorization: Bearer KEY'."


class KeyUnknown(AccessDenied):
    message = "The Authorization header has no key that this service knows. It may have been revoked."


class KeyExpired(AccessDenied):
    message = "The key expired at {expired}."


class OriginForbidden(AccessDenied):
    message = "The key is good for pages of one origin, and the Origin header does not name that."


class ScopeMissing(AccessDenied):
    message = "The key lacks the scope {scope!r}, which this call needs."


class CollectionForbidden(AccessDenied):
    message = "The key is not for the collection {collection!r}."


class TooManyRequests(RequestError):
    message = "That was too much in too short a time. Try again in {retry_after} s."


class Overloaded(PinciteError):
    message = "Too many questions are waiting. Try again in {retry_after} s."


class TooManyUploads(Overloaded):
    message = "{limit} documents are being uploaded already. Try again in {retry_after} s."


class HungUp(PinciteError):
    message = "The client hung up."


class NoChoice(PinciteError):
    message = "The chooser did not choose: {reason}."


class KeyNotFound(PinciteError):
    message = "There is no key {id!r}. `pincite keys list` shows those that there are."


class KeysUnusable(PinciteError):
    message = "The keys in {path} cannot be used: {reason}. Nobody is let in until they can."


class StartError(PinciteError):
    message = "The service cannot be started."


class ReaderDamaged(StartError):
    message = "The reader in {path} cannot be used: {reason}. Name another with --reader, or install Pincite again."


class NoDevice(StartError):
    message = "{device!r} cannot be used: {reason}. Leave --device out, and the CPU reads."


class BadSetting(StartError):
    message = "{variable} is {value!r}; it must be {expected}."


class OpenToOthers(StartError):
    message = (
        "{host} can be reached from other machines, and no keys are set up. Make one (pincite keys make), "
        "serve this machine alone (--host 127.0.0.1), or let anyone ask: --allow-anonymous"
    )


class CannotListen(StartError):
    message = "Cannot listen on {host}, port {port}: {reason}."


class NotStarted(StartError):
    message = "A process of the service ended as soon as it was started. What it said stands above."


class NothingToServe(StartError):
    message = "The collection {collection!r} has no documents: none of the files could be read."
