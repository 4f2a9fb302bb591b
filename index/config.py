"""What an index was built with. Stored in it, and compared on opening: other values would make other vectors."""

from __future__ import annotations

from msgspec import Struct


class IndexConfig(Struct, frozen=True):
    """`query_prompt` and `passage_prompt` are templates for `str.format` with `text`, and for passages `context`."""

    encoder: str
    encoder_sha256: str
    dimension: int
    query_prompt: str = "{text}"
    passage_prompt: str = "{context}{text}"
    budget: int = 160  # tokens of cl100k_base in a passage, its context not counted
    overlap: int = 1  # sentences that a passage shares with the one before
