"""The effect of a language model on citations: scripted models that are right, wrong and hostile, beside the reader.

    python -m eval.benchmarks.choosers

Each model is served over HTTP like a real one, and gets the questions of `eval/data/seeds` that need several sentences.
It knows the evidence, so the right one shows the best possible effect and the others the worst.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import replace

from eval.benchmarks.bench import OWN, cell, fresh_index
from eval.benchmarks.scripted import Model, ReceivedRequests, asked_for, endpoint, most, numbered, own
from eval.datasets.dataset import Dataset, Question
from eval.datasets.loading import load
from eval.metrics.scoring import ServedDocument, gold_sentences, score_all
from eval.metrics.statistics import intervals
from eval.metrics.table import Columns, measure
from eval.runs.environment import Settings
from eval.runs.evaluation import ask
from eval.runs.results import markdown_table, provenance, write_part
from eval.runs.run import Group
from eval.runs.target import InProcess
from index.collections.collection import Collection
from index.collections.protocols import Searcher
from index.types import Hit
from service.answering.answering import Answering
from service.answering.catalogue import Catalogue
from service.llm.choosing import Chooser
from service.reader.reader import Reader, Reading
from service.reader.selection import open_reader
from service.scheduling.deadline import Deadline
from service.settings import ChooserSettings

METRICS = ("citation recall", "citation precision")
FLOORS = ("0.1", "0.05", "0.02", "0.01", "0.005", "0.002", "0")
LENGTHS = ("2", "3", "4", "5")


class Remembering:
    """A reader that reads each question once, because only later steps are measured."""

    def __init__(self, reader: Reader) -> None:
        self.name, self.sha256, self.threshold = reader.name, reader.sha256, reader.threshold
        self.operation = reader.operation
        self._reader = reader
        self._read: dict[str, Reading] = {}

    def read(self, question: str, hits: Sequence[Hit], searcher: Searcher, deadline: Deadline | None = None) -> Reading:
        if question not in self._read:
            self._read[question] = self._reader.read(question, hits, searcher, deadline)
        return self._read[question]


class Measured(Struct, frozen=True):
    columns: Columns
    prompts: list[str]
    failed: int  # answers without a usable choice


class Bench:
    """An index and a reader, with and without a language model."""

    def __init__(self, dataset: Dataset, index: Path) -> None:
        self.dataset = dataset
        self._index = index
        self._collection = Collection.open(index)
        self.reader = Remembering(open_reader(None, index))
        self.source_of = self._target(None).source

    def alone(self) -> Measured:
        return self._measured(None, ReceivedRequests())

    def helped(self, model: Model, **environ: str) -> Measured:
        """`environ`: settings of the language model, without their prefix PINCITE_CHOOSER_."""
        with endpoint(model) as (url, requests), chooser_at(url, environ) as chooser:
            return self._measured(chooser, requests)

    def asked_about(self, questions: Sequence[Question]) -> tuple[int, int]:
        """The number of questions answered at the served threshold, and how many of them a model is asked about."""
        with endpoint("[]") as (url, requests), chooser_at(url, {}) as chooser:
            target = self._target(chooser)
            sent_requests = (Settings().request(question.text) for question in questions)
            statuses = [target.ask(replace(request, min_confidence=None)).status for request in sent_requests]
        return sum(status == "answered" for status in statuses), len(requests.bodies)

    def close(self) -> None:
        self._collection.close()

    def _target(self, chooser: Chooser | None) -> InProcess:
        catalogue = Catalogue({"default": self._collection})
        return InProcess(Answering(catalogue, self.reader, chooser=chooser), self._index, "default")

    def _measured(self, chooser: Chooser | None, requests: ReceivedRequests) -> Measured:
        target = self._target(chooser)
        responses = [ask(question, target, Settings())[0].response for question in self.dataset.questions]
        scores = score_all(self.dataset, responses, target.source, self.reader.threshold)
        return Measured(Columns.of(scores), requests.prompts, sum(bool(response.skipped) for response in responses))


@contextmanager
def chooser_at(url: str, environ: dict[str, str]) -> Iterator[Chooser]:
    variables = {f"PINCITE_CHOOSER_{name}": value for name, value in environ.items()}
    chooser = Chooser.open(ChooserSettings.from_env(variables, url, "scripted"), None)
    yield chooser
    chooser.close()


def evidence_of(dataset: Dataset, source_of: Callable[[str], ServedDocument | None]) -> dict[str, set[str]]:
    """For each question, the sentences that are evidence or an answer, each on one line."""
    by_question: dict[str, set[str]] = {}
    for question in dataset.questions:
        golds = [*question.answers, *(gold for golds in question.evidence for gold in golds)]
        sentences = gold_sentences(golds, source_of)
        sources = {name: source_of(name) for name, _ in sentences}
        by_question[question.text] = {
            " ".join(source.text[slice(*source.sentences[number])].split())
            for name, number in sentences
            if (source := sources[name])
        }
    return by_question


def models(evidence: dict[str, set[str]]) -> dict[str, Model]:
    def others(prompt: str, *, right: bool) -> list[int]:
        evidence_sentences = evidence[asked_for(prompt)]
        return [n for n, text in numbered(prompt).items() if n != own(prompt) and (text in evidence_sentences) == right]

    def right(prompt: str) -> str:
        return json.dumps(others(prompt, right=True)[: most(prompt)])

    def wrong(prompt: str) -> str:
        return json.dumps(others(prompt, right=False)[:1])

    def hostile(prompt: str) -> str:
        return json.dumps(others(prompt, right=False)[: most(prompt)])

    tricks = cycle(["Sentence 1.", "[4711]", '{"choose": [1]}', "[1, 1]", "[1.0]"])

    def lawless(prompt: str) -> str:
        every = json.dumps(list(numbered(prompt)))
        return next(tricks) if len(numbered(prompt)) <= most(prompt) + 1 else every

    return {"right": right, "wrong": wrong, "hostile": hostile, "lawless": lawless}


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("runs"), show_default=True)
@click.option("--index", type=click.Path(exists=True, path_type=Path), help="An index of seeds/.  [default: a new one]")
def main(out: Path, index: Path | None) -> None:
    """Ask with each model, and rewrite the part of RESULTS.md."""
    whole = load(OWN / "seeds")
    needy = [question for question in whole.questions if question.evidence and question.status == "answered"]
    several = replace(whole, questions=needy)
    bench = Bench(several, index or fresh_index(whole, out / "indexes" / "choosers").index)
    scripted = models(evidence_of(several, bench.source_of))
    text = f"""\
## A chooser

{len(needy)} questions of seeds/ that need several sentences, nothing abstained from. The scripted models know the
evidence. Right: what is on offer of it. Wrong: one sentence that is none of it. Hostile: as many as may be, none of it.
Lawless: all numbers, unknown ones, one twice, prose, JSON of other kinds.

{beside_each_other(bench, scripted)}

What the floor and the most sentences of an answer make of it, with the right model and the hostile one; the usual
values are 0.01 and 3.

{bounds(bench, scripted)}

For which questions of seeds/ a model is asked at all, at the threshold that is served.

{asked_for_each_type(bench, whole)}

{provenance("make bench-chooser")}"""
    bench.close()
    click.echo(text)
    write_part("chooser", text)


def beside_each_other(bench: Bench, scripted: dict[str, Model]) -> str:
    questions = len(bench.dataset.questions)
    measured = {"the reader alone": bench.alone()} | {name: bench.helped(model) for name, model in scripted.items()}
    rows = [
        [
            name,
            *(cell(Group(questions, intervals(each.columns)), metric) for metric in METRICS),
            f"{len(each.prompts)}",
            f"{each.failed}",
        ]
        for name, each in measured.items()
    ]
    return markdown_table(["", *METRICS, "asked", "not usable"], rows)


def bounds(bench: Bench, scripted: dict[str, Model]) -> str:
    rows = []
    for floor, length in [*((floor, "3") for floor in FLOORS), *(("0.01", length) for length in LENGTHS)]:
        environ = {"FLOOR": floor, "SENTENCES": length}
        right, hostile = (bench.helped(scripted[name], **environ) for name in ("right", "hostile"))
        passages_shown = [len(numbered(prompt)) for prompt in right.prompts]
        values = [f"{measure(each.columns)[metric]:.3f}" for each in (right, hostile) for metric in METRICS]
        rows.append(
            [f"floor {floor}, {length} sentences", *values, f"{sum(passages_shown) / max(1, len(passages_shown)):.1f}"]
        )
    head = [f"{name}: {metric.removeprefix('citation ')}" for name in ("right", "hostile") for metric in METRICS]
    return markdown_table(["", *head, "sentences shown"], rows)


def asked_for_each_type(bench: Bench, whole: Dataset) -> str:
    types = Counter(question.type or "" for question in whole.questions)
    rows = []
    for name, count in types.most_common():
        answered, requests = bench.asked_about([each for each in whole.questions if each.type == name])
        rows.append([name, f"{count}", f"{answered}", f"{requests}"])
    return markdown_table(["type", "questions", "answered", "asked"], rows)


if __name__ == "__main__":
    main()
