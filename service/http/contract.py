"""What all routes share: strict request bodies, strict parameters, and helpers for their OpenAPI entries."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from litestar import Request
from litestar._openapi.schema_generation import SchemaCreator
from litestar.connection import ASGIConnection
from litestar.dto import AbstractDTO
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, Reference, Schema
from litestar.typing import FieldDefinition
from msgspec import Struct

from service import errors
from service.http import problems
from service.http.validation import decode_apart
from service.schema import Problem

T = TypeVar("T", bound=Struct)
Connection = ASGIConnection[Any, Any, Any, Any]

JSON = "application/json"
LINES = "application/x-ndjson"
EVERYWHERE = (
    errors.BadHeader,
    errors.BadParameter,
    errors.ForeignRequest,
    errors.ForeignHost,
    errors.ForeignOrigin,
    errors.OriginNotListed,
)
CLOSED = (
    errors.KeyMissing,
    errors.KeyUnknown,
    errors.KeyExpired,
    errors.OriginForbidden,
    errors.ScopeMissing,
    errors.CollectionForbidden,
    errors.TooManyRequests,
    errors.KeysUnusable,
)
DECODED = "decoded"  # name of the decoded body in the request's state
NO_STORE = {"Cache-Control": "no-store"}
EXAMPLE_ID = "0e8dca29-6c3c-4d52-9d2a-3f6a3c1c0f51"


class JsonBody(AbstractDTO[T]):
    """Decodes a body with `service.http.validation`; Litestar's own decoder would accept "3" for 3.

    The other methods are Litestar's DTO interface, which is not used here.
    """

    def decode_bytes(self, value: bytes) -> T:  # noqa: ARG002
        """The body decoded by the guard `json_decoded`, because this method cannot run off the event loop."""
        decoded: T = self.asgi_connection.scope["state"][DECODED]
        return decoded

    @classmethod
    def create_for_field_definition(cls, *_: object, **__: object) -> None:
        """No decoder is needed."""

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,  # noqa: ARG003
        schema_creator: SchemaCreator,
    ) -> Reference | Schema:
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[Any, None, None]:  # noqa: ARG003
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:  # noqa: ARG003
        return False


def json_sent(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A guard. Raises UnsupportedMedia unless the body is uncompressed JSON in UTF-8."""
    content_type = connection.headers.get("content-type", "a missing type")
    media_type, _, parameters = content_type.lower().replace(" ", "").partition(";")
    if media_type != JSON or parameters.replace('"', "") not in ("", "charset=utf-8", "charset=utf8"):
        raise errors.UnsupportedMedia(given=content_type, expected=JSON)
    if (coding := connection.headers.get("content-encoding", "identity")) != "identity":
        raise errors.UnsupportedMedia(given=coding, expected=f"uncompressed {JSON}")


async def json_decoded(connection: Connection, handler: BaseRouteHandler) -> None:
    """The last guard of a route with a JsonBody: decodes the body. Raises what `service.http.validation` raises."""
    kind = handler.resolve_data_dto()
    body = await connection.body() if isinstance(connection, Request) else b""
    if kind is not None and body:
        connection.scope["state"][DECODED] = await decode_apart(body, kind.model_type)


def acceptable(connection: Connection, handler: BaseRouteHandler) -> None:
    """A guard. Raises NotAcceptable if the Accept header excludes what the route produces."""
    produced = handler.opt.get("produces", JSON)
    accepted = connection.headers.get("accept", "*/*")
    names = [name.partition(";")[0].strip().lower() for name in accepted.split(",")]
    if not {produced, produced.partition("/")[0] + "/*", "*/*"}.intersection(names):
        raise errors.NotAcceptable(produced=produced)


def known_parameters(connection: Connection, handler: BaseRouteHandler) -> None:
    """A guard. Raises BadParameter if a query parameter is repeated or unknown to the route."""
    allowed = handler.opt.get("parameters", ())
    seen: set[str] = set()
    for name, _ in connection.query_params.multi_items():
        if name not in allowed:
            raise errors.BadParameter(parameter=name, reason="is unknown")
        if name in seen:
            raise errors.BadParameter(parameter=name, reason="is given more than once")
        seen.add(name)


def problem_specs(*classes: type[Exception], closed: bool = True) -> dict[int, ResponseSpec]:
    """OpenAPI: the problems of a route, in addition to those of every route.

    `closed`: the route needs a key once keys exist.
    """
    by_status: dict[int, list[problems.Kind]] = {}
    everywhere = EVERYWHERE + CLOSED if closed else EVERYWHERE
    for problem in [*(problems.KINDS[cls] for cls in (*classes, *everywhere)), problems.INTERNAL]:
        by_status.setdefault(problem.status, []).append(problem)
    return {status: _spec(kinds) for status, kinds in sorted(by_status.items())}


def _spec(kinds: Sequence[problems.Kind]) -> ResponseSpec:
    return ResponseSpec(
        data_container=Problem,
        generate_examples=False,
        description="; ".join(kind.title for kind in kinds),
        media_type=problems.MEDIA_TYPE,
        examples=[Example(id=kind.name, summary=kind.title, value=_example(kind)) for kind in kinds],
    )


def _example(kind: problems.Kind) -> dict[str, object]:
    return {
        "type": problems.TYPE + kind.name,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.detail or "What is wrong with this request.",
        "instance": f"urn:uuid:{EXAMPLE_ID}",
    }


def success(
    container: type[Any] | None, description: str, example: object = None, media_type: str = JSON
) -> ResponseSpec:
    """OpenAPI: the successful response of a route."""
    examples = None if example is None else [Example(id="answer", value=example)]
    return ResponseSpec(
        container, generate_examples=False, description=description, media_type=media_type, examples=examples
    )


def problem_table() -> str:
    """All problem types as a Markdown table for the documentation."""
    kinds = sorted([*problems.KINDS.values(), problems.INTERNAL])
    rows = [f"| {kind.status} | `{problems.TYPE}{kind.name}` | {kind.title} | {_members(kind)} |" for kind in kinds]
    return "\n".join(["| status | type | title | further members |", "|---|---|---|---|", *rows])


def _members(kind: problems.Kind) -> str:
    return ", ".join(f"`{fact}`" for fact in kind.facts)
