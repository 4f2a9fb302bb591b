"""`eval/RESULTS.md`, the table of record: each part is written by the command that measured it, never by hand."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from eval.runs.environment import commit
from eval.runs.run import replace

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
PARTS = (
    "bench",
    "peers",
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
)
HEAD = """# Results

What was measured, on which machine and when. The commands that stand under the parts write this file;
nothing in it is written by hand. `eval/metrics/table.py` and the report of each run say what each metric means.
Behind the value of a metric is its 95 % interval: bootstrap over the questions.
"""


def write_part(part: str, text: str, path: Path = RESULTS) -> None:
    """Put `text` in place of a part of the file; the other parts stay."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    parts = {name: text.strip() if name == part else _part(name, before) for name in PARTS}
    body = "\n".join(f"<!-- {name} -->\n{content}\n<!-- /{name} -->\n" for name, content in parts.items() if content)
    replace(path, f"{HEAD}\n{body}".encode())


def provenance(command: str) -> str:
    """`make bench`, commit, date, machine, in one line."""
    machine = f"{_processor()}, Python {platform.python_version()}"
    return f"`{command}`, commit {commit() or 'none'}, {datetime.now(UTC):%Y-%m-%d}; {machine}."


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _part(name: str, text: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", text, re.DOTALL)
    return found[1] if found else ""


def _processor() -> str:
    """`2 × Intel(R) Xeon(R) …` on Linux, else the name of the architecture."""
    try:
        names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        names = []
    return f"{len(names)} × {names[0]}" if names else platform.machine()
