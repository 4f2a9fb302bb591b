"""The parts of docs/ that are generated from the code. `python -m tests.support.documentation` writes them.

A part stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import click
import msgspec

from pincite import pincite
from service.cli.serve import ENVIRONMENT
from service.http.examples import ANSWERS
from service.http.problems import KINDS
from tests.support import attacks
from tests.support.commands import ROOT

DOCS = ROOT / "docs"
VARIABLE = re.compile(r"^  (PINCITE_\w+) +(.*?)(?:  \[(default[^\]]*)\])?$", re.MULTILINE)
JSON_BLOCK = re.compile(r"(?<=```json\n).*?(?=```)", re.DOTALL)


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Each command with its full name: "keys make"."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        elif command is not None and not command.hidden:
            yield prefix + name, command


def command_table() -> str:
    rows = []
    for name, command in commands(pincite):
        arguments = [
            each.make_metavar(click.Context(command)) for each in command.params if each.param_type_name == "argument"
        ]
        summary = (command.help or "").split("\n\n")[0].replace("\n", " ").strip()
        rows.append((f"`{' '.join(['pincite', name, *arguments])}`", summary))
    return table(("command", "does"), rows)


def option_table() -> str:
    """Each option once, with the commands that have it."""
    users: dict[tuple[str, str, str, str], list[str]] = {}
    for name, command in commands(pincite):
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden and option.name != "help":
                users.setdefault(described(option), []).append(name)
    return table(
        ("option", "variable", "default", "of", "meaning"),
        [(flag, variable, default, ", ".join(names), text) for (flag, variable, default, text), names in users.items()],
    )


def described(option: click.Option) -> tuple[str, str, str, str]:
    text = option.help or ""
    stated = re.search(r"\s*\[(default: |required; )?([^\]]+)\]\s*$", text)
    default = stated[2] if stated else ""
    if option.required:
        default = "required"
    elif not stated:
        usual = option.to_info_dict()["default"]  # None where there is none
        default = ", ".join(map(str, usual)) if isinstance(usual, tuple | list) else str(usual or "")
    variable = f"`{option.envvar}`" if option.envvar else ""
    return f"`{option.opts[0]}`", variable, default, text[: stated.start()] if stated else text


def variable_table() -> str:
    rows = [
        (f"`{name}`", default.rpartition(": ")[2], text[:1].upper() + text[1:])
        for name, text, default in VARIABLE.findall(ENVIRONMENT)
    ]
    return table(("variable", "default", "meaning"), rows)


def problem_table() -> str:
    kinds = {kind.name: kind for kind in KINDS.values()}
    rows = [
        (str(kind.status), f"`{kind.name}`", kind.title, " ".join(f"`{fact}`" for fact in kind.facts))
        for kind in sorted(kinds.values())
    ]
    return table(("status", "type `urn:pincite:problem:…`", "title", "facts"), rows)


def capacity(part: str) -> Callable[[], str]:
    def copied() -> str:
        found = re.search(
            f"(?s)<!-- {part} -->\n(.*?)<!-- /{part} -->", (ROOT / "eval" / "CAPACITY.md").read_text("utf-8")
        )
        if found is None:
            raise ValueError(f"eval/CAPACITY.md has no part {part!r}")
        return found[1]

    return copied


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def response() -> str:
    """The recorded answer to the first example, one member a line at the top."""
    return msgspec.json.format(msgspec.json.encode(ANSWERS["ask"]), indent=2).decode() + "\n"


PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "commands": ("command-line.md", command_table),
    "options": ("configuration.md", option_table),
    "variables": ("configuration.md", variable_table),
    "problems": ("http-api.md", problem_table),
    "storage": ("operations.md", capacity("storage")),
    "serving": ("operations.md", capacity("serving")),
    "attacks": ("security.md", attacks.table),
}


def generated(page: str, text: str) -> str:
    """The text of a page of docs/ with its generated parts as they are now."""
    for name, (owner, make) in PARTS.items():
        if owner == page:
            before, opening, rest = text.partition(f"<!-- {name} -->\n")
            _, closing, after = rest.partition(f"<!-- /{name} -->")
            text = before + opening + make() + closing + after
    if page == "http-api.md":
        text = JSON_BLOCK.sub(lambda _: response(), text, count=1)
    return text


def main() -> None:
    for path in DOCS.glob("*.md"):
        path.write_text(generated(path.name, path.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
