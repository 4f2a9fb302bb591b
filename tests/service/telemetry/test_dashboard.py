"""The dashboard's queries on a real Prometheus that scrapes a real service, and its Compose profile."""

from __future__ import annotations

import json
import math
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.commands import ROOT, serving

FOLDER = ROOT / "service" / "observability"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana" / "dashboards" / "pincite.json").read_text("utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
OBSERVERS = ("prometheus", "grafana")
QUERIES = {
    f"{panel['title']}: {target['legendFormat']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
PATIENCE_S = 60


def read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return loaded


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def prometheus(index_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of a Prometheus, configured like ours but faster, and of the service that it scrapes."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not installed (Debian's package `prometheus`)")
    folder = tmp_path_factory.mktemp("prometheus")
    with serving("--index", index_folder) as (_, service):
        config = read("prometheus.yml")
        config["global"]["scrape_interval"] = "1s"
        assert config["scrape_configs"][0].pop("dns_sd_configs")  # the replicas, which do not exist here
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [service.removeprefix("http://")]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        port = free_port()
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                yield f"http://127.0.0.1:{port}", service
            finally:
                process.terminate()


def ask(service: str, number: int) -> None:
    """A new question, because cached answers are not read for again."""
    for minimum in (0, 1):
        asked = {"question": f"When does ferry number {number} leave?", "min_confidence": minimum}
        assert httpx.post(f"{service}/v1/ask", json=asked, timeout=30).status_code == 200
    httpx.get(f"{service}/nowhere")


def answered(prometheus: str, query: str) -> bool:
    """Whether a query returns a number."""
    asked = {"query": query.replace("$__rate_interval", "15s")}
    try:
        response = httpx.get(f"{prometheus}/api/v1/query", params=asked)
    except httpx.TransportError:
        return False  # it is still starting
    if response.status_code == 503:
        return False
    assert response.status_code == 200, (query, response.text)
    return any(math.isfinite(float(series["value"][1])) for series in response.json()["data"]["result"])


def test_every_query_has_an_answer_once_there_is_traffic(prometheus: tuple[str, str]) -> None:
    address, service = prometheus
    waiting = dict(QUERIES)
    until = time.monotonic() + PATIENCE_S
    for number in count():
        if not waiting or time.monotonic() > until:
            break
        ask(service, number)
        waiting = {name: query for name, query in waiting.items() if not answered(address, query)}
        time.sleep(0.5)
    assert not waiting


def test_a_query_for_what_there_is_not_has_no_answer(prometheus: tuple[str, str]) -> None:
    assert not answered(prometheus[0], "pincite_nothing_of_the_kind")


def test_every_panel_says_what_it_shows_and_asks_the_source_that_is_provided() -> None:
    source = read("grafana/provisioning/datasources/prometheus.yml")["datasources"][0]
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
        assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert source["url"] == "http://prometheus:9090"
    (watched,) = read("prometheus.yml")["scrape_configs"]
    assert watched["static_configs"] == [{"targets": ["pincite:8000"]}]
    assert watched["dns_sd_configs"] == [{"names": ["replica"], "type": "A", "port": 8000}]
    assert "pincite" in COMPOSE
    assert "replica" in COMPOSE


@pytest.mark.parametrize("name", OBSERVERS)
def test_the_observers_start_on_demand_confined_and_for_this_machine_alone(name: str) -> None:
    observer = COMPOSE[name]
    assert observer["profiles"] == ["observe"]
    assert "profiles" not in COMPOSE["pincite"]
    image, _, tag = observer["image"].rpartition(":")
    assert image
    assert tag.strip("v").replace(".", "").isdigit()
    assert all(port.startswith("127.0.0.1:") for port in observer["ports"])
    assert int(observer["user"].split(":")[0]) > 0
    assert observer["cap_drop"] == ["ALL"]
    assert observer["read_only"] is True
    assert observer["mem_limit"]
    assert observer["cpus"]
    assert observer["healthcheck"]["test"][0] == "CMD"


def test_the_files_that_the_observers_are_given_exist() -> None:
    for name in OBSERVERS:
        for volume in COMPOSE[name]["volumes"]:
            source, target, *mode = volume.split(":")
            if source.startswith("."):
                assert (ROOT / source).exists()
                assert mode == ["ro"]
            else:
                assert target == "/prometheus"
    (provider,) = read("grafana/provisioning/dashboards/pincite.yml")["providers"]
    assert any(volume.split(":")[1] == provider["options"]["path"] for volume in COMPOSE["grafana"]["volumes"])
