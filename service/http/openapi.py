"""The description of the HTTP interface, for programs and as a page that loads nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Router
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Tag
from litestar.static_files import create_static_files_router

from service.errors import UnknownPath
from service.http.contract import Connection, problem_table
from service.http.operations import completed
from service.schema import (
    AskRequest,
    AskResponse,
    BatchRequest,
    CollectionList,
    CollectionRequest,
    DocumentList,
    Health,
    Problem,
    Ready,
    SearchRequest,
    SearchResponse,
    TextView,
    VerifyRequest,
    VerifyResponse,
)

WIRE = (
    AskRequest,
    AskResponse,
    BatchRequest,
    CollectionList,
    CollectionRequest,
    DocumentList,
    Health,
    Problem,
    Ready,
    SearchRequest,
    SearchResponse,
    TextView,
    VerifyRequest,
    VerifyResponse,
)
LONGEST_NAME = 255  # of a file, on every system
INTERFACE = "1.0.0"  # of the calls under /v1, not of the program
PAGE = Path(__file__).parent / "static" / "docs"

DESCRIPTION = """\
Answers to questions, quoted word for word from your own documents, each quotation with its exact place.

**Positions** are half-open, count from 0, and come in three units: `codepoint` (Python), `utf16` (JavaScript, Java, C#)
and `byte` (of the original file). `file[byte[0]:byte[1]]`, decoded as `encoding`, is the quotation.

**Every response** carries `X-Request-Id`. **Every error** is a problem of RFC 9457 (`application/problem+json`):
`type`, `title`, `status`, `detail`, `instance` (`urn:uuid:` and the request id), and the facts as further members.
What is refused before it is understood is a line of text, and the connection is closed: 400 for what is not well-formed
HTTP/1.1, 408 for what comes too slowly, 431 for a head that is too large, 503 where there are too many connections.

**Keys**, once there are any, are needed for every call under `/v1`: `Authorization: Bearer KEY`. A key has scopes
(`ask`, `read`, `write`; `admin` has all, and is needed to make and drop collections), and may be for some collections
only.

"""


class Description(JsonRenderPlugin):
    """The description with msgspec's own schemas of the wire structs: the framework's lack some of the limits."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        _, schemas = msgspec.json.schema_components(WIRE, ref_template="#/components/schemas/{name}")
        components = openapi_schema["components"] | {"schemas": openapi_schema["components"]["schemas"] | schemas}
        told = openapi_schema | {"components": components, "paths": completed(openapi_schema["paths"])}
        return super().render(request, told)


class Page(OpenAPIRenderPlugin):
    """Swagger UI, from the package that brings its files along."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return _page()


@cache
def _page() -> bytes:
    return (PAGE / "page.html").read_bytes()


def openapi_config() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Pincite",
        version=INTERFACE,
        description=DESCRIPTION + problem_table(),
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        components=Components(security_schemes={"key": SecurityScheme("http", scheme="bearer")}),
        security=[{}, {"key": []}],  # none is needed where none was ever made
        path="/schema",
        tags=[
            Tag("questions", "Ask, and find passages"),
            Tag("citations", "What became of them"),
            Tag("documents", "Read what is indexed"),
            Tag("state", "The service itself"),
        ],
        render_plugins=[Description(), Page(path="/")],
        use_handler_docstrings=True,
    )


def asset_routers() -> list[Router]:
    """Swagger UI's own files, and the page's script."""
    swagger = Path(str(files("mkdocs_swagger_ui_tag"))) / "swagger-ui"
    return [_static("/schema/assets", swagger), _static("/schema/page", PAGE)]


def nameable(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A guard. Raises UnknownPath for what cannot name a file; the framework leaves it to the file system to fail."""
    path = connection.scope["path"]
    if "\0" in path or max(map(len, path.split("/"))) > LONGEST_NAME:
        raise UnknownPath


def _static(path: str, folder: Path) -> Router:
    return create_static_files_router(
        path=path,
        directories=[folder],
        include_in_schema=False,
        name=path,
        cache_control=None,
        guards=[nameable],
    )
