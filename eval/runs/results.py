"""Writes `eval/RESULTS.md`, the table of record: the benchmark commands write its parts, nobody edits it."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from eval.runs.environment import commit
from eval.runs.run import replace
from service.schema import ModelInfo

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
PARTS = (
    "bench",
    "peers",
    "readers",
    "growth",
    "updates",
    "load",
    "deadlines",
    "soak",
    "servers",
    "pages",
    "stores",
    "ray",
    "chooser",
    "thresholds",
)
HEAD = """# Results

What was measured, when, and on which machine. The commands shown under the parts write this file;
do not edit it. `eval/metrics/table.py` and the report of each run define the metrics.
Each value is followed by its 95 % interval, a bootstrap over the questions.
"""


def write_part(part: str, text: str, path: Path = RESULTS) -> None:
    """Replace one part of the file; the other parts stay."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    parts = {name: text.strip() if name == part else _part(name, before) for name in PARTS}
    body = "\n".join(f"<!-- {name} -->\n{content}\n<!-- /{name} -->\n" for name, content in parts.items() if content)
    replace(path, f"{HEAD}\n{body}".encode())


def provenance(command: str) -> str:
    """`make bench`, commit, date, machine, in one line."""
    machine = f"{_processor()}, Python {platform.python_version()}"
    return f"`{command}`, commit {commit() or 'none'}, {datetime.now(UTC):%Y-%m-%d}; {machine}."


def reader_line(reader: ModelInfo) -> str:
    """Names the reader that answered: figures say nothing about another one."""
    return f"Reader: `{reader.name}`, SHA-256 `{reader.sha256}`."


def readers_named(path: Path = RESULTS) -> dict[str, tuple[str, str]]:
    """The name and the SHA-256 of the reader of each part that names one."""
    text = path.read_text(encoding="utf-8")
    lines = {
        part: re.search(r"^Reader: `(.+?)`, SHA-256 `([0-9a-f]{64})`\.$", _part(part, text), re.MULTILINE)
        for part in PARTS
    }
    return {part: (line[1], line[2]) for part, line in lines.items() if line}


def parts_written(path: Path = RESULTS) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [part for part in PARTS if _part(part, text)]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first column left-aligned, the others right-aligned."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _part(name: str, text: str) -> str:
    match = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", text, re.DOTALL)
    return match[1] if match else ""


def _processor() -> str:
    """The CPU, `2 × Intel(R) Xeon(R) …` on Linux; elsewhere the name of the architecture."""
    try:
        names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        names = []
    return f"{len(names)} × {names[0]}" if names else platform.machine()
