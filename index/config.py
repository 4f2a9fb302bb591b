"""The configuration an index was built with. It is stored in the index and compared on opening."""

from __future__ import annotations

from msgspec import Struct


class IndexConfig(Struct, frozen=True):
    """`query_prompt` and `passage_prompt` are templates for `str.format` with `text`, and for passages `context`."""

    encoder: str
    encoder_sha256: str
    dimension: int
    query_prompt: str = "{text}"
    passage_prompt: str = "{context}{text}"
    budget: int = 160  # cl100k_base tokens per passage, without context
    overlap: int = 1  # sentences shared by consecutive passages
