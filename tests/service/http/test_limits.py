"""Every limit can be set, and an error names the limit that was exceeded."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from service.answering.answering import Answering
from service.cli.serve import ENVIRONMENT
from service.errors import BadSetting
from service.http.app import create_app
from service.settings import Settings

VARIABLES = [
    variable
    for variable in re.findall(r"^  (PINCITE_[A-Z_]+) ", ENVIRONMENT, re.MULTILINE)
    if variable != "PINCITE_CHOOSER_KEY"  # not a number
]
READ = partial(Settings.from_env, chooser="http://127.0.0.1:8080/v1", chooser_model="small")
SMALL = {
    "PINCITE_MAX_QUESTION": "20",
    "PINCITE_MAX_BATCH": "2",
    "PINCITE_MAX_BODY_BYTES": "200",
    "PINCITE_MAX_DOCUMENT_BYTES": "1000",
    "PINCITE_MAX_UPLOADS": "1",
}
SETTINGS = Settings.from_env(SMALL, allow_anonymous_writes=True)
LONG = "Who sold the yellow bicycle?"


@pytest.fixture(scope="module")
def answering(index_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Answering:
    index = tmp_path_factory.mktemp("limited") / "index"
    shutil.copytree(index_folder, index, symlinks=True)
    return Answering.open(index)


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_that_help_lists_is_read(variable: str) -> None:
    assert READ({variable: "1"}) != READ({}) or variable == "PINCITE_THREADS"
    for value in ("-1", "x", "1.5", "1e3", "٣", "9" * 40):
        with pytest.raises(BadSetting) as error:
            READ({variable: value})
        assert variable in str(error.value)


def test_a_limit_of_the_contract_can_be_lowered_only() -> None:
    for variable, most in {"PINCITE_MAX_QUESTION": 2000, "PINCITE_MAX_BATCH": 1000}.items():
        Settings.from_env({variable: str(most)})
        with pytest.raises(BadSetting, match=f"from 1 to {most}"):
            Settings.from_env({variable: str(most + 1)})


def test_who_goes_beyond_a_limit_is_told_which(answering: Answering) -> None:
    client = TestClient(create_app(answering, SETTINGS))

    def problem(path: str, body: dict[str, Any]) -> dict[str, Any]:
        return dict(client.post(path, json=body).json())

    asked, searched = problem("/v1/ask", {"question": LONG}), problem("/v1/search", {"query": LONG})
    for result, field in ((asked, "question"), (searched, "query")):
        assert (result["status"], result["field"], result["maximum"]) == (422, field, 20)
    result = problem("/v1/ask/batch", {"questions": ["Who?"] * 3})
    assert (result["status"], result["field"], result["maximum"]) == (422, "questions", 2)
    lines = client.post("/v1/ask/batch", json={"questions": ["Who?", LONG]}).text.splitlines()
    assert [json.loads(line)["status"] for line in lines][1] == 422
    result = problem("/v1/search", {"query": "Who?", "sources": ["a" * 200]})
    assert (result["status"], result["limit"]) == (413, 200)
    for size, status in ((1000, 201), (1001, 413)):
        answered = client.put("/v1/documents/a.txt", content=b"a" * size)
        assert answered.status_code == status
    assert answered.json()["limit"] == 1000


def test_one_upload_too_many_is_refused_before_its_body_is_read(answering: Answering) -> None:
    app = create_app(answering, SETTINGS)

    async def put(source: str, may_go_on: asyncio.Event, started: asyncio.Event) -> tuple[int, dict[bytes, bytes]]:
        path = f"/v1/documents/{source}"
        scope = {
            "type": "http",
            "method": "PUT",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-type", b"text/plain")],
        }
        answers: list[dict[str, Any]] = []

        async def receive() -> dict[str, object]:
            started.set()
            await may_go_on.wait()
            return {"type": "http.request", "body": b"Owls hunt.", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            answers.append(message)

        await app(scope, receive, send)  # type: ignore[arg-type]
        return answers[0]["status"], dict(answers[0]["headers"])

    async def two_at_a_time() -> None:
        free, started, never = asyncio.Event(), asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(put("first.txt", free, started))
        await started.wait()
        status, headers = await put("second.txt", asyncio.Event(), never)
        assert (status, headers[b"retry-after"], never.is_set()) == (503, b"1", False)
        free.set()
        assert (await first)[0] == 201
        assert (await put("second.txt", free, never))[0] == 201

    asyncio.run(asyncio.wait_for(two_at_a_time(), 60))
