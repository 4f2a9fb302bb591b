"""The route that verifies citations."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from litestar import post
from litestar.di import NamedDependency

from index.errors import CollectionNotFound
from service import errors
from service.answering.answering import Answering
from service.http import examples
from service.http.contract import NO_STORE, JsonBody, problem_specs, success
from service.http.routes.questions import GUARDS, sent
from service.scheduling.workers import Workers
from service.schema import VerifyRequest, VerifyResponse


@post(
    "/v1/citations/verify",
    operation_id="verifyCitations",
    summary="Verify up to 1,000 citations",
    tags=["citations"],
    dto=JsonBody[VerifyRequest],
    return_dto=None,
    guards=GUARDS,
    opt={"scope": "read"},
    status_code=200,
    response_headers=NO_STORE,
    responses={
        200: success(VerifyResponse, "The status of each citation, in order", examples.answered("verify")),
        **problem_specs(
            errors.MalformedJson,
            errors.BadField,
            errors.RepeatedField,
            CollectionNotFound,
            errors.NotAcceptable,
            errors.BodyTooLarge,
            errors.UnsupportedMedia,
            errors.LengthOutOfRange,
            errors.NulCharacter,
            errors.Overloaded,
        ),
    },
)
async def verify_citations(
    data: Annotated[VerifyRequest, sent(examples.asked("verify"))],
    answering: NamedDependency[Answering],
    workers: NamedDependency[Workers],
) -> VerifyResponse:
    """Send citations as you received them; `source`, `sha256`, `range.codepoint` and `quote.exact` are enough.

    - `valid`: the document has the same bytes, and the quote is at the cited position in every unit given.
    - `moved`: the bytes or the position changed, and the same whole sentences occur verbatim in exactly one certain
      place: in the live version of the document, or in a document of another name with the cited bytes. If there are
      several places, `prefix`, `suffix` and `sentences` decide.
    - `changed`: the document, or its content under another name, exists, but the quote has no certain place in it: it
      was edited, merged into a longer sentence, got other line breaks, or occurs several times in equal surroundings. A
      citation that was never right is also `changed` if its quote occurs nowhere.
    - `deleted`: neither the document nor its content exists.

    `citation` is the up-to-date citation, with those of `also` that still have a place; null if it was changed or
    deleted. Unknown members of a citation are ignored, so citations of other versions of Pincite can be sent.
    """
    return await workers.run(partial(answering.verify, data))
