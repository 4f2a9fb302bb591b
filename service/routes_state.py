"""Calls about the service itself: whether it lives, what it serves."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from index.errors import IndexProblem
from service import errors
from service.answering import Answering
from service.contract import NO_STORE, acceptable, known_parameters, problem_specs, success
from service.scheduling import Workers
from service.schema import Health, Ready

GUARDS = [known_parameters, acceptable]


@get(
    "/health",
    operation_id="health",
    summary="Is it alive?",
    tags=["state"],
    guards=GUARDS,
    response_headers=NO_STORE,
    responses={200: success(Health, "It is alive", {"status": "alive"}), **problem_specs(errors.NotAcceptable)},
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
    response_headers=NO_STORE,
    responses={200: success(Ready, "It can answer"), **problem_specs(errors.NotAcceptable, IndexProblem)},
)
async def ready(answering: NamedDependency[Answering], workers: NamedDependency[Workers]) -> Ready:
    """The index and the models that answers come from."""
    return await workers.run(answering.ready)
