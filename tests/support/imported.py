"""The modules that no test imports, not even by way of others. `make check` fails where there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click
import grimp

import pincite
from tests.support.documentation import commands

PACKAGES = ("eval", "service", "prompts", "index")


def unimported(packages: Sequence[str], tests: str, further: Iterable[str] = ()) -> list[str]:
    """Of these packages. `further`: modules that tests import by name, which the code of the tests does not show."""
    graph = grimp.build_graph(*packages, tests, cache_dir=None)
    imported = graph.find_upstream_modules(tests, as_package=True)
    for module in further:
        imported |= {module} | graph.find_upstream_modules(module)
    own = {module for module in graph.modules if module.partition(".")[0] in packages}
    return sorted(module for module in own - imported if not graph.find_children(module))


def commands_modules() -> set[str]:
    """Those of the commands, which `pincite` imports when they are asked for, as the tests of the documentation do."""
    found = {command.callback.__module__ for _, command in commands(pincite.pincite) if command.callback}
    return {module for module in found if module.partition(".")[0] in PACKAGES}


def main() -> None:
    missing = unimported(PACKAGES, "tests", commands_modules())
    for module in missing:
        click.echo(f"No test imports {module}.", err=True)
    sys.exit(bool(missing))


if __name__ == "__main__":
    main()
