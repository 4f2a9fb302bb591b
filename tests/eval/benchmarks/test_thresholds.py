"""The benchmark of thresholds: every value is tried, then the served one is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.benchmarks import thresholds
from eval.benchmarks.real_docs import Question
from eval.benchmarks.relocations import deleted, edited, inserted, relocated
from eval.benchmarks.thresholds import ANSWERING, BASELINE, CHOICE, PAIRS, RELOCATION, Constant
from index.collections.collection import Collection
from service.answering import quantities, relocation
from service.reader.selection import open_reader
from tests.support.evaluating import ASKED, small_set

CONSTANTS = (*ANSWERING, *PAIRS, *RELOCATION, *CHOICE, *BASELINE)


@pytest.mark.parametrize("constant", CONSTANTS, ids=lambda constant: constant.label)
def test_the_served_value_is_among_those_tried(constant: Constant) -> None:
    assert constant.served in constant.values
    assert list(constant.values) == sorted(set(constant.values))


def test_each_value_is_set_while_it_is_measured_and_the_served_one_afterwards() -> None:
    served = quantities.ROUGH
    tried: list[float] = []
    constant = Constant(quantities, "ROUGH", (0.0, served))

    def figures() -> dict[str, float]:
        tried.append(quantities.ROUGH)
        return {"value": quantities.ROUGH}

    table = thresholds.varied([constant], figures)
    assert [*tried, quantities.ROUGH] == [0.0, served, served]
    assert f"| **quantities.ROUGH {served:g}** | {served:.3f} |" in table


def test_answers_to_a_small_set_are_measured(tmp_path: Path, documents: Path, index_folder: Path) -> None:
    asking = thresholds.Asking(index_folder, open_reader(None, index_folder))
    try:
        figures = asking.figures(small_set(tmp_path / "set", documents))
        question, _, text, _ = ASKED[0]
        real = asking.real([Question(question, "time", [str(text)])])
    finally:
        asking.close()
    assert 0 < figures["hit@1"] <= 1
    assert 0 < figures["several: citation recall"] <= 1
    assert real["real: right first"] + real["real: wrong shown"] <= 1


def test_relocated_citations_are_counted_by_what_became_of_their_sentence(index_folder: Path) -> None:
    searcher = Collection.open(index_folder).searcher()
    contents = [searcher.content(each.number) for each in searcher.documents(None, searcher.document_count)]
    kept = relocated(contents, [inserted])
    assert kept.citations == kept.present >= kept.right > 0
    result = relocated(contents, [deleted, edited])
    assert (result.present, result.right) == (0, 0)
    assert result.citations == 2 * kept.citations


def test_a_threshold_of_relocation_moves_its_figures(index_folder: Path) -> None:
    figures = thresholds.relocations(index_folder)
    served = figures()
    with thresholds.set_to(Constant(relocation, "BRIEF", ()), 1000):
        assert figures()["found again"] <= served["found again"]
    assert figures() == served


def test_statements_that_contradict_each_other_are_counted() -> None:
    figures = thresholds.conflicts(thresholds.pairs())
    assert min(figures.values()) >= 0.8
