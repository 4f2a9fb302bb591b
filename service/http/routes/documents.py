"""Routes that read documents: records, original files, texts."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from functools import partial
from typing import Annotated
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter, PathParameter, QueryParameter

from index.collections.protocols import Searcher
from index.errors import CollectionNotFound, DocumentNotFound
from index.text.positions import Ranges
from index.types import Document
from service import errors
from service.answering.answering import Answering
from service.http import examples
from service.http.contract import (
    NO_STORE,
    Connection,
    acceptable,
    known_parameters,
    problem_specs,
    success,
)
from service.http.problems import AppRequest
from service.http.ranges import matches, part_of
from service.scheduling.workers import Workers
from service.schema import DocumentList, DocumentRecord, Range, TextView

LONGEST_PAGE = 1000
UNTRUSTED = "default-src 'none'; sandbox"  # whatever the document contains, it must not run

SOURCE = "The source as listed, percent-encoded once; `/` may stay as it is"

Collection = Annotated[str, QueryParameter(description="The collection")]
Limit = Annotated[int, QueryParameter(description="Records", schema_extra={"minimum": 1, "maximum": LONGEST_PAGE})]
Version = Annotated[str | None, QueryParameter(name="sha256", description="The SHA-256 of the version to get")]


def source_of(
    request: AppRequest,
    source: Annotated[str, PathParameter(description=SOURCE)],  # noqa: ARG001  # declared for the documentation
) -> str:
    """The source in the path, from the raw path, because Litestar normalises it.

    Raises BadPath if it is not UTF-8.
    """
    prefix = request.route_handler.opt["prefix"].encode()
    sent = request.scope["raw_path"].partition(b"?")[0]
    try:
        return unquote_to_bytes(sent[sent.index(prefix) + len(prefix) :]).decode("utf-8")
    except ValueError:
        raise errors.BadPath from None


def record_of(document: Document) -> DocumentRecord:
    return msgspec.convert(document, DocumentRecord, from_attributes=True)


def whole_limit(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A guard. Raises BadParameter unless the limit is written as a whole number; Litestar accepts 1e3."""
    if not re.fullmatch("-?[0-9]{1,18}", connection.query_params.get("limit", "1")):
        raise errors.BadParameter(parameter="limit", reason="does not have the right type")


@get(
    "/v1/documents",
    operation_id="listDocuments",
    summary="List documents",
    tags=["documents"],
    guards=[known_parameters, acceptable, whole_limit],
    opt={"scope": "read", "parameters": ("limit", "cursor", "collection")},
    response_headers=NO_STORE,
    responses={
        200: success(DocumentList, "A page of records, ordered by source", examples.answered("documents")),
        **problem_specs(errors.NotAcceptable, errors.BadCursor, CollectionNotFound, errors.NumberOutOfRange),
    },
)
async def list_documents(
    answering: NamedDependency[Answering],
    workers: NamedDependency[Workers],
    limit: Limit = 100,
    cursor: Annotated[str | None, QueryParameter(description="`next` of the previous page")] = None,
    collection: Collection = "default",
) -> DocumentList:
    """Repeat the request with `next` as the cursor until it is null."""
    check_limit(limit)
    after = None if cursor is None else place_of(cursor)
    return await workers.run(partial(page, answering, collection, after, limit))


def check_limit(limit: int) -> None:
    if not 1 <= limit <= LONGEST_PAGE:
        facts = {"minimum": 1, "maximum": LONGEST_PAGE, "limits": f"1 to {LONGEST_PAGE:,}"}
        raise errors.NumberOutOfRange(field="limit", value=limit, **facts)


def page(answering: Answering, collection: str, after: str | None, limit: int) -> DocumentList:
    documents = answering.searcher(collection).documents(after, limit + 1)
    last = documents[limit - 1].source if len(documents) > limit else None
    records = [record_of(document) for document in documents[:limit]]
    return DocumentList(documents=records, next=None if last is None else cursor_at(last))


def cursor_at(source: str) -> str:
    """An opaque cursor, with a checksum to detect invented or truncated ones."""
    place = source.encode()
    return base64.urlsafe_b64encode(zlib.crc32(place).to_bytes(4) + place).decode().rstrip("=")


def place_of(cursor: str) -> str:
    """The source after which a page begins. Raises BadCursor."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = packed[4:].decode()
    except (binascii.Error, ValueError):
        raise errors.BadCursor from None
    if not place or cursor_at(place) != cursor:
        raise errors.BadCursor
    return place


@get(
    "/v1/documents/{source:path}",
    operation_id="getDocument",
    summary="Read a document's record",
    tags=["documents"],
    guards=[known_parameters, acceptable],
    opt={"scope": "read", "parameters": ("collection",), "prefix": "/v1/documents/"},
    response_headers=NO_STORE,
    responses={
        200: success(DocumentRecord, "The record", examples.answered("document")),
        **problem_specs(errors.NotAcceptable, errors.BadPath, CollectionNotFound, DocumentNotFound),
    },
)
async def get_document(
    name: NamedDependency[str],
    answering: NamedDependency[Answering],
    workers: NamedDependency[Workers],
    collection: Collection = "default",
) -> DocumentRecord:
    return await workers.run(lambda: record_of(answering.searcher(collection).document(name)))


@get(
    "/v1/files/{source:path}",
    operation_id="getFile",
    summary="Fetch an original file",
    tags=["documents"],
    guards=[known_parameters],
    opt={"scope": "read", "parameters": ("collection", "sha256"), "prefix": "/v1/files/"},
    responses={
        200: success(bytes, "The bytes as indexed", media_type="text/plain"),
        206: success(bytes, "The requested range", media_type="text/plain"),
        304: success(None, "The version in If-None-Match is still current"),
        **problem_specs(
            errors.BadPath, CollectionNotFound, DocumentNotFound, errors.VersionGone, errors.RangeNotSatisfiable
        ),
    },
)
async def get_file(
    *,
    name: NamedDependency[str],
    answering: NamedDependency[Answering],
    workers: NamedDependency[Workers],
    version: Version = None,
    collection: Collection = "default",
    requested: Annotated[str | None, HeaderParameter(name="Range", description="A single range of bytes")] = None,
    condition: Annotated[str | None, HeaderParameter(name="If-Range", description="An ETag")] = None,
    etags: Annotated[str | None, HeaderParameter(name="If-None-Match", description="ETags")] = None,
) -> Response[bytes]:
    """The original bytes as they were indexed, even if the file on disk has changed. HEAD returns the headers only."""
    document, file = await workers.run(partial(file_of, answering, collection, name, version))
    etag = f'"{document.sha256}"'
    headers = document_headers(etag) | {"Accept-Ranges": "bytes"}
    respond = partial(Response[bytes], media_type=document.media_type, encoding=charset(document.encoding))
    if matches(etags, etag):
        return respond(b"", status_code=304, headers=headers)
    part = part_of(len(file), requested, condition, etag)
    if part is None:
        return respond(file, headers=headers)
    start, end = part
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(file)}"
    return respond(file[start:end], status_code=206, headers=headers)


def file_of(answering: Answering, collection: str, source: str, version: str | None) -> tuple[Document, bytes]:
    """The live version, or the requested one if it was replaced recently. Raises DocumentNotFound and VersionGone.

    A version that no longer exists is reported as gone, not as unknown, because citations refer to it.
    """
    searcher = answering.searcher(collection)
    if version is None:
        content = searcher.content(searcher.document(source).number)
        return content.document, content.file
    document_version = answering.collection(collection).version(source, version.lower())
    if document_version is None:
        live = searcher.live(source)
        raise errors.VersionGone(source=source, present=live and live.sha256)
    return document_version


def document_headers(etag: str) -> dict[str, str]:
    return {"ETag": etag, "Cache-Control": "no-cache", "Content-Security-Policy": UNTRUSTED}


def charset(encoding: str) -> str:
    """The name of a Python codec on the web.

    >>> charset("cp1252"), charset("utf-16-le")
    ('windows-1252', 'utf-16le')
    """
    if encoding.startswith("cp125"):
        return f"windows-{encoding[2:]}"
    return encoding.replace("utf-16-", "utf-16").replace("_", "-")


@get(
    "/v1/texts/{source:path}",
    operation_id="getText",
    summary="Read a document's text",
    tags=["documents"],
    guards=[known_parameters, acceptable],
    opt={"scope": "read", "parameters": ("collection",), "prefix": "/v1/texts/"},
    responses={
        200: success(TextView, "The text and the positions of its sentences", examples.answered("text")),
        304: success(None, "The version in If-None-Match is still current"),
        **problem_specs(errors.NotAcceptable, errors.BadPath, CollectionNotFound, DocumentNotFound),
    },
)
async def get_text(
    name: NamedDependency[str],
    answering: NamedDependency[Answering],
    workers: NamedDependency[Workers],
    collection: Collection = "default",
    etags: Annotated[str | None, HeaderParameter(name="If-None-Match", description="ETags")] = None,
) -> Response[bytes]:
    """For viewers: the text with the positions of all sentences in three units."""
    document = await workers.run(lambda: answering.searcher(collection).document(name))
    etag = f'"{document.sha256}"'
    if matches(etags, etag):
        return Response(b"", status_code=304, headers=document_headers(etag), media_type="application/json")
    body = await workers.run(lambda: msgspec.json.encode(view_of(answering.searcher(collection), name)))
    return Response(body, headers=document_headers(etag), media_type="application/json")


def view_of(searcher: Searcher, source: str) -> TextView:
    document, positions = searcher.document(source), searcher.positions(source)
    return TextView(
        text=searcher.text(source),
        encoding=document.encoding,
        sha256=document.sha256,
        anchor=document.anchor,
        sentences=[range_of(positions.ranges(span)) for span in searcher.sentences(source)],
    )


def range_of(ranges: Ranges) -> Range:
    return Range(codepoint=ranges.codepoint, utf16=ranges.utf16, byte=ranges.byte)
