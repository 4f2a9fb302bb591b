"""Prompt templates for a language model.

Each template is a file that never changes once released; an improvement is a new version beside it. Text before the
line `---` is the system message, text after it the user message. Names in braces are filled in; braces in the values
are kept as text.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files

from msgspec import Struct

CHOOSE = "choose-1"
PARTS = "---\n"


class Template(Struct, frozen=True):
    name: str
    sha256: str  # of the file
    system: str
    user: str

    def messages(self, **values: object) -> list[dict[str, str]]:
        """The messages of a chat."""
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": self.user.format(**values)},
        ]


@cache
def template(name: str) -> Template:
    file = files("prompts").joinpath(f"{name}.txt").read_bytes()
    system, _, user = file.decode().partition(PARTS)
    return Template(name, sha256(file).hexdigest(), system.strip(), user.strip())
