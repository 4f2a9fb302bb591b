"""Compares two runs of one test set: differences, their significance, and the questions won and lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from eval.errors import DifferentQuestions
from eval.metrics.scoring import Score
from eval.metrics.statistics import NOT_TESTED, Difference, differences, holm
from eval.metrics.table import BY_NAME, Columns
from eval.runs.error_analysis import Excerpt, cited
from eval.runs.report import templates
from eval.runs.run import Line, RunFolder, replace

SIGNIFICANT = 0.05


class Verdict(Struct, frozen=True):
    """A difference with its p-value corrected for the number of metrics."""

    difference: Difference
    p: float

    @property
    def better(self) -> bool:
        return (self.difference.value > 0) == BY_NAME[self.difference.metric].higher_is_better

    @property
    def word(self) -> str:
        """Better, worse, or not significant."""
        if self.p >= SIGNIFICANT or not self.difference.value:
            return ""
        return "better" if self.better else "worse"


class Side(Struct, frozen=True):
    status: str
    confidence: float
    quotes: list[Excerpt]


class Change(Struct, frozen=True):
    """A question that one run answers right and the other wrong."""

    id: str
    question: str
    type: str | None
    a: Side
    b: Side


class Comparison(Struct, frozen=True):
    a: str
    b: str
    dataset: str
    questions: int
    verdicts: list[Verdict]
    won: list[Change]  # wrong in A, right in B
    lost: list[Change]

    @property
    def regressions(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.word == "worse"]


def compare(a: Path, b: Path) -> Comparison:
    """Compare B with A. Raises RunNotFound, RunVersion, RunIncomplete or DifferentQuestions."""
    first, second = RunFolder(a), RunFolder(b)
    before, after = first.read_environment(), second.read_environment()
    if before.dataset_sha256 != after.dataset_sha256:
        reason = f"they are of different test sets ({before.dataset} {before.dataset_sha256[:12]}, {after.dataset} "
        raise DifferentQuestions(a=a, b=b, reason=f"{reason}{after.dataset_sha256[:12]})")
    scores_a, scores_b = first.read_scores(), second.read_scores()
    results = differences(Columns.of(scores_a), Columns.of(scores_b), after.resamples)
    # Metrics without any difference cannot be significant, so they do not count as tests (Tarone, 1990).
    corrected = holm({each.metric: each.p for each in results if each.test != NOT_TESTED})
    verdicts = [Verdict(each, corrected.get(each.metric, 1.0)) for each in results]
    changes = list(zip(scores_a, scores_b, first.read_lines(), second.read_lines(), strict=True))
    return Comparison(
        a=str(a),
        b=str(b),
        dataset=after.dataset,
        questions=len(scores_a),
        verdicts=verdicts,
        won=[change(*each) for each in changes if merit(each[1]) > merit(each[0])],
        lost=[change(*each) for each in changes if merit(each[1]) < merit(each[0])],
    )


def merit(score: Score) -> float:
    """Whether a question is won: right first answer, or right abstention; if documents are judged, nDCG."""
    if "hit@1" in score.values:
        return score.values["hit@1"]
    return score.values.get("nDCG@10", score.values.get("status accuracy", 0.0))


def change(a: Score, b: Score, line_a: Line, line_b: Line) -> Change:
    return Change(a.id, line_a.question, a.type, side(a, line_a), side(b, line_b))


def side(score: Score, line: Line) -> Side:
    answers = line.response.answers[:1]
    return Side(score.given, score.confidence, [cited(c, answer) for answer in answers for c in answer.citations])


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write the comparison as one HTML file."""
    sections: Sequence[tuple[str, list[Change]]] = (("Lost", comparison.lost), ("Won", comparison.won))
    template = templates().get_template("comparison.html")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, template.render(comparison=comparison, sections=sections).encode())
