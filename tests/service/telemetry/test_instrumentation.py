"""Metrics, traces and logs of the service, and what they must not contain."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from service.answering.answering import Answering
from service.errors import BadSetting
from service.http.app import create_app
from service.schema import Ready
from service.settings import Settings
from tests.support.commands import ROOT, pincite, serving

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
QUESTION = "When does the ferry leave Aldhaven?"


@pytest.fixture(scope="module")
def client(index_folder: Path) -> Iterator[TestClient[Any]]:
    settings = Settings.from_env({}, allow_anonymous_writes=True)
    with TestClient(create_app(Answering.open(index_folder), settings)) as client:
        yield client


def samples(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def metrics(client: TestClient[Any]) -> Samples:
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return samples(response.text)


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_a_question_is_counted_in_every_metric_that_it_belongs_to(client: TestClient[Any]) -> None:
    before = metrics(client)
    client.post("/v1/ask", json={"question": QUESTION, "min_confidence": 0})
    client.post("/v1/ask", json={"question": QUESTION, "min_confidence": 1})
    client.post("/v1/ask", json={"question": QUESTION, "deadline_ms": 1})
    client.post("/v1/ask/batch", json={"questions": [QUESTION, " "], "min_confidence": 0})
    after = metrics(client)
    grown = {at: after[at] - before.get(at, 0) for at in after if after[at] != before.get(at, 0)}
    asked = {"method": "POST", "path": "/v1/ask", "status_code": "200"}
    assert grown[key("pincite_requests_total", **asked)] == 3
    assert grown[key("pincite_request_duration_seconds_count", **asked)] == 3
    assert grown[key("pincite_answers_total", status="answered")] == 2
    assert grown[key("pincite_answers_total", status="abstained")] == 2
    assert grown[key("pincite_answer_confidence_count")] == 4
    for stage in ("retrieve", "read"):
        assert grown[key("pincite_stages_skipped_total", stage=stage)] == 1
        assert grown[key("pincite_stage_duration_seconds_count", stage=stage)] == 3
    assert grown[key("pincite_stage_duration_seconds_count", stage="compose")] == 4
    assert grown[key("pincite_passages_read_count")] == 3
    assert grown[key("pincite_passages_read_sum")] <= grown[key("pincite_pairs_read_sum")]
    assert grown[key("pincite_queue_wait_seconds_count")] == 6
    assert after[key("pincite_queue_length")] == 0


def test_the_index_is_shown_as_it_is_now(client: TestClient[Any]) -> None:
    ready = client.get("/ready").json()
    shown = metrics(client)
    labels = {"collection": "default", "version": ready["index_version"], "encoder": ready["models"][0]["name"]}
    assert shown[key("pincite_index_info", **labels)] == 1
    assert shown[key("pincite_index_documents", collection="default")] == ready["collections"][0]["documents"]
    assert shown[key("pincite_index_passages", collection="default")] == ready["collections"][0]["passages"]


def test_no_label_takes_what_a_caller_makes_up(client: TestClient[Any]) -> None:
    routes = {*client.get("/schema/openapi.json").json()["paths"], "/schema", "/schema/openapi.json", "unmatched"}
    for number in range(20):
        client.get(f"/v1/documents/made-up-{number}.txt?made-up={number}")
        client.get(f"/made/up/{number}", headers={"Host": f"made-up-{number}"})
        client.request(f"MADEUP{number}", "/health")
        client.head(f"/v1/files/made-up-{number}")
        client.post("/v1/ask", json={"question": f"made up {number}", "collection": f"made-up-{number}"})
    response = client.get("/metrics").text
    assert not re.search("made.?up", response, re.IGNORECASE)
    requests = [dict(labels) for name, labels in samples(response) if name == "pincite_requests_total"]
    assert {each["path"] for each in requests if not each["path"].startswith("/schema/")} <= routes
    assert {"other", "HEAD", "GET", "POST"} <= {each["method"] for each in requests}
    assert key("pincite_requests_total", method="GET", path="unmatched", status_code="404") in samples(response)


def test_refused_requests_are_counted_and_logged_too(index_folder: Path) -> None:
    with serving("--index", index_folder, "--log-format", "json") as (process, address):
        assert httpx.get(f"{address}/health", headers={"Host": "evil.example"}).status_code == 403
        shown = samples(httpx.get(f"{address}/metrics", timeout=10).text)
        assert shown[key("pincite_requests_total", method="GET", path="/health", status_code="403")] == 1
        assert process.stderr
        assert 403 in [json.loads(line).get("status") for line in process.stderr]


class Failing(Answering):
    def ready(self) -> Ready:
        raise RuntimeError


def test_every_metric_is_documented_and_every_documented_one_is_there(index_folder: Path) -> None:
    settings = Settings.from_env({}, allow_anonymous_writes=True)
    with TestClient(create_app(Failing.open(index_folder), settings)) as client:
        assert client.get("/ready").status_code == 500
        response = client.get("/metrics").text
    families = {family.name for family in text_string_to_metric_families(response)}
    ours = {name for name in families if name.startswith("pincite_")}
    documented = set(
        re.findall(r"^\| `(pincite_\w+)", (ROOT / "docs" / "operations.md").read_text("utf-8"), re.MULTILINE)
    )
    assert {name.removesuffix("_total").removesuffix("_info") for name in documented} == {
        name.removesuffix("_info") for name in ours
    }


def test_an_answer_that_was_kept_is_a_hit(index_folder: Path) -> None:
    answering = Answering.open(index_folder, cache_bytes=1_000_000)
    with TestClient(create_app(answering, Settings.from_env({}, allow_anonymous_writes=True))) as client:
        before = metrics(client)
        for _ in range(3):
            client.post("/v1/ask", json={"question": QUESTION})
        after = metrics(client)
        looked_up = {result: key("pincite_answer_cache_lookups_total", result=result) for result in ("hit", "miss")}
        assert {result: after[at] - before[at] for result, at in looked_up.items()} == {"hit": 2, "miss": 1}
        assert after[key("pincite_answer_cache_bytes")] == answering.cache.bytes > 0


def test_several_processes_tell_the_sum_of_all(index_folder: Path, tmp_path: Path) -> None:
    def answers(address: str) -> set[float]:
        """The metrics of all processes; each new connection may reach another one."""
        response = [samples(httpx.get(f"{address}/metrics", timeout=10).text) for _ in range(6)]
        assert all(each[key("pincite_index_documents", collection="default")] == 5 for each in response)
        return {sum(value for (name, _), value in each.items() if name == "pincite_answers_total") for each in response}

    shared = {"TMPDIR": str(tmp_path)}
    with serving("--index", index_folder, "--processes", "2", env=shared) as (process, address):
        for _ in range(5):
            assert httpx.post(f"{address}/v1/ask", json={"question": QUESTION}, timeout=30).status_code == 200
        assert answers(address) == {5}
        assert list(tmp_path.glob("pincite-*"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
    assert not list(tmp_path.glob("pincite-*"))


SECRETS = ("Aldhaven", "ferry", "7:40", "s3cret", "harbour")


def lines(logged: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged.splitlines()]


def test_each_request_is_one_line_with_its_id_and_nothing_of_what_was_asked(index_folder: Path) -> None:
    with serving("--index", index_folder, "--log-format", "json") as (process, address):
        headers = {"Authorization": "Bearer s3cret"}
        responses = [
            httpx.post(f"{address}/v1/ask", json={"question": QUESTION}, headers=headers, timeout=30),
            httpx.post(f"{address}/v1/ask?token=s3cret", json={"question": QUESTION}, headers=headers),
            httpx.get(f"{address}/v1/files/harbour/ferry.txt"),
            httpx.get(f"{address}/v1/files/harbour/none.txt"),
            httpx.get(f"{address}/s3cret"),
            httpx.post(f"{address}/v1/ask", content=b'{"question": "Aldhaven', headers=headers),
        ]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
        assert process.stderr
        logged = process.stderr.read()
    for secret in SECRETS:
        assert secret not in logged
    ready, *requests, stopped = lines(logged)
    assert (ready["event"], ready["address"], ready["documents"]) == ("ready", address, 5)
    assert stopped["event"] == "stopped"
    for line, response in zip(requests, responses, strict=True):
        assert line.keys() == {"event", "level", "time", "request_id", "method", "route", "status", "ms"}
        assert line["request_id"] == response.headers["x-request-id"]
        assert (line["method"], line["status"]) == (response.request.method, response.status_code)
    assert [line["route"] for line in requests] == [
        "/v1/ask",
        "/v1/ask",
        "/v1/files/{source}",
        "/v1/files/{source}",
        "unmatched",
        "/v1/ask",
    ]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_failure_is_logged_with_its_stack_and_without_what_it_quotes(form: str) -> None:
    script = f"""
import logging
from structlog.contextvars import bound_contextvars
from index.errors import DocumentNotFound
from service.telemetry.logs import configure_logs
configure_logs({form!r})
def fail(question):
    raise ValueError("cannot parse " + question)
with bound_contextvars(request_id="0192"):
    try:
        fail("private matters")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("it failed")
    try:
        raise DocumentNotFound(source="a.txt", collection="default")
    except DocumentNotFound:
        logging.getLogger("pincite").exception("not there")
logging.getLogger("other").info("unwanted")
"""
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stderr
    assert "private" not in process
    assert "unwanted" not in process
    assert "ValueError" in process
    assert "in fail" in process
    assert "The document 'a.txt' does not exist" in process
    if form == "json":
        first, second = lines(process)
        assert (first["event"], first["level"], first["request_id"]) == ("it failed", "error", "0192")
        assert second["request_id"] == "0192"


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP/HTTP collector of traces on loopback."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/x-protobuf"
            received.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()


def spans_in(received: list[bytes]) -> list[Span]:
    requests = [ExportTraceServiceRequest.FromString(body) for body in received]
    scopes = [scope for request in requests for resource in request.resource_spans for scope in resource.scope_spans]
    return [span for scope in scopes for span in scope.spans]


def below(parent: Span, spans: list[Span]) -> list[Span]:
    found = [span for span in spans if span.parent_span_id == parent.span_id]
    return sorted(found, key=lambda span: span.start_time_unix_nano)


def test_each_stage_of_a_question_is_a_span_of_its_request(index_folder: Path) -> None:
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with collector() as (url, received), serving("--index", index_folder, "--otlp", url) as (process, address):
        response = httpx.post(
            f"{address}/v1/ask", json={"question": QUESTION}, headers={"traceparent": caller}, timeout=30
        )
        httpx.post(f"{address}/v1/ask/batch", json={"questions": [QUESTION, " ", QUESTION]}, timeout=30)
        httpx.get(f"{address}/v1/files/harbour/ferry.txt?sha256=Aldhaven")
        httpx.get(f"{address}/nowhere/ferry?token=%ff")
        for path in ("health", "ready", "metrics"):
            httpx.get(f"{address}/{path}", timeout=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert process.stderr
        assert "rror" not in process.stderr.read()
    spans = spans_in(received)
    assert {span.name for span in spans} == {
        "POST /v1/ask",
        "POST /v1/ask/batch",
        "GET /v1/files/{source}",
        "GET unmatched",
        "ask",
        "retrieve",
        "read",
        "compose",
    }
    (request,) = (span for span in spans if span.name == "POST /v1/ask")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == tuple(caller.split("-")[1:3])
    (ask,) = below(request, spans)
    assert [span.name for span in below(ask, spans)] == ["retrieve", "read", "compose"]
    for stage in below(ask, spans):
        assert ask.start_time_unix_nano <= stage.start_time_unix_nano <= stage.end_time_unix_nano
        assert stage.end_time_unix_nano <= ask.end_time_unix_nano
    facts = {each.key: each.value for each in ask.attributes}
    assert facts["pincite.request_id"].string_value == response.headers["x-request-id"]
    assert facts["pincite.confidence"].double_value == response.json()["confidence"]
    (batch,) = (span for span in spans if span.name == "POST /v1/ask/batch")
    assert [span.name for span in below(batch, spans)] == ["ask", "ask"]
    sent = b"".join(received)
    for secret in (*SECRETS, "token", "%ff"):
        assert secret.encode() not in sent


def test_a_collector_that_is_away_stops_nothing(index_folder: Path) -> None:
    with collector() as (url, _):
        pass
    with serving("--index", index_folder, "--otlp", url) as (process, address):
        assert httpx.post(f"{address}/v1/ask", json={"question": QUESTION}, timeout=30).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_an_address_that_is_no_collector_is_refused(index_folder: Path) -> None:
    for wrong in ("localhost:4318", "ftp://localhost", "http://", "http://[::", ""):
        with pytest.raises(BadSetting, match="the address of a collector"):
            Settings.from_env({}, otlp=wrong)
    result = pincite("serve", "--index", index_folder, "--port", "0", env={"PINCITE_OTLP": "localhost:4318"})
    assert result.returncode == 2
    assert result.stderr.startswith("pincite: --otlp is 'localhost:4318'; it must be the address of a collector")


def test_what_is_not_asked_for_is_not_imported(index_folder: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from service.answering.answering import Answering
from service.http.app import create_app
from service.telemetry.logs import configure_logs
from service.settings import Settings
configure_logs("console")
create_app(Answering.open(Path({str(index_folder)!r})), Settings.from_env({{}}, allow_anonymous_writes=True))
print([name for name in sys.modules if name.startswith(("opentelemetry", "rich", "pygments"))])
"""
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.stdout == "[]\n", process.stderr
