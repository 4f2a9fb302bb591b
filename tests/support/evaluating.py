"""Shared by the tests of evaluation: a small test set on the documents of conftest.py."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from eval.datasets.dataset import Dataset
from eval.datasets.loading import load
from eval.runs import evaluation

RESAMPLES = 400  # fewer than usual, for speed
evaluate = partial(evaluation.evaluate, resamples=RESAMPLES)

ASKED = (
    ("When does the ferry leave Aldhaven?", "harbour/ferry.txt", "7:40", "time"),
    ("When does the ferry come back?", "harbour/ferry.txt", "at noon", "time"),
    ("What do dogs pay on the ferry?", "harbour/ferry.txt", "Dogs travel free", "fact"),
    ("Which ships take a pilot?", "harbour/pilots.txt", "longer than 90 metres", "fact"),
    ("Where is the pilot station?", "harbour/pilots.txt", "Gull Island", "place"),
    ("At what temperature does copper melt?", "metals.md", "1,085 degrees Celsius", "fact"),
    ("What is true of gold?", "metals.md", "does not rust", "fact"),
    ("Who bought the yellow bicycle?", "odd name, 100% + ä?#.txt", "Ingrid", "person"),
    ("What is the lighthouse keeper called?", "wide.txt", "Ørjan", "person"),
    ("How much does a ferry ticket cost?", None, None, "unanswerable"),
    ("At what temperature does silver melt?", None, None, "unanswerable"),
    ("How old is Ingrid?", None, None, "unanswerable"),
)


def small_set(folder: Path, documents: Path, repeated: int = 1) -> Dataset:
    """The questions above, each repeated `times`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (question, doc, text, kind) in enumerate(ASKED * repeated):
        answers = []
        if doc is not None and text is not None:
            data = (documents / doc).read_bytes()
            whole = data.decode("utf-16" if data.startswith(b"\xff\xfe") else "utf-8")
            answers = [{"doc": doc, "text": text, "start": whole.index(text)}]
        line = {"id": f"q{number}", "question": question, "answers": answers, "answerable": bool(answers), "type": kind}
        lines.append(json.dumps(line) + "\n")
    (folder / "questions.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "dataset.json").write_text(json.dumps({"name": "small", "corpus": str(documents)}), encoding="utf-8")
    return load(folder)
