"""A run is a folder with its settings, responses, scores and metrics.

DIR/environment.json  versions, hashes, settings: written first, compared when the run continues
DIR/responses.jsonl   one response per line, in the order of the questions: reproducible to the byte
DIR/times.jsonl       the latency of each
DIR/scores.jsonl      one score per line
DIR/metrics.json      each metric with its interval, for all questions and by type: reproducible to the byte
DIR/report.html       the report
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from eval.errors import RunIncomplete, RunNotFound, RunVersion
from eval.metrics.scoring import Response, Score
from eval.metrics.statistics import Interval
from eval.runs.environment import FORMAT, Environment, check_same

T = TypeVar("T")
ALL = "all"  # the group of all questions


class Line(Struct, frozen=True):
    id: str
    question: str
    response: Response


class Times(Struct, frozen=True):
    """Milliseconds. `retrieve`, `read` and `total` are the service's own; `wall` is measured by the client."""

    id: str
    retrieve: float
    read: float
    total: float
    wall: float


class Group(Struct, frozen=True):
    questions: int
    metrics: dict[str, Interval]


class RunFolder:
    """The files of a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.responses = path / "responses.jsonl"
        self.times = path / "times.jsonl"
        self.scores = path / "scores.jsonl"
        self.metrics = path / "metrics.json"
        self.environment = path / "environment.json"
        self.report = path / "report.html"

    def begin(self, environment: Environment) -> int:
        """Start a run, or continue an existing one; returns the number of questions already answered.

        Raises RunVersion or RunMismatch without changing anything.
        """
        if self.environment.exists():
            check_same(self.path, self.read_environment(), environment)
        else:
            self.path.mkdir(parents=True, exist_ok=True)
            replace(self.environment, pretty(environment))
        return self._cut_to_whole_lines()

    def append(self, line: Line, times: Times) -> None:
        """Times are written first, so every response has its times."""
        for path, value in ((self.times, times), (self.responses, line)):
            with path.open("ab") as file:
                file.write(msgspec.json.encode(value) + b"\n")

    def finish(self, scores: Sequence[Score], groups: dict[str, Group]) -> None:
        replace(self.scores, b"".join(msgspec.json.encode(score) + b"\n" for score in scores))
        replace(self.metrics, pretty(groups))

    def read_environment(self) -> Environment:
        """Raises RunNotFound or RunVersion."""
        if not self.environment.is_file():
            raise RunNotFound(path=self.path)
        data = self.environment.read_bytes()
        try:
            format_version = msgspec.json.decode(data, type=dict).get("format")
            if format_version == FORMAT:
                return msgspec.json.decode(data, type=Environment)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            format_version = "unknown"
        raise RunVersion(path=self.path, found=format_version, supported=FORMAT)

    def read_lines(self) -> list[Line]:
        return self._read(self.responses, Line)

    def read_times(self) -> list[Times]:
        return self._read(self.times, Times)

    def read_scores(self) -> list[Score]:
        """Raises RunIncomplete if the run was not finished."""
        if not self.metrics.is_file():
            raise RunIncomplete(path=self.path, reason="it has no metrics yet")
        return self._read(self.scores, Score)

    def read_groups(self) -> dict[str, Group]:
        return msgspec.json.decode(self.metrics.read_bytes(), type=dict[str, Group])

    def _read(self, path: Path, kind: type[T]) -> list[T]:
        decoder = msgspec.json.Decoder(kind)
        try:
            return [decoder.decode(line) for line in path.read_bytes().splitlines()]
        except (OSError, msgspec.MsgspecError) as error:
            raise RunIncomplete(path=self.path, reason=f"{path.name} cannot be read ({error})") from error

    def _cut_to_whole_lines(self) -> int:
        """Remove what an interruption left incomplete, so that both files cover the same questions."""
        files = (self.responses, self.times)
        for path in files:
            path.touch()
        whole = min(path.read_bytes().count(b"\n") for path in files)
        for path in files:
            size = sum(map(len, path.read_bytes().splitlines(keepends=True)[:whole]))
            os.truncate(path, size)
        return whole


def replace(path: Path, data: bytes) -> None:
    """Replace a file atomically."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
