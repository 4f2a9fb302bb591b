"""Calls about the service itself: whether it lives, what it serves."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from msgspec.structs import replace

from index.errors import IndexProblem
from service import errors
from service.answering import Answering
from service.contract import NO_STORE, acceptable, known_parameters, problem_specs, success
from service.problems import AppRequest
from service.scheduling import Workers
from service.schema import Health, Ready

GUARDS = [known_parameters, acceptable]
OPEN = None  # needs no key


@get(
    "/health",
    operation_id="health",
    summary="Is it alive?",
    tags=["state"],
    guards=GUARDS,
    opt={"scope": OPEN},
    response_headers=NO_STORE,
    responses={
        200: success(Health, "It is alive", {"status": "alive"}),
        **problem_specs(errors.NotAcceptable, closed=False),
    },
)
async def health() -> Health:
    """Answers as long as the process does; asks nothing of the index."""
    return Health(status="alive")


@get(
    "/ready",
    operation_id="ready",
    summary="Can it answer, and with what?",
    tags=["state"],
    guards=GUARDS,
    opt={"scope": OPEN},
    response_headers=NO_STORE,
    responses={
        200: success(Ready, "It can answer"),
        **problem_specs(errors.NotAcceptable, IndexProblem, errors.KeysUnusable, closed=False),
    },
)
async def ready(request: AppRequest, answering: NamedDependency[Answering], workers: NamedDependency[Workers]) -> Ready:
    """The index and the models that answers come from.

    Needs no key; collections are named to who may use them.
    """
    if isinstance(request.auth, errors.KeysUnusable):
        raise request.auth
    told = await workers.run(answering.ready)
    return replace(told, collections=[each for each in told.collections if request.user.sees(each.name)])
