"""The client of the engine: Milvus over the network, or milvus-lite in this process. Only here is pymilvus imported.

**Consistency** is Strong for every read: it sees all writes acknowledged before it, by any replica of the service. With
a weaker level, a replica could answer from a document that another has reported as deleted. The cost is that Milvus
waits for its next time tick.

**Retries.** Calls are retried with exponential backoff until their timeout, then raise StoreUnavailable. Retries are
idempotent: rows have their own keys, and an insert is retried as an upsert.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any

import grpc
from pymilvus import AnnSearchRequest, DataType, Function, FunctionType, MilvusClient, RRFRanker
from pymilvus.exceptions import MilvusException

from index.collections.addresses import Address
from index.errors import StoreRefused, StoreUnavailable
from index.milvus.tables import CANDIDATES_EXAMINED, Row, Table, among, quoted

CONNECT_S = 5
READ_S = 15
WRITE_S = 60
FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0  # seconds between retries
MOST_ROWS = 16_384  # per query or search, a limit of Milvus
BATCH_BYTES = 8_000_000  # of rows per request; Milvus accepts 64 MB
PAGE = 2000  # rows read per request
UNFLUSHED = 1000  # rows after which milvus-lite is told to index; until then it scans them
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
UNLOADED = re.compile(r"released|not (?:fully )?loaded")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # never part of a key, and cannot be escaped in an expression
# By default, gRPC waits up to two minutes before it reconnects.
PATIENCE = {"grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 1000}
STRONG = {"consistency_level": "Strong"}
# The client's own iterator does the same, but does not escape the key it continues from. 0 means Strong here.
IN_ORDER = {"iterator": "True", "reduce_stop_for_best": True, "guarantee_timestamp": 0, "consistency_level": 0}

for name in ("pymilvus", "milvus_lite", "grpc"):
    logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # they log expressions, which contain sources


class Engine:
    """A thread-safe client. milvus-lite is not thread-safe, so calls to it are serialised."""

    def __init__(self, address: Address) -> None:
        """Connect, and create the database if it does not exist. Raises StoreUnavailable or StoreRefused."""
        self.address = address
        self._turn = threading.RLock() if address.embedded else nullcontext()
        self._unflushed: dict[str, int] = {}
        self._stop: Callable[[], None] = lambda: None
        with self._translated_errors():
            self._client = MilvusClient(
                self._uri(), token=address.secret, timeout=CONNECT_S, dedicated=True, grpc_options=PATIENCE
            )
            if address.database not in ("", "default"):
                if address.database not in self._client.list_databases(timeout=READ_S):
                    self._client.create_database(address.database, timeout=WRITE_S)
                self._client.use_database(address.database)

    def _uri(self) -> str:
        if not self.address.embedded:
            return self.address.uri
        from milvus_lite.adapter.grpc.server import start_server_in_thread
        from milvus_lite.exceptions import DataDirLockedError

        try:
            server, database, port = start_server_in_thread(self.address.uri)
        except DataDirLockedError as error:
            reason = "another process has it open, and the embedded engine allows only one"
            raise StoreUnavailable(store=self.address, reason=reason) from error
        except OSError as error:
            raise StoreUnavailable(store=self.address, reason=error.strerror or "it cannot be opened") from error

        def stop() -> None:
            server.stop(grace=2).wait()
            database.close()

        self._stop = stop
        return f"http://127.0.0.1:{port}"

    def close(self) -> None:
        self._client.close()
        self._stop()

    # ---- tables

    def make(self, table: Table) -> None:
        """Create a table if it does not exist, and load it for queries."""
        if not self._call(READ_S, self._client.has_collection, table.name):
            with self._translated_errors():
                self._create(table)
        self._call(WRITE_S, self._client.load_collection, table.name)

    def _create(self, table: Table) -> None:
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        indexes = self._client.prepare_index_params()
        for place, (field, most) in enumerate(table.texts.items()):
            schema.add_field(
                field,
                DataType.VARCHAR,
                max_length=most,
                is_primary=place == 0,
                is_partition_key=table.partitioned and field == "collection",
                **({"enable_analyzer": True, "enable_match": True} if field == "terms" else {}),
                **({"analyzer_params": {"tokenizer": "standard"}} if field == "terms" else {}),
            )
        for field in table.numbers:
            schema.add_field(field, DataType.INT64)
        for field in table.looked_up:
            indexes.add_index(field, index_type="INVERTED")
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=table.dimension)
        if "terms" in table.texts:
            schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
            schema.add_function(Function("bm25", FunctionType.BM25, ["terms"], ["words"]))
            params = {"bm25_k1": 1.2, "bm25_b": 0.75}
            indexes.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params=params)
            hnsw = {"M": 32, "efConstruction": 200}
            indexes.add_index("vector", index_type="HNSW", metric_type="IP", params=hnsw)
        else:
            indexes.add_index("vector", index_type="FLAT", metric_type="L2")
        self._client.create_collection(
            table.name, schema=schema, index_params=indexes, consistency_level="Strong", timeout=WRITE_S
        )

    # ---- reading

    def get(self, table: str, keys: Sequence[str], fields: Sequence[str]) -> dict[str, Row]:
        """The rows with these keys; missing ones are left out."""
        by_key: dict[str, Row] = {}
        possible = [key for key in keys if not CONTROL.search(key)]
        for some in batches(possible, 64 if "text" in fields else 1000):  # 64 pieces have up to 4 MB
            arguments = {"filter": among("key", some), "output_fields": ["key", *fields], "limit": len(some)}
            rows = self._call(READ_S, self._client.query, table, **arguments, **STRONG)
            by_key |= {row["key"]: dict(row) for row in rows}
        return by_key

    def rows(self, table: str, expression: str, fields: Sequence[str], limit: int | None = None) -> Iterator[Row]:
        """All rows that match an expression, ordered by key, in pages."""
        last, remaining = "", limit
        while remaining is None or remaining > 0:
            some = PAGE if remaining is None else min(PAGE, remaining)
            after = f"{expression} and key > {quoted(last)}"
            arguments = {"filter": after, "output_fields": ["key", *fields], "limit": some}
            page = self._call(READ_S, self._client.query, table, **arguments, **IN_ORDER)
            yield from map(dict, page)
            if len(page) < some:
                return
            last, remaining = page[-1]["key"], None if remaining is None else remaining - len(page)

    def count(self, table: str, expression: str) -> int:
        arguments = {"filter": expression, "output_fields": ["count(*)"]}
        (row,) = self._call(READ_S, self._client.query, table, **arguments, **STRONG)
        return int(row["count(*)"])

    def holding(self, table: str, term: str, expression: str) -> int:
        """The number of rows that match an expression and contain a term."""
        having = f"TEXT_MATCH(terms, {quoted(term)})"
        if self.address.embedded:  # milvus-lite scans all rows, and this form is faster
            places = (f"{term} %", f"% {term}", f"% {term} %")
            likes = " or ".join(f"terms like {quoted(place)}" for place in places)
            having = f"(terms == {quoted(term)} or {likes})"
        return self.count(table, f"{expression} and {having}")

    def nearest(
        self,
        table: str,
        vector: Sequence[float],
        limit: int,
        expression: str,
        fields: Sequence[str],
        *,
        examined: int | None = None,
    ) -> list[tuple[float, Row]]:
        """The nearest rows to a vector with their inner products, best first. `examined`: HNSW's `ef`."""
        params = {"metric_type": "IP", "params": {"ef": examined or max(CANDIDATES_EXAMINED, 2 * limit)}}
        (hits,) = self._search(
            table,
            [vector],
            limit,
            anns_field="vector",
            filter=expression,
            output_fields=list(fields),
            search_params=params,
        )
        return hits

    def matching(
        self, table: str, questions: Sequence[str], limit: int, expression: str, fields: Sequence[str]
    ) -> list[list[tuple[float, Row]]]:
        """For each question, the rows that match any of its terms, with the engine's BM25, best first."""
        params = {"metric_type": "BM25"}
        return self._search(
            table,
            questions,
            limit,
            anns_field="words",
            filter=expression,
            output_fields=list(fields),
            search_params=params,
        )

    def fused(
        self, table: str, vector: Sequence[float], terms: str, *, limit: int, each: int, constant: int, expression: str
    ) -> list[str]:
        """The keys found by the engine's own hybrid search: RRF over `each` hits of both. For benchmarks only."""
        dense = {"metric_type": "IP", "params": {"ef": CANDIDATES_EXAMINED}}
        searches = [
            AnnSearchRequest([vector], "vector", dense, each, expr=expression),
            AnnSearchRequest([terms], "words", {"metric_type": "BM25"}, each, expr=expression),
        ]
        asked_for = {"reqs": searches, "ranker": RRFRanker(constant), "limit": limit}
        (hits,) = self._call(READ_S, self._client.hybrid_search, table, **asked_for, **STRONG)
        return [hit["key"] for hit in hits]

    def _search(
        self, table: str, data: Sequence[object], limit: int, **arguments: object
    ) -> list[list[tuple[float, Row]]]:
        arguments |= {"data": list(data), "limit": min(limit, MOST_ROWS)}
        results = self._call(READ_S, self._client.search, table, **arguments, **STRONG)
        return [[(float(hit["distance"]), {"key": hit["key"], **hit["entity"]}) for hit in hits] for hits in results]

    # ---- writing

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows with new keys."""
        for some in by_size(rows):
            self._call(WRITE_S, self._client.insert, table, self._client.upsert, data=some)
            self._count(table, len(some))

    def upsert(self, table: str, rows: Sequence[Row]) -> None:
        """Replace rows with the same keys. Each row is replaced atomically."""
        for some in by_size(rows):
            self._call(WRITE_S, self._client.upsert, table, data=some)
            self._count(table, len(some))

    def delete(self, table: str, keys: Sequence[str]) -> None:
        for some in batches(keys, 1000):
            self.delete_where(table, among("key", some))

    def delete_where(self, table: str, expression: str) -> None:
        self._call(WRITE_S, self._client.delete, table, filter=expression)

    def flush(self, table: str) -> None:
        """Make the engine write its buffers to storage, and index them."""
        self._unflushed.pop(table, None)
        self._call(WRITE_S, self._client.flush, table)

    def settle(self) -> None:
        """Flush the rows that milvus-lite has not indexed yet. Milvus does this by itself."""
        for table in list(self._unflushed):
            self.flush(table)

    def _count(self, table: str, rows: int) -> None:
        if self.address.embedded:
            self._unflushed[table] = self._unflushed.get(table, 0) + rows
            if self._unflushed[table] >= UNFLUSHED:
                self.flush(table)

    # ---- calls

    def _call(
        self,
        seconds: float,
        call: Callable[..., Any],
        table: str,
        again: Callable[..., Any] | None = None,
        /,
        **arguments: object,
    ) -> Any:  # noqa: ANN401  # what the client gives has no types
        """Call the client, with retries for `seconds`. `again` replaces the call in retries, if not idempotent."""
        until, wait = time.monotonic() + seconds, FIRST_WAIT
        while True:
            try:
                with self._translated_errors():
                    return call(table, timeout=max(1.0, until - time.monotonic()), **arguments)
            except StoreUnavailable:
                if time.monotonic() + wait > until:
                    raise
            except StoreRefused as error:
                if not UNLOADED.search(str(error)) or call == self._client.load_collection:
                    raise
                self._call(WRITE_S, self._client.load_collection, table)  # the engine was restarted
            call = again or call
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Translate the client's errors to StoreUnavailable and StoreRefused, without secrets."""
        with self._turn:
            try:
                yield
            except grpc.RpcError as error:
                code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
                raise self._error(code, code.name.lower().replace("_", " ")) from None
            except MilvusException as error:
                raise self._error(error.code, error.message) from None

    def _error(self, code: object, reason: str) -> StoreUnavailable | StoreRefused:
        if self.address.secret:
            reason = reason.replace(self.address.secret, "…")
        away = code in AWAY or "connecting to server" in reason or "Retry" in reason or "UNAVAILABLE" in reason
        kind = StoreUnavailable if away else StoreRefused
        return kind(store=self.address, reason=" ".join(reason.split())[:300] or str(code))


def batches(keys: Sequence[str], size: int) -> Iterator[list[str]]:
    remaining = iter(keys)
    while some := list(islice(remaining, size)):
        yield some


def by_size(rows: Sequence[Row], most: int = BATCH_BYTES) -> Iterator[list[Row]]:
    """Split rows into requests of about `most` bytes and at most MOST_ROWS rows."""
    some: list[Row] = []
    size = 0
    for row in rows:
        more = sum(
            len(value) * (1 if isinstance(value, str) else 4) for value in row.values() if hasattr(value, "__len__")
        )
        if some and (size + more > most or len(some) == MOST_ROWS):
            yield some
            some, size = [], 0
        some.append(row)
        size += more
    if some:
        yield some
