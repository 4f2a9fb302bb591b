"""What a language model is told.

Each template is a file that never changes once it was shipped; a better one is a new version beside it.
What comes before the line `---` is the message of the system, what comes after it that of the user. A name in braces is
filled in; braces in what is filled in are ordinary text.
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
        """As a chat has them."""
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": self.user.format(**values)},
        ]


@cache
def template(name: str) -> Template:
    file = files("prompts").joinpath(f"{name}.txt").read_bytes()
    system, _, user = file.decode().partition(PARTS)
    return Template(name, sha256(file).hexdigest(), system.strip(), user.strip())
