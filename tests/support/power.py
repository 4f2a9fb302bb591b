"""Simulates a power loss at many points of a recorded run, and checks the index after each."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec

from index.errors import PinciteError
from index.maintenance.backup import restore
from index.maintenance.checking import check
from index.storage.layout import Layout
from tests.support.damage import again, found
from tests.support.recorded import MARKS, Mark
from tests.support.replay import Disk, calls, record

# Of the unsynced operations: the share of renames and of writes that reach the disk.
LEFT = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.9, 0.3))


class Expected:
    """The required state: acknowledged changes; a change in progress completely or not at all."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.collections: dict[str, bool] = {}
        self.copies: dict[str, dict[str, str]] = {}
        self.under_way: Mark | None = None

    def take(self, mark: Mark) -> None:
        self.under_way = None if mark.done else mark
        if mark.done:
            self.texts = changed(self.texts, mark)
            self.collections |= mark.collections
            self.copies |= mark.copies

    def told(self, folder: Path) -> list[str]:
        try:
            return list(self.wrong(folder))
        except PinciteError as error:
            return [f"{type(error).__name__}: {error}"]

    def wrong(self, folder: Path) -> Iterator[str]:
        """Violations in a folder; opens the index as a service does after a crash."""
        maybe = self.under_way or Mark(done=False)
        there = Layout(folder / "index").collections()
        for name, wanted in self.collections.items():
            if (name in there) != wanted and name not in maybe.collections:
                yield f"collection {name}: {name in there}, not {wanted}"
        if "default" in there:
            yield from self.wrong_documents(folder / "index", [self.texts, changed(self.texts, maybe)])
            for each in check(folder / "index"):
                yield from (f"{each.collection}: {finding.where}: {finding.what}" for finding in each.findings)
        for name, texts in self.copies.items():
            restore(folder / name, folder / "restored")
            yield from self.wrong_documents(folder / "restored", [texts])
            shutil.rmtree(folder / "restored")

    @staticmethod
    def wrong_documents(index: Path, allowed: list[dict[str, str]]) -> Iterator[str]:
        with closing(again(Layout(index).collection("default"))) as collection:
            searcher = collection.searcher()
            documents = searcher.documents(None, 1000)
            texts = {each.source: searcher.file(each.source).decode() for each in documents}
            if texts not in allowed:
                yield f"documents differ: {texts} is none of {allowed}"
            for source, text in texts.items():
                first = text.splitlines()[0].split(". ")[0] + "."
                if not any(first in passage for passage in found(collection, first)):
                    yield f"{source} is not found"


def changed(texts: dict[str, str], mark: Mark) -> dict[str, str]:
    return {source: text for source, text in (texts | mark.documents).items() if text is not None}


def lose_power(folder: Path, changes: int, points: int, seed: int) -> list[str]:
    """Record a run in `folder` and lose power at `points` of it, in each way of LEFT. Returns the violations.

    A failing state is copied into the folder.
    """
    run, log = folder / "run", folder / "log"
    record([sys.executable, "-m", "tests.support.recorded", str(run), str(changes), str(seed)], log)
    random = Random(seed)  # noqa: S311  # the same points again, not a secret
    ended = sum(1 for _ in calls(log))
    chosen = set(random.sample(range(ended), min(points, ended)))
    disk, expected, wrong = Disk(run), Expected(), []
    memory = Path("/dev/shm")  # noqa: S108  # no disk has to be waited for where there is one
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else folder) as temporary:
        for number, call in enumerate(calls(log)):
            if disk.take(call) == MARKS and call.name == "write":
                expected.take(msgspec.json.decode(disk.last_written(MARKS), type=Mark))
            if number not in chosen:
                continue
            for way, (names, data) in enumerate(LEFT):
                left = Path(temporary, f"left{number}-{way}")
                disk.leave(left, random, names, data)
                result = expected.told(left)
                wrong += [f"after call {number} with {names}, {data}: {each}" for each in result]
                if result:
                    shutil.copytree(left, folder / f"{left.name}-opened")
                shutil.rmtree(left)
    return wrong
