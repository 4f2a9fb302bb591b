"""The published prompts of well-known encoders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index.embedding.models import packaged
from index.embedding.prefixes import Prefixes, prefixes_for

SENTENCE_SEARCH = "Represent this sentence for searching relevant passages: {text}"
INSTRUCT = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: {text}"
PLAIN = "{context}{text}"


@pytest.mark.parametrize(
    ("name", "query", "passage"),
    [
        ("intfloat/e5-small-v2", "query: {text}", "passage: {context}{text}"),
        ("intfloat/multilingual-e5-large", "query: {text}", "passage: {context}{text}"),
        ("intfloat/multilingual-e5-large-instruct", INSTRUCT, PLAIN),
        ("intfloat/e5-mistral-7b-instruct", INSTRUCT, PLAIN),
        ("BAAI/bge-base-en-v1.5", SENTENCE_SEARCH, PLAIN),
        ("BAAI/bge-large-zh-v1.5", "为这个句子生成表示以用于检索相关文章：{text}", PLAIN),
        ("BAAI/bge-m3", "{text}", PLAIN),
        ("nomic-ai/nomic-embed-text-v1.5", "search_query: {text}", "search_document: {context}{text}"),
        ("Snowflake/snowflake-arctic-embed-xs", SENTENCE_SEARCH, PLAIN),
        ("Snowflake/snowflake-arctic-embed-m-v1.5", SENTENCE_SEARCH, PLAIN),
        ("Snowflake/snowflake-arctic-embed-l-v2.0", "query: {text}", PLAIN),
        ("mixedbread-ai/mxbai-embed-large-v1", SENTENCE_SEARCH, PLAIN),
        ("thenlper/gte-base", "{text}", PLAIN),
        ("all-MiniLM-L6-v2", "{text}", PLAIN),
        ("/srv/models/e5-base-v2", "query: {text}", "passage: {context}{text}"),
        ("/srv/e5-base-v2/gte-base", "{text}", PLAIN),
    ],
)
def test_a_family_gets_its_published_prefixes(name: str, query: str, passage: str) -> None:
    assert prefixes_for(name) == Prefixes(query=query, passage=passage)


def test_what_a_folder_says_wins_over_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "e5-base-v2"
    folder.mkdir()
    prompts = {"prompts": {"query": "find {this}: ", "document": "text: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    prefixes = prefixes_for(str(folder))
    assert prefixes.query.format(text="a {b}") == "find {this}: a {b}"
    assert prefixes.passage.format(context="Title\n", text="body") == "text: Title\nbody"


def test_a_folder_that_says_nothing_is_known_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "e5-base-v2"
    folder.mkdir()
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "", "document": ""}}')
    assert prefixes_for(str(folder)).query == "query: {text}"


def test_the_packaged_model_wants_no_prefix() -> None:
    assert prefixes_for(str(packaged())) == Prefixes()


def test_an_empty_context_leaves_no_trace() -> None:
    assert Prefixes().passage.format(context="", text="body") == "body"
