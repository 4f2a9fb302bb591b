"""A cache of answers: a repeated question is answered at once while the index stays the same."""

from __future__ import annotations

import threading
from collections import OrderedDict

import msgspec
from msgspec.structs import replace

from service.scheduling.deadline import Deadline
from service.schema import AskRequest, AskResponse, AskTimings
from service.telemetry.metrics import CACHE, CACHE_BYTES


class AnswerCache:
    """Matches the exact question, parameters and index version. Thread-safe.

    Keeps at most `room` bytes of questions and answers, and evicts the least recently used. 0 disables it.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, request: AskRequest, version: str, request_id: str, deadline: Deadline) -> AskResponse | None:
        """The cached answer, with the id and the timing of this request."""
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
        """Cache an answer, unless a stage was skipped for lack of time."""
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
    """Everything that an answer depends on, which excludes the deadline."""
    return msgspec.msgpack.encode((version, replace(request, deadline_ms=None)))
