"""Routes about the service itself: liveness, readiness, metrics."""

from __future__ import annotations

import asyncio

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.plugins.prometheus import PrometheusController
from msgspec.structs import replace

from index.errors import IndexProblem
from service import errors
from service.answering.answering import Answering
from service.http import examples
from service.http.contract import NO_STORE, acceptable, known_parameters, problem_specs, success
from service.http.problems import AppRequest
from service.scheduling.workers import Workers
from service.schema import Health, Ready
from service.telemetry.metrics import index_metrics

GUARDS = [known_parameters, acceptable]
OPEN = None  # needs no key


@get(
    "/health",
    operation_id="health",
    summary="Liveness",
    tags=["state"],
    guards=GUARDS,
    opt={"scope": OPEN},
    response_headers=NO_STORE,
    responses={
        200: success(Health, "The process runs", {"status": "alive"}),
        **problem_specs(errors.NotAcceptable, closed=False),
    },
)
async def health() -> Health:
    """Answers as long as the process runs; does not use the index."""
    return Health(status="alive")


@get(
    "/ready",
    operation_id="ready",
    summary="Readiness",
    tags=["state"],
    guards=GUARDS,
    opt={"scope": OPEN},
    response_headers=NO_STORE,
    responses={
        200: success(Ready, "The service can answer", examples.answered("ready")),
        **problem_specs(errors.NotAcceptable, IndexProblem, errors.KeysUnusable, closed=False),
    },
)
async def ready(request: AppRequest, answering: NamedDependency[Answering], workers: NamedDependency[Workers]) -> Ready:
    """The index and the models that answers come from.

    Needs no key; collections are listed only to callers who may use them.
    """
    if isinstance(request.auth, errors.KeysUnusable):
        raise request.auth
    readiness = await workers.run(answering.ready)
    return replace(readiness, collections=[each for each in readiness.collections if request.user.sees(each.name)])


class Metrics(PrometheusController):
    """Litestar's controller, plus gauges for what the collections hold."""

    @get(
        operation_id="metrics",
        summary="Metrics",
        tags=["state"],
        guards=GUARDS,
        opt={"produces": "text/plain", "scope": "read"},
        response_headers=NO_STORE,
        responses={
            200: success(bytes, "Metrics in the Prometheus text format", media_type="text/plain"),
            **problem_specs(errors.NotAcceptable, IndexProblem),
        },
    )
    async def get(self, answering: NamedDependency[Answering]) -> Response[bytes]:
        """For Prometheus. It needs no worker thread, so it also answers while the service is overloaded."""
        counted: Response[bytes] = await PrometheusController.get.fn(self)
        index = await asyncio.to_thread(lambda: index_metrics(answering.searchers()))
        return Response(counted.content + index, headers=counted.headers)
