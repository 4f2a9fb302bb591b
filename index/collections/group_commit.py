"""Changes that come at the same time, made together: each of them alone would wait for the disk as long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from index.errors import PinciteError
from index.storage.tables import NewDocument
from index.types import Document

Check = Callable[[str, Document | None], None]  # given a source and its present document, raises unless all is well


class Change:
    """Documents to put and sources to take out, all or none; nothing where `check` raises."""

    def __init__(self, put: Sequence[NewDocument], remove: Sequence[str], check: Check) -> None:
        self.put = put
        self.remove = remove
        self.check = check
        self.sources = [*remove, *(new.document.source for new in put)]
        self.before: list[Document | None] = []  # of each source, once it is settled
        self.settled = False
        self.refused: PinciteError | None = None

    def allowed(self, before: list[Document | None]) -> bool:
        """Whether it may be made, given the present documents of its sources; it is settled if not."""
        try:
            for source, document in zip(self.sources, before, strict=True):
                self.check(source, document)
        except PinciteError as error:
            self.refused = error
            self.settled = True
        self.before = before
        return not self.settled


class GroupCommit:
    """The changes that wait for their turn. Safe in many threads at once."""

    def __init__(self, commit: Callable[[Sequence[Change]], None]) -> None:
        """`commit` settles the first of its changes, and of the others as many as it can, or raises."""
        self._commit = commit
        self._turn = threading.Lock()
        self.waiting: list[Change] = []
        self._listed = threading.Lock()

    def commit(self, change: Change) -> None:
        """Have a change made. Raises what its check raises, and what `make` does."""
        with self._listed:
            self.waiting.append(change)
        with self._turn:
            if not change.settled:
                with self._listed:
                    others = [each for each in self.waiting if each is not change]
                    self.waiting = []
                self._commit([change, *others])  # where it fails, the others come themselves when it is their turn
        if change.refused is not None:
            raise change.refused
