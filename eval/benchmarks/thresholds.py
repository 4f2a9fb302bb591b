"""The thresholds of answering, each at several values, all else as it is served.

    python -m eval.benchmarks.thresholds --out runs/thresholds

Each question is searched and read once; only what comes after reading is done again for each value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from eval.benchmarks import real_docs
from eval.benchmarks.bench import OWN
from eval.benchmarks.choosers import Bench, Remembering, evidence_of, models
from eval.benchmarks.relocations import relocated
from eval.datasets.dataset import Dataset, Question
from eval.datasets.loading import load
from eval.metrics.scoring import score_all
from eval.metrics.table import Columns, measure
from eval.runs.environment import Settings
from eval.runs.evaluation import ask
from eval.runs.results import markdown_table, provenance, write_part
from eval.runs.target import InProcess
from eval.training.gathering import sample_places
from index.collections.collection import Collection
from index.collections.protocols import Searcher
from service.answering import parallels, quantities, relocation, selection, units
from service.answering.answering import Answering
from service.answering.catalogue import Catalogue
from service.answering.conflicts import Statement, conflict
from service.answering.retrieval import Retrieval, Retrieved
from service.llm import choosing
from service.reader import baseline
from service.reader.reader import Reader
from service.reader.selection import UNTRAINED, open_reader
from service.scheduling.deadline import Deadline

Figures = dict[str, float]


class Constant(Struct, frozen=True):
    """A threshold, and the values to try; the served one is among them."""

    module: ModuleType
    name: str
    values: tuple[float, ...]

    @property
    def label(self) -> str:
        return f"{self.module.__name__.rpartition('.')[2]}.{self.name}"

    @property
    def served(self) -> float:
        return float(getattr(self.module, self.name))


ANSWERING = (
    Constant(selection, "CLOSE", (0, 0.3, 0.6, 0.9)),
    Constant(selection, "COMMON", (0, 0.25, 0.5, 0.75, 1)),
    Constant(selection, "NEEDED", (0, 0.1, 0.2, 0.3, 0.4)),
    Constant(units, "ADDS", (0.05, 0.1, 0.2, 0.3, 0.4)),
    Constant(parallels, "AHEAD", (0.01, 0.025, 0.05, 0.1, 0.2)),
    Constant(parallels, "SURE_AT_MOST", (0.5, 0.8, 0.95, 1)),
    Constant(parallels, "LEFT", (0, 0.15, 0.3, 0.6, 1)),
    Constant(parallels, "SECTIONS_APART", (0.05, 0.1, 0.2, 0.4)),
)
PAIRS = (Constant(quantities, "ROUGH", (0, 0.05, 0.1, 0.15, 0.2)),)
RELOCATION = (
    Constant(relocation, "ALIKE", (0.3, 0.6, 0.8, 1)),
    Constant(relocation, "LEAD", (1, 4, 8, 12, 16)),
    Constant(relocation, "FIRM", (0, 8, 16, 24, 32)),
    Constant(relocation, "BRIEF", (0, 6, 12, 24)),
)
CHOICE = (Constant(choosing, "NEEDED", (0, 0.025, 0.05, 0.1, 0.2)),)
BASELINE = (Constant(baseline, "NEIGHBOUR_GAIN", (0.15, 0.3, 0.45, 0.6, 1)),)


class Pair(Struct, frozen=True):
    """Two statements on a question."""

    question: str
    first: Statement
    second: Statement
    conflicting: bool


class RememberedRetrieval(Retrieval):
    """Searches for each question once."""

    def __init__(self) -> None:
        super().__init__(1)
        self._retrieved: dict[tuple[str, int], Retrieved] = {}

    def search(
        self, searcher: Searcher, text: str, depth: int, sources: Sequence[str] | None, deadline: Deadline
    ) -> Retrieved:
        if (text, depth) not in self._retrieved:
            self._retrieved[text, depth] = super().search(searcher, text, depth, sources, deadline)
        return self._retrieved[text, depth]


@contextmanager
def set_to(constant: Constant, value: float) -> Iterator[None]:
    served = constant.served
    setattr(constant.module, constant.name, value)
    try:
        yield
    finally:
        setattr(constant.module, constant.name, served)


def varied(constants: Sequence[Constant], figures: Callable[[], Figures]) -> str:
    """A table of the figures at each value; that of the served value is bold."""
    rows, head = [], [""]
    for constant in constants:
        for value in constant.values:
            with set_to(constant, value):
                measured = figures()
            head = ["", *measured]
            label = f"{constant.label} {value:g}"
            cells = [f"{figure:.3f}" for figure in measured.values()]
            rows.append([f"**{label}**" if value == constant.served else label, *cells])
    return markdown_table(head, rows)


class Asking:
    """An index and a reader that reads each question once, or for `again`, every time."""

    def __init__(self, index: Path, reader: Reader, *, again: bool = False) -> None:
        self._collection = Collection.open(index)
        self.reader = reader if again else Remembering(reader)
        self.answering = Answering(Catalogue({"default": self._collection}), self.reader)
        self.answering.retrieval = RememberedRetrieval()
        self._target = InProcess(self.answering, index, "default")

    def figures(self, dataset: Dataset) -> Figures:
        """What the answers to the questions are worth, and the citations of those that need several sentences."""
        responses = [ask(question, self._target, Settings())[0].response for question in dataset.questions]
        scores = score_all(dataset, responses, self._target.source, self.reader.threshold)
        needy = {question.id for question in needy_of(dataset)}
        every, several = (
            measure(Columns.of(each)) for each in (scores, [s for s in scores if s.id in needy] or scores)
        )
        names = ("hit@1", "citation precision", "status accuracy", "conflict precision", "conflict recall")
        figures = {name: every[name] for name in names if name in every}
        return figures | {f"several: {name}": several[name] for name in ("citation precision", "citation recall")}

    def real(self, questions: Sequence[real_docs.Question]) -> Figures:
        """Of the questions on real documents: right first of those with an answer, and wrong shown of all."""
        outcomes = [real_docs.outcome_of("", question, self.answering).outcome for question in questions]
        answerable = sum(question.accept is not None for question in questions)
        return {
            "real: right first": outcomes.count("right") / max(1, answerable),
            "real: wrong shown": outcomes.count("wrong") / max(1, len(questions)),
        }

    def close(self) -> None:
        self._collection.close()


def needy_of(dataset: Dataset) -> list[Question]:
    """The answered questions that need several sentences."""
    return [question for question in dataset.questions if question.evidence and question.status == "answered"]


def sample(dataset: Dataset, most: int) -> Dataset:
    """A fixed sample of the questions, in their order."""
    chosen = sample_places(len(dataset.questions), most)
    return replace(dataset, questions=[dataset.questions[place] for place in chosen])


def some(dataset: Dataset, most: int) -> Dataset:
    """All questions that need several sentences or are answered in contradictory ways, and a sample of the others."""
    special = {question.id for question in dataset.questions if question.evidence or question.status == "conflicting"}
    others = replace(dataset, questions=[each for each in dataset.questions if each.id not in special])
    chosen_ids = special | {each.id for each in sample(others, max(0, most - len(special))).questions}
    return replace(dataset, questions=[each for each in dataset.questions if each.id in chosen_ids])


def pairs() -> list[Pair]:
    files = (OWN / "conflicts" / name for name in ("pairs.jsonl", "held_out.jsonl"))
    return [msgspec.json.decode(line, type=Pair) for file in files for line in file.read_bytes().splitlines()]


def conflicts(labelled: Sequence[Pair]) -> Figures:
    reported = [conflict(pair.question, pair.first, pair.second) is not None for pair in labelled]
    both = sum(flagged and pair.conflicting for flagged, pair in zip(reported, labelled, strict=True))
    return {
        "pairs: conflict precision": both / max(1, sum(reported)),
        "pairs: conflict recall": both / max(1, sum(pair.conflicting for pair in labelled)),
    }


def relocations(index: Path) -> Callable[[], Figures]:
    """Of citations of every sentence in the index, after edits of its document."""
    searcher = Collection.open(index).searcher()
    contents = [searcher.content(document.number) for document in searcher.documents(None, searcher.document_count)]

    def figures() -> Figures:
        counts = relocated(contents)
        return {"found again": counts.right / counts.present, "wrong place": counts.wrong / counts.citations}

    return figures


def choices(dataset: Dataset, index: Path, reader: Remembering) -> Callable[[], Figures]:
    """How often a model is asked, and what the right one and the hostile one make of it."""
    several = replace(dataset, questions=needy_of(dataset))
    bench = Bench(several, index)
    bench.reader = reader
    scripted = models(evidence_of(several, bench.source_of))

    def figures() -> Figures:
        answered, requests = bench.asked_about(dataset.questions)
        right, hostile = (measure(bench.helped(scripted[name]).columns) for name in ("right", "hostile"))
        return {
            "asked, of the answered": requests / max(1, answered),
            "right model: citation recall": right["citation recall"],
            "hostile model: citation precision": hostile["citation precision"],
        }

    return figures


@click.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs/thresholds"), show_default=True
)
@click.option("--most", type=int, default=300, show_default=True, help="Questions of each set (a fixed sample).")
def main(out: Path, most: int) -> None:
    """Try the values, print the tables, and rewrite the part of RESULTS.md."""
    dataset = some(load(OWN / "seeds"), most)
    index = indexed(Path(str(dataset.corpus)), out / "seeds")
    real_index = indexed(OWN / "real" / "corpus", out / "real")
    questions = msgspec.json.Decoder(real_docs.Question).decode_lines((OWN / "real" / "questions.jsonl").read_bytes())
    text = section(dataset, index, questions[:: max(1, len(questions) // most)], real_index)
    click.echo(text)
    write_part("thresholds", text)


def indexed(corpus: Path, folder: Path) -> Path:
    real_docs.build(corpus, folder / "index")
    return folder / "index"


def section(dataset: Dataset, index: Path, questions: Sequence[real_docs.Question], real_index: Path) -> str:
    own, real = (Asking(each, open_reader(None, each)) for each in (index, real_index))
    answerable = sample(replace(dataset, questions=[each for each in dataset.questions if each.answerable]), 60)
    untrained = Asking(index, open_reader(UNTRAINED, index), again=True)
    labelled = pairs()
    contradictory = sum(each.conflicting for each in labelled)
    tables = [
        f"Answers: {len(dataset.questions)} questions of `{dataset.name}`, and {len(questions)} on real documents.",
        varied(ANSWERING, lambda: own.figures(dataset) | real.real(questions)),
        f"Numbers: {len(labelled)} labelled pairs of statements, of which {contradictory} contradict each other.",
        varied(PAIRS, lambda: conflicts(labelled)),
        "Citations of every sentence after edits of its document. Found again: of those whose sentence is still there.",
        varied(RELOCATION, relocations(index)),
        "When a language model is asked; the models are scripted, as in the part on choosers.",
        varied(CHOICE, choices(dataset, index, Remembering(own.reader))),
        f"The untrained reader, {len(answerable.questions)} questions that have an answer.",
        varied(BASELINE, lambda: untrained.figures(answerable)),
    ]
    for each in (own, real, untrained):
        each.close()
    about = f"One value is changed at a time; what is served is bold. Answers are of the reader `{own.reader.name}`."
    return "\n\n".join(["## Thresholds", about, *tables, provenance("make bench-thresholds")])


if __name__ == "__main__":
    main()
