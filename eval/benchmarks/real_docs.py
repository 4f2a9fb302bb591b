"""Questions as people ask them, on documents as people have them: right first, wrong shown, held back, by kind.

python -m eval.benchmarks.real_docs ../shared/data/dev/real_docs eval/data/real --out runs/real

Each folder has `corpus/` and `questions.jsonl`, a line `{"corpus", "kind", "question", "accept"}`. An answer is right
where it holds one of the texts of `accept`, case and white space aside; where that is null, nothing answers.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import click
import msgspec
from msgspec import Struct

from index.backends import open_backend
from index.collections.build import BuildReport
from index.collections.build import build as build_documents
from service.answering.answering import Answering
from service.schema import Answer, AskRequest

Outcome = Literal["right", "wrong", "held back", "rightly held back"]
SEED = 21
SPACE = re.compile(r"\s+")


class Question(Struct, frozen=True):
    question: str
    kind: str
    accept: list[str] | None
    corpus: str = ""


class QuestionOutcome(Struct, frozen=True):
    """A question with what came of it, for the look at every miss."""

    corpus: str
    kind: str
    question: str
    outcome: Outcome
    confidence: float
    answer: str | None
    accept: list[str] | None
    rank: int | None  # of the right one among the answers that would be given without a threshold, from 1


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/real"), show_default=True)
@click.option("--most", type=int, help="Questions of each set, at most; always the same ones.")
@click.option("--misses", is_flag=True, help="Print every question that was not answered rightly.")
def main(*, folders: Sequence[Path], out: Path, most: int | None, misses: bool) -> None:
    """Ask the questions of every set below FOLDERS and print a table by kind."""
    outcomes = [
        each for root in folders for folder in sets_in(root) for each in ask_questions(folder, out / folder.name, most)
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "asked.jsonl").write_bytes(msgspec.json.Encoder().encode_lines(outcomes))
    for each in outcomes if misses else ():
        if each.outcome in ("wrong", "held back"):
            click.echo(f"{each.outcome} {each.confidence:.2f} [{each.kind}] {each.question}")
            click.echo(f"    {(each.answer or '-')[:300]!r}\n    wanted {each.accept}, at rank {each.rank}")
    click.echo(table(outcomes))


def sets_in(root: Path) -> Iterator[Path]:
    """The folders with questions: this one, or those in it."""
    if (root / "questions.jsonl").is_file():
        yield root
        return
    yield from sorted(path.parent for path in root.glob("*/questions.jsonl"))


def ask_questions(folder: Path, work: Path, most: int | None) -> list[QuestionOutcome]:
    """Build the set's documents in `work` (what is unchanged costs nothing), and ask its questions in order."""
    index = work / "index"
    build(folder / "corpus", index)
    questions = msgspec.json.Decoder(Question).decode_lines((folder / "questions.jsonl").read_bytes())
    if most is not None and most < len(questions):
        questions = random.Random(SEED).sample(questions, most)  # noqa: S311
    answering = Answering.open(index)
    try:
        return [outcome_of(folder.name, each, answering) for each in questions]
    finally:
        answering.close()


def build(corpus: Path, index: Path) -> BuildReport:
    with open_backend(index).build_writer() as writer:
        return build_documents(writer, [corpus])


def outcome_of(corpus: str, question: Question, answering: Answering) -> QuestionOutcome:
    everything = answering.ask(AskRequest(question=question.question, max_answers=20, min_confidence=0), "real")
    answers = everything.answers if everything.confidence >= answering.reader.threshold else []
    ranks = [rank for rank, each in enumerate(everything.answers, start=1) if holds(each.text, question.accept)]
    return QuestionOutcome(
        corpus=corpus,
        kind=question.kind,
        question=question.question,
        outcome=judged(answers, question.accept),
        confidence=everything.confidence,
        answer=everything.answers[0].text if everything.answers else None,
        accept=question.accept,
        rank=ranks[0] if ranks else None,
    )


def judged(answers: Sequence[Answer], accept: Sequence[str] | None) -> Outcome:
    if not answers:
        return "held back" if accept else "rightly held back"
    return "right" if holds(answers[0].text, accept) else "wrong"


def holds(text: str, accept: Sequence[str] | None) -> bool:
    return any(folded(each) in folded(text) for each in accept or ())


def folded(text: str) -> str:
    return SPACE.sub(" ", text.casefold())


def table(outcomes: Sequence[QuestionOutcome]) -> str:
    """Right first: of the questions that have an answer. Wrong shown: of all."""
    by_kind: dict[str, list[QuestionOutcome]] = defaultdict(list)
    for each in outcomes:
        by_kind[each.kind].append(each)
    rows = [row(kind, by_kind[kind]) for kind in sorted(by_kind)]
    head = "| kind | questions | right first | wrong shown | held back | a right one in the first 20 |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows, row("**all**", outcomes)])


def row(kind: str, outcomes: Sequence[QuestionOutcome]) -> str:
    answerable = [each for each in outcomes if each.accept]
    right = sum(each.outcome == "right" for each in answerable)
    wrong = sum(each.outcome == "wrong" for each in outcomes)
    held = sum(each.outcome == "held back" for each in answerable)
    reachable = sum(each.rank is not None for each in answerable)
    share = f" ({right / len(answerable):.2f})" if answerable else ""
    return (
        f"| {kind} | {len(outcomes)} | {right}{share} | {wrong} ({wrong / len(outcomes):.2f}) | {held} | {reachable} |"
    )


if __name__ == "__main__":
    main()
