"""Runs a test set: asks each question once, in order, and scores the responses."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from eval.datasets.dataset import Dataset, Question
from eval.errors import CorpusMismatch, IndexChanged, ServiceGone
from eval.metrics.scoring import Response, Score, score_all
from eval.metrics.statistics import RESAMPLES, intervals
from eval.metrics.table import Columns
from eval.runs.environment import Settings, environment_of
from eval.runs.report import write_report
from eval.runs.run import ALL, Group, Line, RunFolder, Times
from eval.runs.target import Target, Unreachable

Progress = Callable[[str, int, int], None]  # stage, done, total


def evaluate(
    dataset: Dataset,
    target: Target,
    out: Path,
    *,
    collection: str = "default",
    concurrency: int = 1,
    resamples: int = RESAMPLES,
    progress: Progress = lambda *_: None,
) -> dict[str, Group]:
    """Run a test set into the folder `out`, or continue the run there; returns the metrics by group.

    Raises CorpusMismatch, RunMismatch, RunVersion, IndexChanged, ServiceGone or ServiceRefused. Responses received so
    far are kept.
    """
    folder = RunFolder(out)
    done = 0
    try:
        settings = Settings.suited_to(dataset, collection)
        environment = environment_of(dataset, target, settings, concurrency, resamples)
        check_corpus(dataset, target)
        done = folder.begin(environment)
        remaining = dataset.questions[done:]
        for line, times in answer_questions(remaining, target, settings, concurrency):
            if line.response.index.version != environment.index.version:
                raise IndexChanged(before=environment.index.version, after=line.response.index.version)
            folder.append(line, times)
            done += 1
            progress("questions", done, len(dataset.questions))
        responses = [line.response for line in folder.read_lines()]
        scores = score_all(dataset, responses, target.source, environment.threshold)
    except Unreachable as error:
        raise ServiceGone(url=target.name, reason=error, done=done, total=len(dataset.questions), path=out) from error
    groups = grouped(scores, resamples, progress)
    folder.finish(scores, groups)
    return groups


def evaluate_and_report(
    dataset: Dataset,
    target: Target,
    out: Path,
    *,
    collection: str = "default",
    concurrency: int = 1,
    progress: Progress = lambda *_: None,
) -> dict[str, Group]:
    """Evaluate, and write the report of the run. Raises what `evaluate` raises."""
    groups = evaluate(dataset, target, out, collection=collection, concurrency=concurrency, progress=progress)
    write_report(dataset, RunFolder(out), target.source)
    return groups


def check_corpus(dataset: Dataset, target: Target) -> None:
    """Raise CorpusMismatch unless the index contains all gold spans at their positions."""
    corpus = dataset.corpus or "FOLDER"
    for question in dataset.questions:
        for source in dataset.relevant.get(question.id, {}):
            if target.source(source) is None:
                raise CorpusMismatch(dataset=dataset.name, source=source, reason="is missing", corpus=corpus)
        for gold in (*question.answers, *(gold for golds in question.evidence for gold in golds)):
            text = target.source(gold.doc)
            if text is None:
                raise CorpusMismatch(dataset=dataset.name, source=gold.doc, reason="is missing", corpus=corpus)
            if text.text[gold.start : gold.end] != gold.text:
                raise CorpusMismatch(dataset=dataset.name, source=gold.doc, reason="has another text", corpus=corpus)


def answer_questions(
    questions: Sequence[Question], target: Target, settings: Settings, concurrency: int
) -> Iterator[tuple[Line, Times]]:
    """Responses in the order of the questions, `concurrency` at a time."""
    with ThreadPoolExecutor(concurrency) as pool:
        waiting: deque[Future[tuple[Line, Times]]] = deque()
        try:
            for question in questions:
                waiting.append(pool.submit(ask, question, target, settings))
                if len(waiting) >= 2 * concurrency:  # one slow answer does not stall the others
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def ask(question: Question, target: Target, settings: Settings) -> tuple[Line, Times]:
    started = time.perf_counter()
    response = target.ask(settings.request(question.text))
    wall = round((time.perf_counter() - started) * 1000, 3)
    times = response.timings_ms
    trimmed = Response(
        status=response.status,
        confidence=response.confidence,
        answers=response.answers,
        passages=[replace(passage, text="") for passage in response.passages],
        skipped=response.skipped,
        index=response.index,
    )
    return Line(question.id, question.text, trimmed), Times(question.id, times.retrieve, times.read, times.total, wall)


def grouped(scores: Sequence[Score], resamples: int, progress: Progress) -> dict[str, Group]:
    """The metrics of all questions, and of each type with at least two."""
    types = sorted({score.type for score in scores if score.type})
    members = {ALL: list(scores)} | {name: [s for s in scores if s.type == name] for name in types if len(types) > 1}
    groups = {}
    for done, (name, chosen) in enumerate(members.items()):
        progress("intervals", done, len(members))
        groups[name] = Group(len(chosen), intervals(Columns.of(chosen), resamples))
    progress("intervals", len(members), len(members))
    return groups
