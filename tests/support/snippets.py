"""Runs the fenced code blocks of a documentation page in order.

One shell runs all `sh` blocks of a page, so variables persist. `make serve` is already running; `pincite serve` is
started in the background, as in a second terminal.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.support.commands import ROOT, serving

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIRST, SECOND = "http://127.0.0.1:8000", "http://127.0.0.1:8001"  # of `make serve`, and of services that a page starts
SERVE = re.compile(r"^\.venv/bin/pincite serve (.*)$")
INTERPRETERS = {"python": [sys.executable], "js": ["node", "--input-type=module"]}
END = "--end-of-block--"
LONGEST_S = 180


class Ran(NamedTuple):
    language: str
    text: str
    output: str


def blocks(page: str) -> list[tuple[str, str]]:
    """The language and text of each fenced block."""
    return FENCE.findall(page)


class Reader:
    """A user who follows a page, in a checkout with seeds and a home folder with notes."""

    def __init__(self, folder: Path, address: str, index: Path) -> None:
        """`address`: a service over `index`, as `make serve` starts it."""
        self.folder = folder
        self.home = folder / "home"
        self.addresses = {FIRST: address}
        self.services = ExitStack()
        (self.home / "notes").mkdir(parents=True)
        (self.home / "notes" / "house.txt").write_text("The rent is due on the first of each month.\n", "utf-8")
        for name in ("seeds", "eval"):
            (folder / name).symlink_to(ROOT / name)
        (folder / ".pincite").symlink_to(index)
        for made in (self.home / ".pincite", folder / ".pincite-demo", folder / ".pincite-eval"):
            (made / "encoders").mkdir(parents=True)
            for exported in (index / "encoders").iterdir():  # or every page would export the encoder again
                (made / "encoders" / exported.name).symlink_to(exported.resolve())
        command = folder / ".venv" / "bin" / "pincite"
        command.parent.mkdir(parents=True)
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m pincite "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        self.environment = os.environ | {"HOME": str(self.home), "PYTHONPATH": str(ROOT)}

    def read(self, page: str) -> Iterator[Ran]:
        """Run the page and return each block's output. Raises AssertionError if a block fails."""
        with (
            self.services,
            (self.folder / "stderr").open("w") as stderr,
            subprocess.Popen(
                ["bash", "-euo", "pipefail"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as shell,
        ):
            for language, text in blocks(page):
                if language == "sh":
                    yield Ran(language, text, "".join(self.type_in(shell, part) for part in self.parts(text)))
                elif language in INTERPRETERS and shutil.which(INTERPRETERS[language][0]):
                    yield Ran(language, text, self.run(INTERPRETERS[language], text))

    def parts(self, text: str) -> Iterator[str]:
        """The shell input, split where a service is started."""
        typed: list[str] = []
        for line in text.replace("\\\n", " ").splitlines():
            if started := SERVE.match(line):
                yield "\n".join(typed)
                typed = []
                self.serve(started[1].partition("#")[0].split())
            elif not line.startswith("make "):
                typed.append(line)
        yield "\n".join(typed)

    def serve(self, arguments: list[str]) -> None:
        """Start the service of a page on a free port; one without a port replaces `make serve`."""
        words = [word.replace("~", str(self.home)) for word in arguments]
        place = SECOND if "--port" in words else FIRST
        if "--port" in words:
            at = words.index("--port")
            del words[at : at + 2]
        _, self.addresses[place] = self.services.enter_context(serving(*words))

    def placed(self, text: str) -> str:
        for shown, address in self.addresses.items():
            text = text.replace(shown, address)
        return text

    def type_in(self, shell: subprocess.Popen[str], text: str) -> str:
        assert shell.stdin
        assert shell.stdout
        shell.stdin.write(f"{self.placed(text)}\necho {END}\n")
        shell.stdin.flush()
        output = ""
        for line in shell.stdout:
            if line.rstrip().endswith(END):
                return output + line.rstrip().removesuffix(END)
            output += line
        raise AssertionError(f"{text}\nfailed:\n{output}\n{(self.folder / 'stderr').read_text('utf-8')}")

    def run(self, command: list[str], text: str) -> str:
        done = subprocess.run(
            command,
            input=self.placed(text),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
        return done.stdout
