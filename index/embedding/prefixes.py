"""The prefixes that encoder families need in front of questions and passages.

A model trained with prefixes finds less without them. A sentence-transformers folder can declare its own (`prompts` in
config_sentence_transformers.json). Otherwise this table, taken from the published model cards, decides by name.
Collections store the resulting templates for `str.format`.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from msgspec import Struct

from index.config import IndexConfig
from index.types import Encoder

# A passage alone often does not say what it is about; its title and headings do. They are put in front of the passage
# for the encoder only, never into a citation. See `index.text.passages.context`.
PASSAGE = "{context}{text}"
CONFIG = "config_sentence_transformers.json"
QUERY_NAMES = ("query", "search_query", "retrieval.query", "s2p_query", "web_search_query")
PASSAGE_NAMES = ("passage", "document", "search_document", "retrieval.passage", "corpus")

SENTENCE_SEARCH = "Represent this sentence for searching relevant passages: "
WEB_SEARCH = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "

# The first pattern found in the lower-case name wins: (pattern, question prefix, passage prefix).
FAMILIES: tuple[tuple[str, str, str], ...] = (
    (r"\be5\b.*-instruct\b", WEB_SEARCH, ""),  # intfloat/multilingual-e5-large-instruct, e5-mistral-7b-instruct
    (r"\be5-(small|base|large)\b", "query: ", "passage: "),  # intfloat/e5-base-v2, multilingual-e5-small
    (r"\bbge-(small|base|large)-en\b", SENTENCE_SEARCH, ""),  # BAAI/bge-small-en-v1.5; bge-m3 has none
    (r"\bbge-(small|base|large)-zh\b", "为这个句子生成表示以用于检索相关文章：", ""),
    (r"\bnomic-embed-text\b", "search_query: ", "search_document: "),  # nomic-ai/nomic-embed-text-v1.5
    (r"\bmodernbert-embed\b", "search_query: ", "search_document: "),  # nomic-ai/modernbert-embed-base
    (r"\bsnowflake-arctic-embed-[a-z]+-v2", "query: ", ""),
    (r"\bsnowflake-arctic-embed\b", SENTENCE_SEARCH, ""),  # xs to l, and m-v1.5
    (r"\bmxbai-embed-large\b", SENTENCE_SEARCH, ""),
)


class Prefixes(Struct, frozen=True):
    """Templates: `{text}` is the question or the passage, `{context}` the title and headings above the passage."""

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
    """The templates for a model, by name or folder; for unknown models, none (as MiniLM, GTE and most others).

    >>> prefixes_for("intfloat/e5-base-v2").query
    'query: {text}'
    """
    published = _published(Path(name) / CONFIG)
    if published is not None:
        return published
    # The last path component names the model: "/srv/e5-base-v2/gte-small" is GTE.
    model = Path(name).name.lower()
    for pattern, query, passage in FAMILIES:
        if re.search(pattern, model):
            return _templates(query, passage)
    return Prefixes()


def _published(config: Path) -> Prefixes | None:
    """The prompts declared in a model's own files, or None if there are none for questions and passages."""
    if not config.is_file():
        return None
    prompts = msgspec.json.decode(config.read_bytes()).get("prompts") or {}
    query = next((prompts[name] for name in QUERY_NAMES if prompts.get(name)), "")
    passage = next((prompts[name] for name in PASSAGE_NAMES if prompts.get(name)), "")
    return _templates(query, passage) if query or passage else None


def _templates(query: str, passage: str) -> Prefixes:
    return Prefixes(query=_literal(query) + "{text}", passage=_literal(passage) + PASSAGE)


def _literal(prefix: str) -> str:
    """Escape braces in `prefix` for a template: {x} -> {{x}}."""
    return prefix.replace("{", "{{").replace("}", "}}")
