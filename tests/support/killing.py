"""Kills a service under load repeatedly, and checks its data after each restart."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import median

import httpx

from index.errors import PinciteError
from index.maintenance.backup import restore
from index.maintenance.checking import check
from index.storage.layout import Layout

ROOT = Path(__file__).parents[2]
PINCITE = (sys.executable, "-m", "pincite")
WRITERS, ASKERS, SOURCES = 3, 2, 25  # threads that write and ask, and documents per writer
# What runs beside updates and questions when the service is killed, and how often.
KINDS = {"updates": 11, "compaction": 4, "build": 2, "collections": 2, "backup": 1}
MOST_CHANGES = 15  # changes to wait for before a kill
PATIENCE_S = 20  # timeout for them, and for a compaction
WORDS = ("heron", "quarry", "ferry", "copper", "lighthouse", "keeper", "winter", "market", "bridge", "letter", "valley")


class Ledger:
    """The possible states of each document and collection: one, or two while a change is in progress."""

    def __init__(self) -> None:
        self.allowed: dict[str, set[bytes | None]] = {}
        self.tried: dict[str, list[str | None]] = {}  # the hash of each requested state, in order
        self.acknowledged = 0

    @contextmanager
    def changing(self, states: dict[str, bytes | None]) -> Iterator[Callable[[], None]]:
        """Record a change as in progress; calling the result records it as acknowledged."""

        def acknowledge() -> None:
            self.allowed |= {source: {state} for source, state in states.items()}
            self.acknowledged += 1

        for source, state in states.items():
            self.allowed[source] = self.allowed.get(source, {None}) | {state}
            self.tried.setdefault(source, []).append(hash_of(state))
        yield acknowledge

    def told(self, source: str, found: str | None) -> str:
        """The violation, if a source is in none of its possible states."""
        tried = self.tried.get(source, [])
        allowed = sorted(place for place, state in enumerate(tried) if state in map(hash_of, self.allowed[source]))
        places = [place for place, state in enumerate(tried) if state == found]
        return f"{source} is in state {places} of {len(tried)} that were asked for, and may be in {allowed} alone"

    def present(self, source: str) -> bool:
        return None not in self.allowed.get(source, {None})


class Torture:
    """`kills` are counted by what was in progress; `wrong` lists violations: lost, torn or rejected data."""

    def __init__(self, index: Path, seed: int) -> None:
        self.index = index
        self.seed = seed
        self.ledger = Ledger()
        self.kills: Counter[str] = Counter()
        self.questions = 0
        self.wrong: list[str] = []
        self.restarts: list[float] = []  # seconds
        self.log = index.with_name("service.log")
        self.given = index.with_name("given")
        self.given.mkdir()

    def run(self, kills: int, report: Callable[[str, list[str]], object] = lambda *_: None) -> None:
        """Kill the service `times` times; `report` gets the figures after each, and new violations."""
        for number in range(kills):
            before = len(self.wrong)
            random = Random(f"{self.seed} {number}")  # noqa: S311  # the same run again, not a secret
            kind = random.choices(list(KINDS), list(KINDS.values()))[0]
            with self.serving() as (process, address):
                self.verify(address)
                self.until_killed(process, address, kind, random)
            self.kills[kind] += 1
            report(self.summary(), self.wrong[before:])
        with self.serving() as (_, address):
            self.verify(address)

    @contextmanager
    def serving(self) -> Iterator[tuple[subprocess.Popen[str], str]]:
        command = [*PINCITE, "serve", "--index", str(self.index), "--port", "0"]
        started = time.monotonic()
        with self.log.open("w") as log, self.started(command, stdout=subprocess.PIPE, stderr=log) as process:
            assert process.stdout
            found = re.search(r"ready at (http://\S+)", process.stdout.readline())
            if not found:
                raise RuntimeError(self.log.read_text())
            self.restarts.append(time.monotonic() - started)
            yield process, found[1]
        if "Traceback" in (result := self.log.read_text()) or " failed: " in result:
            self.wrong.append(f"the service failed: {result[-2000:]}")

    @contextmanager
    def started(self, command: list[str], **where: object) -> Iterator[subprocess.Popen[str]]:
        """A process in a process group of its own, all of which is killed afterwards."""
        environment = os.environ | {"PINCITE_COMPACT_S": "1"}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, start_new_session=True, **where
        ) as process:  # type: ignore[call-overload]  # what `where` may hold
            try:
                yield process
            finally:
                kill(process)

    # ---- activity until the kill

    def until_killed(self, process: subprocess.Popen[str], address: str, kind: str, random: Random) -> None:
        stop = threading.Event()
        with ThreadPoolExecutor(WRITERS + ASKERS + 1) as threads, httpx.Client(base_url=address, timeout=60) as http:
            work = [threads.submit(self.write, http, stop, n, random.random()) for n in range(WRITERS)]
            work += [threads.submit(self.ask, http, stop, random.random()) for _ in range(ASKERS)]
            if kind == "collections":
                work.append(threads.submit(self.make_and_drop, http, stop))
            self.wait_until(self.ledger.acknowledged + random.randrange(MOST_CHANGES))
            if kind == "build":
                self.build(random)
            elif kind == "backup":
                self.back_up(random)
            elif kind == "compaction":
                self.wait_for_compaction()
                time.sleep(random.uniform(0, 0.08))
            else:
                time.sleep(random.uniform(0, 0.5))
            kill(process)
            stop.set()
            for each in work:
                each.result()

    def write(self, http: httpx.Client, stop: threading.Event, number: int, seed: float) -> None:
        random = Random(seed)  # noqa: S311
        while not stop.is_set():
            source = f"w{number}/{random.randrange(SOURCES)}.txt"
            path = f"/v1/documents/{source}"
            if self.ledger.present(source) and random.random() < 0.33:
                with self.ledger.changing({source: None}) as acknowledge:
                    if self.sent(http, "DELETE", path, 204):
                        acknowledge()
            else:
                text = written(source, random)
                with self.ledger.changing({source: text}) as acknowledge:
                    if self.sent(http, "PUT", path, 200, 201, content=text):
                        acknowledge()

    def ask(self, http: httpx.Client, stop: threading.Event, seed: float) -> None:
        random = Random(seed)  # noqa: S311
        while not stop.is_set():
            question = f"What of the {random.choice(WORDS)}?"
            if random.random() < 0.5:
                self.sent(http, "POST", "/v1/search", 200, json={"query": question})
            else:
                self.sent(http, "POST", "/v1/ask", 200, json={"question": question})
            self.questions += 1

    def make_and_drop(self, http: httpx.Client, stop: threading.Event) -> None:
        path = "/v1/collections/birds"
        while not stop.is_set():
            wanted = None if self.ledger.present("collection birds") else b"birds"
            method, expected = ("PUT", (200, 201)) if wanted else ("DELETE", (204, 404))
            with self.ledger.changing({"collection birds": wanted}) as acknowledge:
                if self.sent(http, method, path, *expected):
                    acknowledge()

    def sent(self, http: httpx.Client, method: str, path: str, *expected: int, **body: object) -> bool:
        """Whether the response was as expected. An interrupted request proves nothing."""
        try:
            response = http.request(method, path, **body)  # type: ignore[arg-type]
        except httpx.TransportError:
            return False
        if response.status_code not in expected:
            self.wrong.append(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return response.status_code in expected

    def build(self, random: Random) -> None:
        """A build of changed files in another process, which may be killed too, also before the service."""
        states: dict[str, bytes | None] = {}
        for number in range(8):
            name = f"given{number}.txt"
            states[name] = written(name, random) if random.random() < 0.8 else None
            if states[name] is None:
                (self.given / name).unlink(missing_ok=True)
            else:
                (self.given / name).write_bytes(states[name] or b"")
        command = [*PINCITE, "build", str(self.given), "--index", str(self.index)]
        with (
            self.ledger.changing(states) as acknowledge,
            self.started(command, stdout=subprocess.DEVNULL) as process,
            suppress(subprocess.TimeoutExpired),
        ):
            if status := process.wait(random.uniform(0.5, 8)):
                self.wrong.append(f"the build ended with {status}")
            else:
                acknowledge()

    def back_up(self, random: Random) -> None:
        """A backup, killed or not: it is complete or absent."""
        copy, again = self.index.with_name("copy"), self.index.with_name("again")
        command = [*PINCITE, "backup", str(copy), "--index", str(self.index)]
        with self.started(command, stdout=subprocess.DEVNULL) as process, suppress(subprocess.TimeoutExpired):
            if status := process.wait(random.uniform(0.3, 5)):
                self.wrong.append(f"the backup ended with {status}")
        if copy.exists():
            try:
                restore(copy, again)
            except PinciteError as error:
                self.wrong.append(f"the backup: {error}")
        for folder in (copy, again, *self.index.parent.glob(".copy-*")):
            shutil.rmtree(folder, ignore_errors=True)

    def wait_until(self, acknowledged: int) -> None:
        until = time.monotonic() + PATIENCE_S
        while self.ledger.acknowledged < acknowledged and time.monotonic() < until:
            time.sleep(0.005)

    def wait_for_compaction(self) -> None:
        place = Layout(self.index).collection("default")
        until = time.monotonic() + PATIENCE_S
        while not place.terms.with_suffix(".next").exists() and time.monotonic() < until:
            time.sleep(0.001)

    # ---- checks after a restart

    def verify(self, address: str) -> None:
        """Compare a service with the ledger, and record the actual outcome of changes in progress."""
        with httpx.Client(base_url=address, timeout=60) as http:
            listed = http.get("/v1/documents", params={"limit": 1000}).json()["documents"]
            hashes = {record["source"]: record["sha256"] for record in listed}
            for source, allowed in self.ledger.allowed.items():
                if source.startswith("collection "):
                    there = http.get("/v1/collections/birds").status_code == 200
                    self.settle(source, [b"birds"] if there else [None])
                    continue
                matching = [text for text in allowed if hash_of(text) == hashes.get(source)]
                if not matching:
                    self.wrong.append(self.ledger.told(source, hashes.get(source)))
                uncertain = len(allowed) > 1
                self.settle(source, matching)
                if matching and matching[0] is not None:
                    searched = uncertain or len(matching[0]) % 5 == 0
                    self.verify_document(http, source, matching[0], allowed, searched=searched)
            for source in hashes.keys() - self.ledger.allowed.keys():
                self.wrong.append(f"{source} was never put")
        for each in check(self.index):
            self.wrong += [f"check of {each.collection}: {found.where}: {found.what}" for found in each.findings]

    def settle(self, source: str, matching: list[bytes | None]) -> None:
        self.ledger.allowed[source] = set(matching[:1]) or {None}

    def verify_document(
        self, http: httpx.Client, source: str, text: bytes, allowed: set[bytes | None], *, searched: bool
    ) -> None:
        found = http.get(f"/v1/files/{source}").content
        if found in allowed:  # a change in progress may complete between two requests
            self.settle(source, [found])
            text = found
        else:
            self.wrong.append(f"the file of {source} is another")
        if searched:
            mark = text.split()[1].decode()
            passages = http.post("/v1/search", json={"query": mark, "sources": [source]}).json()["passages"]
            if not any(mark in passage["text"] for passage in passages):
                self.wrong.append(f"{source} is not found by its mark")

    def summary(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kills.items()))
        restarts = f"{median(self.restarts):.1f} s at the median, {max(self.restarts):.1f} s at most"
        return (
            f"{self.kills.total()} kills (during {kinds}), {self.ledger.acknowledged:,} changes acknowledged, "
            f"{self.questions:,} questions, restart {restarts}, {len(self.wrong)} violations"
        )


def hash_of(text: bytes | None) -> str | None:
    return None if text is None else sha256(text).hexdigest()


def kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def written(source: str, random: Random) -> bytes:
    """A document with a unique mark for each version."""
    sentences = [
        f"The {random.choice(WORDS)} by the {random.choice(WORDS)} is number {random.randrange(100)}."
        for _ in range(random.randrange(1, 6))
    ]
    return f"Mark m{random.randrange(1 << 40):x} stands in {source}. {' '.join(sentences)}\n".encode()
