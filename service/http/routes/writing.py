"""Routes that change documents: put and delete."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from litestar import Response, delete, put
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter

from index.collections.document_writer import Precondition
from index.errors import (
    AmbiguousEncoding,
    BadSource,
    BrokenUtf8,
    CollectionNotFound,
    DocumentError,
    DocumentNotFound,
    DocumentTooLarge,
    StorageFull,
    StorageReadOnly,
    StoreUnavailable,
    UndecodableFile,
)
from index.text.metadata import is_date, is_url
from index.text.preparation import SenderMetadata
from index.types import Document
from service import errors
from service.answering.answering import Answering
from service.http import examples
from service.http.contract import NO_STORE, acceptable, known_parameters, problem_specs, success
from service.http.problems import AppRequest
from service.http.ranges import matches
from service.http.routes.documents import Collection, document_headers, record_of
from service.scheduling.workers import ChangeWorkers, UploadLimit
from service.schema import DocumentRecord

IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", description="ETags, one of which must be live")]
IfNoneMatch = Annotated[str | None, HeaderParameter(name="If-None-Match", description="`*`: only if it does not exist")]
GUARDS = [known_parameters, acceptable]
# A source of slashes alone is routed to the list of documents, which is read-only.
STORAGE = (
    CollectionNotFound,
    errors.BadPath,
    errors.WrongMethod,
    errors.PreconditionFailed,
    StorageFull,
    StorageReadOnly,
    StoreUnavailable,
)


@put(
    "/v1/documents/{source:path}",
    operation_id="putDocument",
    summary="Add or replace a document",
    tags=["documents"],
    guards=GUARDS,
    opt={
        "scope": "write",
        "parameters": ("collection", "title", "url", "date", "encoding"),
        "prefix": "/v1/documents/",
    },
    responses={
        200: success(DocumentRecord, "Replaced", examples.answered("document")),
        201: success(DocumentRecord, "Added", examples.answered("document")),
        **problem_specs(
            *STORAGE,
            errors.NotAcceptable,
            errors.BodyTooLarge,
            errors.BadMetadata,
            errors.UnsupportedMedia,
            errors.Overloaded,
            errors.TooManyUploads,
            DocumentTooLarge,
            DocumentError,
            UndecodableFile,
            BrokenUtf8,
            AmbiguousEncoding,
            BadSource,
        ),
    },
)
async def put_document(
    *,
    request: AppRequest,
    name: NamedDependency[str],
    answering: NamedDependency[Answering],
    changes: NamedDependency[ChangeWorkers],
    uploads: NamedDependency[UploadLimit],
    title: Annotated[str | None, QueryParameter(description="Overrides the document's own")] = None,
    url: Annotated[str | None, QueryParameter(description="Where the document is published")] = None,
    date: Annotated[str | None, QueryParameter(description="The document's date")] = None,
    encoding: Annotated[str | None, QueryParameter(description="Overrides a guess; Content-Type wins over it")] = None,
    collection: Collection = "default",
    match: IfMatch = None,
    none_match: IfNoneMatch = None,
) -> Response[DocumentRecord]:
    """The body is the file. The response means that the document is durable and visible to the next question."""
    if (coding := request.headers.get("content-encoding", "identity")) != "identity":
        raise errors.UnsupportedMedia(given=coding, expected="not compressed")
    media_type, options = request.content_type
    check_metadata(url, date)
    metadata = SenderMetadata(media_type, options.get("charset") or encoding, title, url, date)
    writer = answering.collection(collection).writer
    guard = expecting(name, match, none_match)
    with uploads.slot():
        ready = await changes.prepare(partial(writer.prepare_upload, name, await request.body(), metadata))
        document, new = await changes.commit(partial(writer.commit_upload, ready, guard))
    headers = NO_STORE | {"ETag": document_headers(f'"{document.sha256}"')["ETag"]}
    return Response(record_of(document), status_code=201 if new else 200, headers=headers)


@delete(
    "/v1/documents/{source:path}",
    operation_id="deleteDocument",
    summary="Delete a document",
    tags=["documents"],
    guards=GUARDS,
    opt={"scope": "write", "parameters": ("collection",), "prefix": "/v1/documents/"},
    response_headers=NO_STORE,
    responses={
        204: success(None, "Deleted: no later answer cites it"),
        **problem_specs(*STORAGE, errors.NotAcceptable, errors.Overloaded, DocumentNotFound),
    },
)
async def delete_document(
    *,
    name: NamedDependency[str],
    answering: NamedDependency[Answering],
    changes: NamedDependency[ChangeWorkers],
    collection: Collection = "default",
    match: IfMatch = None,
) -> None:
    """The file is unavailable immediately; its bytes leave the disk at the next compaction."""
    writer = answering.collection(collection).writer
    await changes.commit(partial(writer.delete, [name], expecting(name, match, None)))


def check_metadata(url: str | None, date: str | None) -> None:
    """Raise BadMetadata for a date that is none, and for an address that no link may lead to."""
    if date is not None and not is_date(date):
        raise errors.BadMetadata(parameter="date", value=date, reason="it is not a date such as 2025-04-13")
    if url is not None and not is_url(url):
        raise errors.BadMetadata(parameter="url", value=url, reason="it is not http, https or mailto")


def expecting(source: str, match: str | None, none_match: str | None) -> Precondition:
    """A check that raises PreconditionFailed if the live document does not match the headers (RFC 9110)."""

    def check(present: Document | None) -> None:
        etag = None if present is None else f'"{present.sha256}"'
        missing = match is not None and (etag is None or not matches(match, etag))
        unwanted = none_match is not None and etag is not None and matches(none_match, etag)
        if missing or unwanted:
            raise errors.PreconditionFailed(source=source, present=present and present.sha256)

    return check
