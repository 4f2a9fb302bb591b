"""Routes for questions: one, a batch, passages only, or a context for the caller's own model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.openapi.spec import Example
from litestar.params import Body
from litestar.response import Stream

from index.errors import BadPattern, CollectionNotFound
from service import errors
from service.answering.answering import Answering
from service.http import examples
from service.http.contract import (
    LINES,
    NO_STORE,
    JsonBody,
    acceptable,
    json_decoded,
    json_sent,
    known_parameters,
    problem_specs,
    success,
)
from service.http.problems import AppRequest, encode_problem
from service.http.validation import check, check_length, decode_text
from service.scheduling.workers import Workers, until_disconnect
from service.schema import (
    AskParameters,
    AskRequest,
    AskResponse,
    BatchRequest,
    ContextRequest,
    ContextResponse,
    SearchRequest,
    SearchResponse,
)
from service.settings import Settings

GUARDS = [json_sent, known_parameters, acceptable, json_decoded]
KINDS = (
    errors.MalformedJson,
    errors.BadField,
    errors.RepeatedField,
    CollectionNotFound,
    errors.NotAcceptable,
    errors.BodyTooLarge,
    errors.UnsupportedMedia,
    errors.NumberOutOfRange,
    errors.LengthOutOfRange,
    errors.BlankText,
    errors.NulCharacter,
    BadPattern,
    errors.Overloaded,
)
PROBLEMS = problem_specs(*KINDS)


def sent(example: object) -> object:
    return Body(media_type=RequestEncodingType.JSON, examples=[Example(id="request", value=example)])


@post(
    "/v1/ask",
    operation_id="ask",
    summary="Answer a question with quotations",
    tags=["questions"],
    dto=JsonBody[AskRequest],
    return_dto=None,
    guards=GUARDS,
    opt={"scope": "ask"},
    status_code=200,
    response_headers=NO_STORE,
    responses={200: success(AskResponse, "Answers, or an abstention", examples.answered("ask")), **PROBLEMS},
)
async def ask(
    request: AppRequest,
    data: Annotated[AskRequest, sent(examples.asked("ask"))],
    answering: NamedDependency[Answering],
    questions: NamedDependency[Workers],
    settings: NamedDependency[Settings],
) -> AskResponse:
    """`status` says whether there is an answer. Each answer is a verbatim quotation from the documents."""
    check_length(len(data.question), "characters", 1, settings.max_question, "question")
    deadline = questions.deadline(data.deadline_ms, request.scope["state"]["received"])
    work = partial(answering.ask, data, request.scope["state"]["request_id"], deadline)
    return await until_disconnect(request.receive, deadline, questions.run(work, deadline))


@post(
    "/v1/ask/batch",
    operation_id="askBatch",
    summary="Answer up to 1,000 questions",
    tags=["questions"],
    dto=JsonBody[BatchRequest],
    return_dto=None,
    guards=GUARDS,
    status_code=200,
    media_type=LINES,
    opt={"scope": "ask", "produces": LINES},
    responses={
        200: success(
            AskResponse,
            "One line per question, in order, as soon as it is answered: a response as from /v1/ask, or a problem",
            examples.answered("ask"),
            LINES,
        ),
        **PROBLEMS,
    },
)
async def ask_batch(
    request: AppRequest,
    data: Annotated[BatchRequest, sent(examples.BATCH)],
    answering: NamedDependency[Answering],
    questions: NamedDependency[Workers],
    settings: NamedDependency[Settings],
) -> Stream:
    """A question that cannot be answered becomes a problem object on its own line; the other questions are answered."""
    check_length(len(data.questions), "items", 1, settings.max_batch, "questions")
    # An unknown collection fails the whole request, not each line.
    await questions.run(partial(answering.searcher, data.collection))
    request_id = request.scope["state"]["request_id"]
    works = [
        partial(answer_line, answering, data, number, settings.max_question, request_id)
        for number in range(len(data.questions))
    ]
    return Stream(lines(questions, works), media_type=LINES, headers=NO_STORE)


async def lines(questions: Workers, works: Sequence[Callable[[], bytes]]) -> AsyncIterator[bytes]:
    async for line in questions.in_order(works):
        yield line + b"\n"


def answer_line(answering: Answering, batch: BatchRequest, number: int, longest: int, request_id: str) -> bytes:
    """The response to one question of a batch, or its problem."""
    try:
        question = decode_text(batch.questions[number], f"questions[{number}]")
        check_length(len(question), "characters", 1, longest, f"questions[{number}]")
        shared = {name: getattr(batch, name) for name in AskParameters.__struct_fields__}
        return msgspec.json.encode(answering.ask(check(AskRequest(question=question, **shared)), request_id))
    except Exception as error:  # noqa: BLE001  # the response has begun, so nothing may be raised any more
        return encode_problem(error, request_id)


@post(
    "/v1/search",
    operation_id="search",
    summary="Find passages",
    tags=["questions"],
    dto=JsonBody[SearchRequest],
    return_dto=None,
    guards=GUARDS,
    opt={"scope": "ask"},
    status_code=200,
    response_headers=NO_STORE,
    responses={200: success(SearchResponse, "Passages, best first", examples.answered("search")), **PROBLEMS},
)
async def search(
    request: AppRequest,
    data: Annotated[SearchRequest, sent(examples.asked("search"))],
    answering: NamedDependency[Answering],
    questions: NamedDependency[Workers],
    settings: NamedDependency[Settings],
) -> SearchResponse:
    """Retrieval only, without reading."""
    check_length(len(data.query), "characters", 1, settings.max_question, "query")
    deadline = questions.deadline(None, request.scope["state"]["received"])
    work = partial(answering.search, data, deadline)
    return await until_disconnect(request.receive, deadline, questions.run(work, deadline))


@post(
    "/v1/context",
    operation_id="context",
    summary="Pack passages for your own model",
    tags=["questions"],
    dto=JsonBody[ContextRequest],
    return_dto=None,
    guards=GUARDS,
    opt={"scope": "ask"},
    status_code=200,
    response_headers=NO_STORE,
    responses={
        200: success(ContextResponse, "A context and the citations of its marks", examples.answered("context")),
        **problem_specs(*KINDS, errors.UnknownTokens),
    },
)
async def context(
    request: AppRequest,
    data: Annotated[ContextRequest, sent(examples.asked("context"))],
    answering: NamedDependency[Answering],
    questions: NamedDependency[Workers],
    settings: NamedDependency[Settings],
) -> ContextResponse:
    """The best passages that fit into `max_tokens`, each under a mark such as `[1]`, with a citation for each mark."""
    check_length(len(data.question), "characters", 1, settings.max_question, "question")
    deadline = questions.deadline(None, request.scope["state"]["received"])
    work = partial(answering.context, data, request.scope["state"]["request_id"], deadline)
    return await until_disconnect(request.receive, deadline, questions.run(work, deadline))
