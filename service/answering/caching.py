"""Answers given of late, so that a question asked again costs nothing while the index stays as it is."""

from __future__ import annotations

import threading
from collections import OrderedDict

import msgspec
from msgspec.structs import replace

from service.scheduling.deadline import Deadline
from service.schema import AskRequest, AskResponse, AskTimings
from service.telemetry.metrics import CACHE, CACHE_BYTES


class AnswerCache:
    """Exact matches only: the same question, parameters and version of the index. Safe in many threads at once.

    At most `room` bytes of questions and answers are kept; the least recently used go first. With 0, nothing is.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, request: AskRequest, version: str, request_id: str, deadline: Deadline) -> AskResponse | None:
        """The answer as it was given, under the id and with the time of this request."""
        if not self.room:
            return None
        key = key_of(request, version)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                self.misses += 1
                CACHE.labels("miss").inc()
                return None
            self.hits += 1
            CACHE.labels("hit").inc()
            self._kept.move_to_end(key)
        response = msgspec.msgpack.decode(kept, type=AskResponse)
        timings = AskTimings(retrieve=0.0, read=0.0, total=deadline.elapsed_ms())
        return replace(response, request_id=request_id, timings_ms=timings)

    def put(self, request: AskRequest, response: AskResponse) -> None:
        """Keep an answer, unless something was skipped for want of time."""
        if not self.room or response.skipped:
            return
        key, kept = key_of(request, response.index.version), msgspec.msgpack.encode(response)
        if len(key) + len(kept) > self.room:
            return
        with self._lock:
            before = self._kept.pop(key, None)
            self.bytes += len(key) + len(kept) - (0 if before is None else len(key) + len(before))
            self._kept[key] = kept
            while self.bytes > self.room:
                oldest, dropped = self._kept.popitem(last=False)
                self.bytes -= len(oldest) + len(dropped)
            CACHE_BYTES.set(self.bytes)


def key_of(request: AskRequest, version: str) -> bytes:
    """All that an answer depends on; the deadline is not of it."""
    return msgspec.msgpack.encode((version, replace(request, deadline_ms=None)))
