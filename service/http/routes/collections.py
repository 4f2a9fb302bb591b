"""Routes for collections: list, create, drop."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from litestar import Response, delete, get, put
from litestar.di import NamedDependency
from litestar.params import PathParameter

from index.errors import (
    BadCollectionName,
    CollectionExists,
    CollectionNotFound,
    CollectionNotMade,
    DefaultCollection,
    IndexLocked,
    IndexProblem,
    StorageFull,
    StorageReadOnly,
    StoreUnavailable,
)
from service import errors
from service.answering.answering import Answering
from service.http import examples
from service.http.contract import (
    NO_STORE,
    acceptable,
    json_sent,
    known_parameters,
    problem_specs,
    success,
)
from service.http.problems import AppRequest
from service.http.validation import decode_apart
from service.scheduling.workers import ChangeWorkers, Workers
from service.schema import CollectionInfo, CollectionList, CollectionRequest

GUARDS = [known_parameters, acceptable]
EXAMPLE = examples.answered("collection")
Name = Annotated[str, PathParameter(description="1 to 64 lower-case letters, digits and hyphens")]


@get(
    "/v1/collections",
    operation_id="listCollections",
    summary="List collections",
    tags=["collections"],
    guards=GUARDS,
    opt={"scope": "read"},
    response_headers=NO_STORE,
    responses={
        200: success(CollectionList, "All collections", examples.answered("collections")),
        **problem_specs(errors.NotAcceptable, IndexProblem),
    },
)
async def list_collections(answering: NamedDependency[Answering], workers: NamedDependency[Workers]) -> CollectionList:
    return CollectionList(collections=await workers.run(answering.collections))


@get(
    "/v1/collections/{collection:str}",
    operation_id="getCollection",
    summary="Read a collection's size and encoder",
    tags=["collections"],
    guards=GUARDS,
    opt={"scope": "read"},
    response_headers=NO_STORE,
    responses={
        200: success(CollectionInfo, "The collection", EXAMPLE),
        **problem_specs(errors.NotAcceptable, errors.Overloaded, CollectionNotFound),
    },
)
async def get_collection(
    *, collection: Name, answering: NamedDependency[Answering], workers: NamedDependency[Workers]
) -> CollectionInfo:
    return await workers.run(partial(answering.collection_info, collection))


@put(
    "/v1/collections/{collection:str}",
    operation_id="putCollection",
    summary="Create a collection",
    tags=["collections"],
    guards=GUARDS,
    opt={"scope": "admin"},
    responses={
        200: success(CollectionInfo, "It already exists", EXAMPLE),
        201: success(CollectionInfo, "Made", EXAMPLE),
        **problem_specs(
            errors.NotAcceptable,
            errors.MalformedJson,
            errors.BadField,
            errors.UnsupportedMedia,
            errors.Overloaded,
            errors.UnknownEncoder,
            BadCollectionName,
            CollectionExists,
            CollectionNotMade,
            StoreUnavailable,
        ),
    },
)
async def put_collection(
    *,
    request: AppRequest,
    collection: Name,
    answering: NamedDependency[Answering],
    changes: NamedDependency[ChangeWorkers],
) -> Response[CollectionInfo]:
    """The body can name an encoder: `{"encoder": "all-MiniLM-L6-v2"}`, which is also the default.

    Idempotent: an existing collection with that encoder is left unchanged.
    """
    body = await request.body()
    if body:
        json_sent(request, request.route_handler)
    wanted = await decode_apart(body, CollectionRequest) if body else CollectionRequest()
    new = await changes.commit(partial(answering.make_collection, collection, wanted.encoder))
    info = await changes.commit(partial(answering.collection_info, collection))
    return Response(info, status_code=201 if new else 200, headers=NO_STORE)


@delete(
    "/v1/collections/{collection:str}",
    operation_id="deleteCollection",
    summary="Drop a collection",
    tags=["collections"],
    guards=GUARDS,
    opt={"scope": "admin"},
    response_headers=NO_STORE,
    responses={
        204: success(None, "Dropped with all its documents"),
        **problem_specs(
            errors.NotAcceptable,
            errors.Overloaded,
            CollectionNotFound,
            DefaultCollection,
            IndexLocked,
            StorageFull,
            StorageReadOnly,
        ),
    },
)
async def delete_collection(
    *, collection: Name, answering: NamedDependency[Answering], changes: NamedDependency[ChangeWorkers]
) -> None:
    """The collection `default` cannot be dropped: 409."""
    await changes.commit(partial(answering.drop_collection, collection))
