"""What is recorded: an index that is written to, asked, compacted, built and copied, by itself in one process.

    python -m tests.recorded FOLDER CHANGES SEED

Before each change a line of FOLDER/marks says what will be there, and after it another that it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from index import collections
from index.backup import backup
from index.collection import Collection
from index.layout import Layout
from index.preparation import NOTHING_TOLD
from tests.damage import created, found

MARKS = "marks"


class Mark(msgspec.Struct, frozen=True):
    """What a change leaves: the texts of documents, or None where they are gone; whole collections and copies too."""

    done: bool
    documents: dict[str, str | None] = {}
    collections: dict[str, bool] = {}
    copies: dict[str, dict[str, str]] = {}


def main(folder: Path, changes: int, seed: int) -> None:
    random = Random(seed)  # noqa: S311  # the same run again, not a secret
    folder.mkdir()
    root = folder / "index"
    texts: dict[str, str] = {}
    with (folder / MARKS).open("ab", buffering=0) as marks:

        def change(work: Callable[[], object], **what: object) -> None:
            marks.write(msgspec.json.encode(Mark(done=False, **what)) + b"\n")  # type: ignore[arg-type]
            work()
            marks.write(msgspec.json.encode(Mark(done=True, **what)) + b"\n")  # type: ignore[arg-type]

        collection: Collection | None = None

        def make() -> None:
            nonlocal collection
            collection = created(root)

        change(make, collections={"default": True})
        assert collection is not None
        for number in range(changes):
            kind = random.choices(["put", "delete", "compact", "build", "birds", "backup"], [50, 20, 4, 3, 3, 1])[0]
            if kind == "put":
                source = f"{random.randrange(12)}.txt"
                text = sentence(random, number)
                change(lambda: put(collection, source, text), documents={source: text})  # noqa: B023
                texts[source] = text
            elif kind == "delete" and texts:
                source = random.choice(sorted(texts))
                change(lambda: collection.writer.delete([source]), documents={source: None})  # noqa: B023
                del texts[source]
            elif kind == "compact":
                collection.compact()
                collection.compact()
            elif kind == "build":
                given = folder / f"given{number}"
                given.mkdir()
                new = {f"b{n}.txt": sentence(random, number) for n in range(4)}
                for source, text in new.items():
                    (given / source).write_text(text)
                change(lambda: collection.writer.build([given], replace=True, progress=lambda *_: None), documents=new)  # noqa: B023
                texts |= new
            elif kind == "birds":
                change(lambda: created(root, "birds").close(), collections={"birds": True})
                change(lambda: collections.drop(root, "birds"), collections={"birds": False})
            elif kind == "backup":
                change(lambda: backup(root, folder / f"copy{number}"), copies={f"copy{number}": dict(texts)})  # noqa: B023
            found(collection, "cats at night")
            if random.random() < 0.05:  # as after a restart
                place = collection.place
                collection.close()
                from tests.damage import again

                collection = again(place)
    collection.close()


def put(collection: Collection, source: str, text: str) -> None:
    collection.writer.put(source, text.encode(), NOTHING_TOLD, lambda _: None)


def sentence(random: Random, number: int) -> str:
    """Two sentences with a word that is nowhere else."""
    words = random.choices(["cats", "owls", "dogs", "sleep", "hunt", "night", "day"], k=random.randint(3, 30))
    return f"Word w{number}x{random.randrange(1 << 30)} comes first. Then {' '.join(words)}.\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
