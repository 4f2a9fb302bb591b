"""Ranking metrics of passages or documents, by ir-measures: recall@k, MRR@10, nDCG@10."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ir_measures
from ir_measures import RR, R, nDCG
from msgspec import Struct

from eval.datasets.dataset import Gold

MEASURES = {"recall@1": R @ 1, "recall@5": R @ 5, "recall@10": R @ 10, "recall@20": R @ 20}
MEASURES |= {"MRR@10": RR @ 10, "nDCG@10": nDCG @ 10}
NAMES = {measure: name for name, measure in MEASURES.items()}


class Place(Struct, frozen=True):
    """The position of a retrieved passage; code points, half-open."""

    source: str
    start: int
    end: int

    def holds(self, gold: Gold) -> bool:
        return self.source == gold.doc and self.start <= gold.start and gold.end <= self.end


class Ranked(Struct, frozen=True):
    """A ranking, best first, and the relevance grades."""

    results: Sequence[str]
    relevant: Mapping[str, int]


def of_passages(passages: Sequence[Place], needed: Sequence[Sequence[Gold]]) -> list[Ranked]:
    """One ranking for each alternative, a list of spans that are all needed.

    The relevant passages are the first ones to contain each needed span; a span in no passage counts as relevant and
    not found. So two needed spans at ranks 1 and 3 give recall@1 1/2, and both at rank 1 give 1.
    """
    ranks = [str(rank) for rank in range(1, len(passages) + 1)]
    return [Ranked(ranks, {_first_holding(passages, gold): 1 for gold in alternative}) for alternative in needed]


def of_documents(passages: Sequence[Place], relevant: Mapping[str, int]) -> list[Ranked]:
    """The documents, in the order of their best passages."""
    return [Ranked(list(dict.fromkeys(passage.source for passage in passages)), relevant)]


def measure(cases: Mapping[str, Sequence[Ranked]]) -> dict[str, dict[str, float]]:
    """The measures of each question; of several alternatives, the best value counts."""
    qrels: dict[str, dict[str, int]] = {}
    runs: dict[str, dict[str, float]] = {}
    question_of: dict[str, str] = {}
    for question, alternatives in cases.items():
        for number, ranked in enumerate(alternatives):
            case = f"{number} {question}"
            question_of[case] = question
            qrels[case] = dict(ranked.relevant)
            runs[case] = {name: -float(rank) for rank, name in enumerate(ranked.results)}
    measured = {question: dict.fromkeys(MEASURES, 0.0) for question in cases}
    for each in ir_measures.iter_calc(list(MEASURES.values()), qrels, runs):
        values, name = measured[question_of[each.query_id]], NAMES[each.measure]
        values[name] = max(values[name], each.value)
    return measured


def _first_holding(passages: Sequence[Place], gold: Gold) -> str:
    for rank, passage in enumerate(passages, start=1):
        if passage.holds(gold):
            return str(rank)
    return f"missing {gold.doc} {gold.start} {gold.text}"
