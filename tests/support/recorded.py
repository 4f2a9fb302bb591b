"""The recorded program: writes to an index, asks, compacts, builds and backs up, in one process.

    python -m tests.support.recorded FOLDER CHANGES SEED

Before each change it writes the expected state to FOLDER/marks, and after it a line that confirms it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from index.collections import collections
from index.collections.build import BuildOptions, build
from index.maintenance.backup import backup
from index.text.preparation import NO_METADATA
from tests.support.damage import again, created, found

MARKS = "marks"
RESTARTS = 0.05  # how often the index is closed and opened
KINDS = {"put": 50, "delete": 20, "compact": 4, "build": 3, "birds": 3, "copy": 1}


class Mark(msgspec.Struct, frozen=True):
    """The result of a change: document texts, None for deleted ones; whole collections and copies too."""

    done: bool
    documents: dict[str, str | None] = {}
    collections: dict[str, bool] = {}
    copies: dict[str, dict[str, str]] = {}


class Run:
    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir()
        self.folder = folder
        self.root = folder / "index"
        self.random = Random(seed)  # noqa: S311  # the same run again, not a secret
        self.marks = (folder / MARKS).open("ab", buffering=0)
        self.texts: dict[str, str] = {}
        self.number = 0
        self.mark(Mark(done=False, collections={"default": True}))
        self.collection = created(self.root)
        self.mark(Mark(done=True, collections={"default": True}))

    def go_on(self) -> None:
        self.number += 1
        kind = self.random.choices(list(KINDS), list(KINDS.values()))[0]
        getattr(self, kind)()
        found(self.collection, "cats at night")
        if self.random.random() < RESTARTS:
            place = self.collection.place
            self.collection.close()
            self.collection = again(place)

    def put(self) -> None:
        source, text = f"{self.random.randrange(12)}.txt", self.sentence()
        writer = self.collection.writer
        self.change(lambda: writer.put(source, text.encode(), NO_METADATA, lambda _: None), documents={source: text})

    def delete(self) -> None:
        if self.texts:
            source = self.random.choice(sorted(self.texts))
            self.change(lambda: self.collection.writer.delete([source]), documents={source: None})

    def compact(self) -> None:
        self.collection.compact()
        self.collection.compact()

    def build(self) -> None:
        given = self.folder / f"given{self.number}"
        given.mkdir()
        new: dict[str, str | None] = {f"b{n}.txt": self.sentence() for n in range(4)}
        for source, text in new.items():
            (given / source).write_text(text or "")
        self.change(lambda: build(self.collection.writer, [given], BuildOptions(replace=True)), documents=new)

    def birds(self) -> None:
        self.change(lambda: created(self.root, "birds").close(), collections={"birds": True})
        self.change(lambda: collections.drop(self.root, "birds"), collections={"birds": False})

    def copy(self) -> None:
        name = f"copy{self.number}"
        self.change(lambda: backup(self.root, self.folder / name), copies={name: dict(self.texts)})

    def change(
        self,
        work: Callable[[], object],
        documents: dict[str, str | None] | None = None,
        collections: dict[str, bool] | None = None,
        copies: dict[str, dict[str, str]] | None = None,
    ) -> None:
        what = (documents or {}, collections or {}, copies or {})
        self.mark(Mark(False, *what))
        work()
        self.mark(Mark(True, *what))
        self.texts = {source: text for source, text in (self.texts | what[0]).items() if text is not None}

    def mark(self, mark: Mark) -> None:
        self.marks.write(msgspec.json.encode(mark) + b"\n")

    def sentence(self) -> str:
        """Two sentences with a unique word."""
        choices = ["cats", "owls", "dogs", "sleep", "hunt", "night", "day"]
        words = self.random.choices(choices, k=self.random.randint(3, 30))
        return f"Word w{self.number}x{self.random.randrange(1 << 30)} comes first. Then {' '.join(words)}.\n"


def main(folder: Path, changes: int, seed: int) -> None:
    run = Run(folder, seed)
    for _ in range(changes):
        run.go_on()
    run.collection.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
