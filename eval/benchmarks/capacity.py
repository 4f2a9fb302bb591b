"""`eval/CAPACITY.md`: resources needed for a number of passages and questions, computed from measurements.

    python -m eval.benchmarks.capacity

The prose of that file is written by hand; this module writes the tables between its marks. Measured values are read
from `RESULTS.md` and `READER.md` by part, row and column; the others name their source.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import click
from msgspec import Struct

from eval.runs.results import RESULTS, markdown_table
from eval.runs.run import replace

CAPACITY = Path(__file__).parents[1] / "CAPACITY.md"
READER = Path(__file__).parents[1] / "READER.md"
SIZES = (100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
RATES = (10, 100, 1000)  # questions per second
DAY_S = 86_400
GIB = 1 << 30
MILVUS_FROM = 10_000_000  # passages


class Figure(Struct, frozen=True):
    """A number that the tables use. `source`: where it was measured, or who states it."""

    name: str
    value: float
    unit: str
    what: str
    source: str


def cell(path: Path, part: str, row: str, column: str) -> float:
    """The number in a table cell, the first if there are several: `3.8 / 10.7` -> 3.8, `.891 (…)` -> 0.891.

    `part` is a line before the table: `<!-- growth -->`, `### squad2, 120 questions`.
    """
    _, separator, after = path.read_text(encoding="utf-8").partition(f"{part}\n")
    if not separator:
        raise click.ClickException(f"{path.name} has no part {part!r}.")
    table = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    lines = [[each.strip() for each in line.strip("|").split("|")] for line in table[0].splitlines()] if table else []
    rows = {line[0]: dict(zip(lines[0], line, strict=False)) for line in lines}
    value = re.match(r"[\d,]*\.?\d+", rows.get(row, {}).get(column, ""))
    if not value:
        raise click.ClickException(f"{path.name}, {part!r}: there is no number in row {row!r}, column {column!r}.")
    return float(value[0].replace(",", ""))


def number_in(path: Path, pattern: str) -> float:
    """The number in a sentence."""
    match = re.search(pattern, path.read_text(encoding="utf-8"))
    if not match:
        raise click.ClickException(f"{path.name} does not say {pattern!r}.")
    return float(match[1])


def figures(results: Path = RESULTS, reader: Path = READER) -> dict[str, Figure]:
    grown = partial(cell, results, "<!-- growth -->", column="1,000,000")
    growth = "RESULTS.md, growth, 1,000,000 passages"
    read = "### squad2, 120 questions"
    measured = [
        Figure("store", grown("… of the store"), "bytes", "disk a passage: file, text, vector (SQLite)", growth),
        Figure("terms", grown("… of terms"), "bytes", "disk a passage: terms (tantivy)", growth),
        Figure("vectors", grown("… of vectors"), "bytes", "disk a passage: dense search (FAISS, float16)", growth),
        Figure(
            "resident",
            grown("… more than before opening, bytes per passage"),
            "bytes",
            "memory a passage, all that questions touched",
            growth,
        ),
        Figure(
            "written",
            grown("built, s of processor time") / 1e6,
            "core seconds",
            "a passage committed and made searchable by the one writer",
            growth,
        ),
        Figure("dense_p95", second(results, "dense, ms"), "ms", "dense search, p95, one core", growth),
        Figure("search_p95", second(results, "whole, ms"), "ms", "a whole search, p95, one core", growth),
        Figure(
            "encoded",
            2 / number_in(results, r"does (\d+) passages a second when it has the machine"),
            "core seconds",
            "a passage encoded (int8, one core; two did the figure measured)",
            "RESULTS.md, updates",
        ),
        Figure(
            "read",
            2 * cell(reader, read, "trained", "read p50, ms") / 1000,
            "core seconds",
            "a question read, ten passages; two cores for as long as p50 says",
            "READER.md, squad2",
        ),
        Figure("read_p95", cell(reader, read, "trained", "read p95, ms"), "ms", "the same, p95", "READER.md, squad2"),
    ]
    measurements = [
        Figure("vector", 384 * 2, "bytes", "a vector: 384 numbers of float16", "by arithmetic"),
        Figure("links16", links(16), "bytes", "links of HNSW a vector, M = 16", "by arithmetic, 4 bytes a link"),
        Figure("links32", links(32), "bytes", "… M = 32", "by arithmetic, 4 bytes a link"),
        Figure("postings", 70 * 8, "bytes", "terms in memory: 70 different ones a passage, 8 bytes each", "assumed"),
        Figure("spare", 1.5, "times", "memory and CPU kept free: segments being rebuilt, peaks", "assumed"),
        Figure("node", 64 * GIB, "bytes", "memory of a query node", "assumed"),
        Figure("machine", 16, "cores", "of a machine that encodes or serves", "assumed"),
        Figure("segment", 1 << 30, "bytes", "a sealed segment of Milvus", "Milvus, milvus.yaml: 1024 MB"),
        Figure("shards", 16, "shards", "the most of a collection", "Milvus, milvus.yaml: proxy.maxShardNum"),
        Figure(
            "message", 64 << 20, "bytes", "the largest request", "Milvus, milvus.yaml: proxy.grpc.serverMaxRecvSize"
        ),
    ]
    return {figure.name: figure for figure in (*measured, *measurements)}


def second(results: Path, row: str) -> float:
    """The p95 of a cell `p50 / p95`."""
    cells = re.search(rf"^\| {re.escape(row)} \|(.*)\|$", results.read_text(encoding="utf-8"), re.MULTILINE)
    match = re.search(r"/ ([\d.]+) \|[^|/]*$", cells[1]) if cells else None
    if not match:
        raise click.ClickException(f"{results.name} has no p95 in row {row!r}.")
    return float(match[1])


def links(m: int) -> float:
    """Bytes of HNSW links per vector: 2 M on the lowest level, M on each above, where one in M vectors is.

    >>> links(16)
    132.26666666666668
    """
    return 4 * (2 * m + m / (m - 1))


# ---- the tables


def figures_table(figures: Mapping[str, Figure]) -> str:
    rows = [[each.name, amount(each.value), each.unit, each.what, each.source] for each in figures.values()]
    lines = [["name", "value", "unit", "what", "source"], ["---", "--:", "---", "---", "---"], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def storage_table(figures: Mapping[str, Figure]) -> str:
    value = {name: figure.value for name, figure in figures.items()}
    folder = value["store"] + value["terms"] + value["vectors"]
    objects = value["store"] + value["vector"] + value["links16"] + value["postings"]
    memory = value["vector"] + value["links16"] + value["postings"]
    wide = value["vector"] + value["links32"] + value["postings"]

    def nodes(n: int) -> str:
        return f"{math.ceil(n * memory * value['spare'] / value['node']):,}" if n >= MILVUS_FROM else "–"

    def in_folder(take: Callable[[int], float]) -> Callable[[int], str]:
        return lambda n: size(take(n)) if n < MILVUS_FROM else "–"

    def in_milvus(take: Callable[[int], float]) -> Callable[[int], str]:
        return lambda n: size(take(n)) if n >= MILVUS_FROM else "–"

    lines: list[tuple[str, Callable[[int], str]]] = [
        ("kept in", lambda n: "a folder" if n < MILVUS_FROM else "Milvus"),
        ("dense search", lambda n: "exact" if n <= SIZES[0] else "lists" if n < MILVUS_FROM else "HNSW"),
        ("folder: disk, n × (store + terms + vectors)", in_folder(lambda n: n * folder)),
        ("folder: memory, n × resident", in_folder(lambda n: n * value["resident"])),
        ("Milvus: object storage, n × (store + vector + links16 + postings)", in_milvus(lambda n: n * objects)),
        ("Milvus: memory, n × (vector + links16 + postings)", in_milvus(lambda n: n * memory)),
        ("… with links32", in_milvus(lambda n: n * wide)),
        ("Milvus: query nodes, memory × spare ÷ node, one copy", nodes),
        ("Milvus: sealed segments, n × vector ÷ segment", lambda n: count(n * value["vector"] / value["segment"], n)),
    ]
    return markdown_table(["passages", *map(power, SIZES)], [[name, *map(take, SIZES)] for name, take in lines])


def encoding_table(figures: Mapping[str, Figure]) -> str:
    encoded, written, machine = (figures[name].value for name in ("encoded", "written", "machine"))
    lines: list[tuple[str, Callable[[int], str]]] = [
        ("encoding, n × encoded, core hours", lambda n: amount(n * encoded / 3600)),
        ("on one machine, ÷ machine", lambda n: duration(n * encoded / machine)),
        (
            "machines for a day, n × encoded ÷ machine ÷ 86,400 s",
            lambda n: f"{math.ceil(n * encoded / machine / DAY_S)}",
        ),
        ("the one writer to a folder, n × written", lambda n: duration(n * written) if n < MILVUS_FROM else "–"),
        ("passages a second, for a day", lambda n: f"{n / DAY_S:,.0f}"),
    ]
    return markdown_table(["passages", *map(power, SIZES)], [[name, *map(take, SIZES)] for name, take in lines])


def serving_table(figures: Mapping[str, Figure]) -> str:
    read, spare, machine = (figures[name].value for name in ("read", "spare", "machine"))
    lines: list[tuple[str, Callable[[int], str]]] = [
        ("cores that read, rate × read", lambda rate: amount(rate * read)),
        ("… × spare", lambda rate: f"{math.ceil(rate * read * spare)}"),
        ("replicas, ÷ machine", lambda rate: f"{math.ceil(rate * read * spare / machine)}"),
        (
            "the same if one in two answers is kept from before",
            lambda rate: f"{math.ceil(rate * read * spare / machine / 2)}",
        ),
    ]
    head = ["questions a second", *map(str, RATES)]
    return markdown_table(head, [[name, *map(take, RATES)] for name, take in lines])


def latency_table(figures: Mapping[str, Figure]) -> str:
    search, read = figures["search_p95"].value, figures["read_p95"].value
    rows = [
        ["search, search_p95", f"{search:.0f}"],
        ["… of this dense, dense_p95", f"{figures['dense_p95'].value:.0f}"],
        ["reading, read_p95", f"{read:.0f}"],
        ["reading as a share of both", f"{read / (search + read):.0%}"],
    ]
    return markdown_table(["p95 of a question alone, 1,000,000 passages in a folder", "ms"], rows)


TABLES = {
    "figures": figures_table,
    "storage": storage_table,
    "encoding": encoding_table,
    "serving": serving_table,
    "latency": latency_table,
}


def filled(text: str, figures: Mapping[str, Figure]) -> str:
    """The file with each table between its marks. Raises ClickException if a mark is missing."""
    for name, table in TABLES.items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not marks.search(text):
            raise click.ClickException(f"{CAPACITY.name} has no place for {name!r}.")
        rendered = table(figures)
        text = marks.sub(lambda match, rendered=rendered: f"{match[1]}{rendered}\n{match[2]}", text)  # type: ignore[misc]
    return text


# ---- numbers


def amount(value: float) -> str:
    """Three significant figures: 1427 -> 1,427; 0.0170940 -> 0.0171."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 - math.floor(math.log10(value))}f}".rstrip("0").rstrip(".")


def size(value: float) -> str:
    """A size in GiB, or in TiB from one tebibyte on."""
    return f"{value / GIB / 1024:.1f} TiB" if value >= 1024 * GIB else f"{amount(value / GIB)} GiB"


def duration(seconds: float) -> str:
    for unit, length in (("d", DAY_S), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{amount(seconds / length)} {unit}"
    return f"{seconds:.0f} s"


def count(value: float, n: int) -> str:
    return f"{math.ceil(value):,}" if n >= MILVUS_FROM else "–"


def power(n: int) -> str:
    return f"10{str(round(math.log10(n))).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


@click.command()
def main() -> None:
    """Recompute the tables of CAPACITY.md."""
    replace(CAPACITY, filled(CAPACITY.read_text(encoding="utf-8"), figures()).encode())


if __name__ == "__main__":
    main()
