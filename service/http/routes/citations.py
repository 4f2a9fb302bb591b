"""The call that tells what became of citations."""

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
        200: success(VerifyResponse, "What became of each citation, in order", examples.answered("verify")),
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
    """Send citations as they were given; `source`, `sha256`, `range.codepoint` and `quote.exact` are enough.

    - `valid`: the document has the same bytes, and the quote stands where the citation says, in every unit given.
    - `moved`: the bytes or the place are others, and the same whole sentences stand, word for word, in one place that
      is certain: in the present version of the document, or in a document of another name with the bytes cited. Where
      there are several places, `prefix`, `suffix` and `sentences` tell which one it is.
    - `changed`: the document, or its content under another name, is there, and the quote has no certain place in it:
      it was edited, became part of a longer sentence, has other line breaks inside, or stands in several places alike.
      A citation that was never right comes out so too, if its quote stands nowhere.
    - `deleted`: neither the document nor its content is there.

    `citation` is where it stands now, whole and up to date, with those of `also` that stand somewhere; null if it was
    changed or deleted. Unknown members of a citation are ignored, so those of other versions of Pincite can be sent.
    """
    return await workers.run(partial(answering.verify, data))
