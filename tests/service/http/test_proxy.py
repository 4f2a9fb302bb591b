"""The proxy of the Compose profile `milvus`: Debian's nginx with our configuration, before two real services."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from getpass import getuser
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from msgspec import Struct

from tests.service.telemetry.test_dashboard import free_port
from tests.support.commands import ROOT, serving

CONFIG = (ROOT / "service" / "proxy" / "nginx.conf").read_text("utf-8")
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
LIMIT = 100_000  # bytes of a document, so that tests need not send 64 MB
PATIENCE_S = 60


class Proxied(Struct):
    url: str
    replicas: dict[str, subprocess.Popen[str]]  # by address


@pytest.fixture
def proxied(index_folder: Path, tmp_path: Path) -> Iterator[Proxied]:
    """Two services on one index behind the proxy, which gets their addresses instead of asking Docker."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed (Debian's package `nginx`)")
    with ExitStack() as stack:
        limits = {"PINCITE_MAX_DOCUMENT_BYTES": str(LIMIT), "PINCITE_CACHE_BYTES": "0"}
        started = [stack.enter_context(serving("--index", index_folder, env=limits)) for _ in range(2)]
        replicas = {address: process for process, address in started}
        hosts = [address.removeprefix("http://") for address in replicas]
        servers = "".join(f"server {host} max_fails=1 fail_timeout=5s;\n" for host in hosts)
        port = free_port()
        config = re.sub(r"server replica:8000 resolve [^;]*;", servers, CONFIG)
        config = config.replace("listen 8000;", f"listen 127.0.0.1:{port};").replace("/tmp/", f"{tmp_path}/")  # noqa: S108
        user = f"user {getuser()};\n"  # otherwise root would write as an unprivileged user
        (tmp_path / "nginx.conf").write_text(user + config, encoding="utf-8")
        log = stack.enter_context((tmp_path / "log").open("w"))
        command = [program, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
        process = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
        stack.callback(process.terminate)
        found = Proxied(f"http://127.0.0.1:{port}", replicas)
        await_ready(found.url)
        yield found


def await_ready(url: str) -> None:
    until = time.monotonic() + PATIENCE_S
    response: object = None
    while time.monotonic() < until:
        try:
            response = httpx.get(f"{url}/ready").status_code
        except httpx.TransportError as error:
            response = error
        if response == 200:
            return
        time.sleep(0.1)
    pytest.fail(f"the proxy is not ready: {response}")


def in_progress(replica: str) -> float:
    """The batches that a replica is answering."""
    text = httpx.get(f"{replica}/metrics").text
    counted = re.findall(r'^pincite_requests_in_progress\{.*path="/v1/ask/batch".*\} (\S+)$', text, re.MULTILINE)
    return sum(map(float, counted))


def test_every_question_is_answered_while_a_replica_is_killed(proxied: Proxied) -> None:
    statuses: list[int] = []
    killed = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=proxied.url, timeout=PATIENCE_S) as http:
            for number in range(15):
                asked = {"question": f"When does ferry {number} leave?"}
                statuses.append(http.post("/v1/ask", json=asked).status_code)
                if len(statuses) > 10 and not killed.is_set():
                    killed.set()
                    next(iter(proxied.replicas.values())).kill()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert killed.is_set()
    assert statuses == [200] * 60


def test_it_says_when_no_replica_is_left_in_the_form_of_the_service(proxied: Proxied) -> None:
    first, second = proxied.replicas.values()
    first.kill()
    first.wait()
    assert httpx.post(f"{proxied.url}/v1/ask", json={"question": "Do dogs travel free?"}).status_code == 200
    second.kill()
    second.wait()
    for path in ("/ready", "/v1/documents/metals.md"):
        reply = httpx.get(proxied.url + path)
        assert reply.status_code == reply.json()["status"] == 503
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert int(reply.headers["Retry-After"]) == reply.json()["retry_after"]


def test_a_batch_streams(proxied: Proxied) -> None:
    questions = {"questions": [f"Who sold bicycle number {number}?" for number in range(1000)]}
    with httpx.stream("POST", f"{proxied.url}/v1/ask/batch", json=questions, timeout=PATIENCE_S) as response:
        assert response.status_code == 200
        lines = response.iter_lines()
        next(lines)
        assert sum(map(in_progress, proxied.replicas)) == 1  # the rest is still being answered


def test_host_and_refusals_come_through_unchanged(proxied: Proxied) -> None:
    path = "/v1/documents/too%20large.txt"
    body = b"All the same. " * LIMIT
    through = httpx.put(proxied.url + path, content=body)
    assert through.status_code == 413
    assert str(LIMIT) in through.text
    foreign = {"Host": "example.com"}
    replies = [httpx.get(f"{url}/v1/documents", headers=foreign) for url in (proxied.url, next(iter(proxied.replicas)))]
    assert {(reply.status_code, reply.json()["type"]) for reply in replies} == {
        (replies[1].status_code, replies[1].json()["type"])
    }
    assert replies[0].is_client_error


def test_the_file_names_what_the_compose_file_starts() -> None:
    ((name, port),) = re.findall(r"server (\w+):(\d+) resolve", CONFIG)
    replica, proxy = SERVICES[name], SERVICES["proxy"]
    assert replica["command"][replica["command"].index("--port") + 1] == port
    assert proxy["depends_on"] == {name: {"condition": "service_healthy"}}
    (published,) = proxy["ports"]
    assert f"listen {published.rpartition(':')[2]};" in CONFIG
    (volume,) = proxy["volumes"]
    source, target, mode = volume.split(":")
    assert (ROOT / source).read_text("utf-8") == CONFIG
    assert (target, mode) == ("/etc/nginx/nginx.conf", "ro")
    assert set(re.findall(r"/tmp|/dev/stderr|/var", CONFIG)) == {"/tmp", "/dev/stderr"}  # noqa: S108  # all that it may write
    assert proxy["tmpfs"] == ["/tmp"]  # noqa: S108
