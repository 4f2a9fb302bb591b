"""The OpenAPI description, and Swagger UI without external resources."""

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
from service.version import VERSION

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
LONGEST_NAME = 255  # maximum length of a file name on all systems
PAGE = Path(__file__).parent / "static" / "docs"

DESCRIPTION = """\
Answers questions with verbatim quotations from your own documents, each with its exact position.

**Positions** are half-open, count from 0, and come in three units: `codepoint` (Python), `utf16` (JavaScript, Java, C#)
and `byte` (of the original file). `file[byte[0]:byte[1]]`, decoded as `encoding`, is the quotation.

**Every response** carries `X-Request-Id`. **Every error** is a problem of RFC 9457 (`application/problem+json`):
`type`, `title`, `status`, `detail`, `instance` (`urn:uuid:` and the request id), and the facts as further members.
Requests that cannot be parsed get one line of text, and the connection is closed: 400 for malformed HTTP/1.1,
408 for a request that arrives too slowly, 431 for too large headers, 503 for too many connections.

**Keys**: once a key exists, every call under `/v1` needs one: `Authorization: Bearer KEY`. A key has scopes
(`ask`, `read`, `write`; `admin` includes all, and is needed to create and drop collections). It can be limited to
certain collections.

"""


class Description(JsonRenderPlugin):
    """Adds msgspec's own schemas of the wire structs: Litestar's schemas lack some limits."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        _, schemas = msgspec.json.schema_components(WIRE, ref_template="#/components/schemas/{name}")
        components = openapi_schema["components"] | {"schemas": openapi_schema["components"]["schemas"] | schemas}
        document = openapi_schema | {"components": components, "paths": completed(openapi_schema["paths"])}
        return super().render(request, document)


class Page(OpenAPIRenderPlugin):
    """Swagger UI, with files from a Python package."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return _page()


@cache
def _page() -> bytes:
    return (PAGE / "page.html").read_bytes()


def openapi_config() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Pincite",
        version=VERSION,
        description=DESCRIPTION + problem_table(),
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        components=Components(security_schemes={"key": SecurityScheme("http", scheme="bearer")}),
        security=[{}, {"key": []}],  # no key is needed before the first one is created
        path="/schema",
        tags=[
            Tag("questions", "Ask questions and find passages"),
            Tag("citations", "Verify citations"),
            Tag("documents", "Read and change documents"),
            Tag("state", "The service itself"),
        ],
        render_plugins=[Description(), Page(path="/")],
        use_handler_docstrings=True,
    )


def asset_routers() -> list[Router]:
    """Serves Swagger UI's files and the page's script."""
    swagger = Path(str(files("mkdocs_swagger_ui_tag"))) / "swagger-ui"
    return [_static("/schema/assets", swagger), _static("/schema/page", PAGE)]


def nameable(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A guard. Raises UnknownPath for paths that cannot be file names, on which Litestar's file handler fails."""
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
