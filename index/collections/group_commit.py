"""Group commit: concurrent changes share one transaction, because each alone would wait for the disk just as long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from index.errors import PinciteError
from index.storage.tables import NewDocument
from index.types import Document

Check = Callable[[str, Document | None], None]  # gets a source and its live document; raises to reject the change


class Change:
    """Documents to put and sources to remove, all or none; nothing if `check` raises."""

    def __init__(self, put: Sequence[NewDocument], remove: Sequence[str], check: Check) -> None:
        self.put = put
        self.remove = remove
        self.check = check
        self.sources = [*remove, *(new.document.source for new in put)]
        self.before: list[Document | None] = []  # of each source, once settled
        self.settled = False
        self.refused: PinciteError | None = None

    def allowed(self, before: list[Document | None]) -> bool:
        """Run `check` on the live documents of the sources. If it fails, the change is settled as rejected."""
        try:
            for source, document in zip(self.sources, before, strict=True):
                self.check(source, document)
        except PinciteError as error:
            self.refused = error
            self.settled = True
        self.before = before
        return not self.settled


class GroupCommit:
    """The queue of changes. Thread-safe."""

    def __init__(self, commit: Callable[[Sequence[Change]], None]) -> None:
        """`commit` settles the first of its changes, and as many of the others as it can, or raises."""
        self._commit = commit
        self._turn = threading.Lock()
        self.waiting: list[Change] = []
        self._listed = threading.Lock()

    def commit(self, change: Change) -> None:
        """Commit a change. Raises the errors of its check and of the commit."""
        with self._listed:
            self.waiting.append(change)
        with self._turn:
            if not change.settled:
                with self._listed:
                    others = [each for each in self.waiting if each is not change]
                    self.waiting = []
                self._commit([change, *others])  # if it fails, the others retry in their own turn
        if change.refused is not None:
            raise change.refused
