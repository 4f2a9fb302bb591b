"""What each family of encoders wants in front of a question and of a passage.

A model trained with a prefix finds less without it. A folder of sentence-transformers may say itself what it wants
(`prompts` in config_sentence_transformers.json); then that holds. Else the name decides, by this table of what the
model cards publish. `index/` is given the two templates as values and fills them with `str.format`.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from msgspec import Struct

from index.config import IndexConfig
from index.types import Encoder

# A passage alone often does not say what it is about; its title and headings do. So they go in front of what the
# encoder reads, and never into what is cited. `index.text.passages.context` makes that line.
PASSAGE = "{context}{text}"
CONFIG = "config_sentence_transformers.json"
QUERY_NAMES = ("query", "search_query", "retrieval.query", "s2p_query", "web_search_query")
PASSAGE_NAMES = ("passage", "document", "search_document", "retrieval.passage", "corpus")

SENTENCE_SEARCH = "Represent this sentence for searching relevant passages: "
WEB_SEARCH = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "

# The first pattern found in the lower-case name wins: (pattern, before a question, before a passage).
FAMILIES: tuple[tuple[str, str, str], ...] = (
    (r"\be5\b.*-instruct\b", WEB_SEARCH, ""),  # intfloat/multilingual-e5-large-instruct, e5-mistral-7b-instruct
    (r"\be5-(small|base|large)\b", "query: ", "passage: "),  # intfloat/e5-base-v2, multilingual-e5-small
    (r"\bbge-(small|base|large)-en\b", SENTENCE_SEARCH, ""),  # BAAI/bge-small-en-v1.5; bge-m3 wants nothing
    (r"\bbge-(small|base|large)-zh\b", "为这个句子生成表示以用于检索相关文章：", ""),
    (r"\bnomic-embed-text\b", "search_query: ", "search_document: "),  # nomic-ai/nomic-embed-text-v1.5
    (r"\bmodernbert-embed\b", "search_query: ", "search_document: "),  # nomic-ai/modernbert-embed-base
    (r"\bsnowflake-arctic-embed-[a-z]+-v2", "query: ", ""),
    (r"\bsnowflake-arctic-embed\b", SENTENCE_SEARCH, ""),  # xs to l, and m-v1.5
    (r"\bmxbai-embed-large\b", SENTENCE_SEARCH, ""),
)


class Prefixes(Struct, frozen=True):
    """Templates: `{text}` is the question or the passage, `{context}` what stands above the passage."""

    query: str = "{text}"
    passage: str = PASSAGE


def config_of(encoder: Encoder) -> IndexConfig:
    """The configuration of a new collection: the prompts that its encoder was trained with."""
    prefixes = prefixes_for(encoder.name)
    return IndexConfig(
        encoder=encoder.name,
        encoder_sha256=encoder.sha256,
        dimension=encoder.dimension,
        query_prompt=prefixes.query,
        passage_prompt=prefixes.passage,
    )


def prefixes_for(name: str) -> Prefixes:
    """The templates for a model, by name or folder; where nothing is known, none (MiniLM, GTE and most others).

    >>> prefixes_for("intfloat/e5-base-v2").query
    'query: {text}'
    """
    published = _published(Path(name) / CONFIG)
    if published is not None:
        return published
    # The end of a name or of a folder names the model; "/srv/e5-base-v2/gte-small" is GTE.
    model = Path(name).name.lower()
    for pattern, query, passage in FAMILIES:
        if re.search(pattern, model):
            return _templates(query, passage)
    return Prefixes()


def _published(config: Path) -> Prefixes | None:
    """What a model's own file says, or None where it says nothing about questions and passages."""
    if not config.is_file():
        return None
    prompts = msgspec.json.decode(config.read_bytes()).get("prompts") or {}
    query = next((prompts[name] for name in QUERY_NAMES if prompts.get(name)), "")
    passage = next((prompts[name] for name in PASSAGE_NAMES if prompts.get(name)), "")
    return _templates(query, passage) if query or passage else None


def _templates(query: str, passage: str) -> Prefixes:
    return Prefixes(query=_literal(query) + "{text}", passage=_literal(passage) + PASSAGE)


def _literal(prefix: str) -> str:
    """`prefix` as it must stand in a template: {x} -> {{x}}."""
    return prefix.replace("{", "{{").replace("}", "}}")
