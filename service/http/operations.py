"""Additions to the OpenAPI document that Litestar cannot derive: raw bodies, headers, links between operations."""

from __future__ import annotations

from typing import Any

from service.http.examples import ANSWERS

SOURCE = ANSWERS["document"]["source"]
TEXT: dict[str, Any] = {"type": "string", "description": "The file in its own encoding"}
NAME = {"type": "string", "pattern": "^[a-z0-9-]{1,64}$"}

BODIES: dict[str, dict[str, Any]] = {
    "putDocument": {
        "required": False,
        "description": "The file, which may be empty. A charset in Content-Type overrides the file's own.",
        "content": {kind: {"schema": TEXT, "example": "Owls hunt.\n"} for kind in ("text/plain", "text/markdown")},
    },
    "putCollection": {
        "required": False,
        "description": "The encoder; without a body, the default.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CollectionRequest"}, "example": {}}},
    },
}
ON_DOCUMENT = {"source": "$request.path.source"}
ON_COLLECTION = {"collection": "$request.path.collection"}
LINKS: dict[str, dict[str, dict[str, str]]] = {
    "putDocument": dict.fromkeys(("getDocument", "getFile", "getText", "deleteDocument"), ON_DOCUMENT),
    "putCollection": {
        **dict.fromkeys(("getCollection", "deleteCollection", "listDocuments"), ON_COLLECTION),
        "putDocument": {"collection": "$request.path.collection"},
    },
    "listDocuments": {
        "listDocuments": {"cursor": "$response.body#/next"},
        "getFile": {"source": "$response.body#/documents/0/source", "sha256": "$response.body#/documents/0/sha256"},
        "getText": {"source": "$response.body#/documents/0/source"},
    },
}
HEADERS = {
    "X-Request-Id": {"description": "The request id in the log", "schema": {"type": "string", "format": "uuid"}},
}
HEADERS_BY_STATUS: dict[str, dict[str, Any]] = {
    "206": {"Content-Range": {"description": "The range sent, and the size of the file", "schema": {"type": "string"}}},
    "416": {"Content-Range": {"description": "The size of the file", "schema": {"type": "string"}}},
}
RETRY = {"Retry-After": {"description": "Seconds after which to retry", "schema": {"type": "integer", "minimum": 1}}}
ETAG = {"ETag": {"description": "The document's SHA-256 in quotation marks", "schema": {"type": "string"}}}
WITH_ETAG = ("putDocument", "getFile", "getText")
PARAMETERS: dict[tuple[str, str], dict[str, Any]] = {
    ("path", "source"): {"example": SOURCE},
    ("path", "collection"): {"schema": NAME},
    ("query", "collection"): {"schema": NAME | {"default": "default"}},
    ("query", "sha256"): {"schema": {"type": "string"}},
    ("query", "cursor"): {"schema": {"type": "string", "minLength": 8}},
}


def completed(paths: dict[str, Any]) -> dict[str, Any]:
    """The paths of the OpenAPI document with these additions."""
    return {path: {method: _operation(operation) for method, operation in item.items()} for path, item in paths.items()}


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    name = operation["operationId"]
    body = {"requestBody": BODIES[name]} if name in BODIES else {}
    responses = {status: _response(name, status, response) for status, response in operation["responses"].items()}
    parameters = [
        parameter | PARAMETERS.get((parameter["in"], parameter["name"]), {})
        for parameter in operation.get("parameters", [])
    ]
    return operation | body | {"responses": responses} | ({"parameters": parameters} if parameters else {})


def _response(name: str, status: str, response: dict[str, Any]) -> dict[str, Any]:
    headers = response.get("headers", {}) | HEADERS | HEADERS_BY_STATUS.get(status, {})
    if status == "503":
        headers |= RETRY
    if name in WITH_ETAG and status in ("200", "201", "206", "304"):
        headers |= ETAG
    if name == "getFile" and status in ("200", "206"):
        response = response | {
            "content": dict.fromkeys(("text/plain", "text/markdown"), response["content"]["text/plain"])
        }
    links = LINKS.get(name, {}) if status in ("200", "201") else {}
    targets = {
        f"{target}After": {"operationId": target, "parameters": parameters} for target, parameters in links.items()
    }
    return response | {"headers": headers} | ({"links": targets} if targets else {})
