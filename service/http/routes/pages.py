"""The route that draws a page of a document, so that a citation's boxes can be laid over it."""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import Annotated

from cachetools import LRUCache
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter

from index.errors import CollectionNotFound, DocumentNotFound, PageNotFound, ParserFailed
from index.storage.contents import Content
from index.text.parsing import render
from index.types import Picture, PictureFormat
from service import errors
from service.answering.answering import Answering
from service.http.contract import known_parameters, problem_specs, success
from service.http.ranges import matches
from service.http.routes.documents import Collection, document_headers
from service.scheduling.workers import Workers

KEPT = 64_000_000  # bytes of pictures
NARROWEST, WIDEST = 16, 3000  # pixels
DRAWN = "application/pdf"

Key = tuple[str, int, int, PictureFormat]


class Pictures:
    """Draws pages, and keeps what was drawn of late. Safe in many threads at once."""

    def __init__(self, room: int = KEPT) -> None:
        self.cache: LRUCache[Key, Picture] = LRUCache(room, getsizeof=lambda picture: len(picture.data))
        self.lock = Lock()

    def draw(self, content: Content, page: int, width: int, form: PictureFormat) -> Picture:
        """Raises PageNotFound, or ParserFailed where the page cannot be drawn."""
        document = content.document
        key = (document.sha256, page, width, form)
        with self.lock:
            picture = self.cache.get(key)
        if picture is None:
            picture = render(content.file, document.source, page, width, form)
            with self.lock:
                if len(picture.data) <= self.cache.maxsize:
                    self.cache[key] = picture
        return picture


PICTURES = Pictures()


@get(
    "/v1/pages/{source:path}",
    operation_id="getPage",
    summary="Draw a page of a PDF",
    tags=["documents"],
    guards=[known_parameters],
    opt={
        "scope": "read",
        "parameters": ("page", "width", "collection"),
        "prefix": "/v1/pages/",
    },
    responses={
        200: success(bytes, "The page, as WebP or PNG by Accept", media_type="image/webp"),
        304: success(None, "The picture in If-None-Match is still current"),
        **problem_specs(
            errors.BadPath,
            CollectionNotFound,
            DocumentNotFound,
            PageNotFound,
            ParserFailed,
            errors.NoPages,
            errors.NumberOutOfRange,
        ),
    },
)
async def get_page_picture(
    *,
    name: NamedDependency[str],
    answering: NamedDependency[Answering],
    workers: NamedDependency[Workers],
    page: Annotated[int, QueryParameter(description="The number of the page, from 1")] = 1,
    width: Annotated[int, QueryParameter(description="Pixels")] = 900,
    collection: Collection = "default",
    accept: Annotated[str, HeaderParameter(name="Accept", description="image/webp or image/png")] = "image/webp",
    if_none_match: Annotated[str | None, HeaderParameter(name="If-None-Match", description="ETags")] = None,
) -> Response[bytes]:
    """The page as it is displayed. `X-Page-Size` has its size in points, the unit of a citation's boxes."""
    check_number("page", page, 1, 10**6)
    check_number("width", width, NARROWEST, WIDEST)
    form: PictureFormat = "png" if "image/png" in accept and "image/webp" not in accept else "webp"
    content = await workers.run(partial(content_of, answering, collection, name))
    etag = f'"{content.document.sha256}-{page}-{width}-{form}"'
    headers = document_headers(etag)
    if matches(if_none_match, etag):
        return Response(b"", status_code=304, headers=headers, media_type=f"image/{form}")
    picture = await workers.run(partial(PICTURES.draw, content, page, width, form))
    size = {"X-Page-Size": f"{picture.width:g} {picture.height:g}", "X-Page-Count": str(picture.pages)}
    return Response(picture.data, headers=headers | size, media_type=picture.media_type)


def content_of(answering: Answering, collection: str, source: str) -> Content:
    """Raises NoPages for a document that is no PDF."""
    searcher = answering.searcher(collection)
    content = searcher.content(searcher.document(source).number)
    if content.document.media_type != DRAWN:
        raise errors.NoPages(source=source, media_type=content.document.media_type)
    return content


def check_number(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        limits = f"{least} to {most:,}"
        raise errors.NumberOutOfRange(field=field, value=value, minimum=least, maximum=most, limits=limits)
