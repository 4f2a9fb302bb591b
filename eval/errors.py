"""The errors of evaluation.

PinciteError
└── EvaluationError
    ├── DatasetNotFound
    ├── UnknownFormat             neither SQuAD, nor BEIR, nor our own layout
    ├── DatasetDamaged            a file of the set violates its format
    ├── NoQuestionLeft            no question is usable; probably the corpus is a different one
    ├── CorpusMismatch            the index contains other texts than the test set
    ├── RunNotFound
    ├── RunIncomplete
    ├── RunVersion                written by another version of Pincite
    ├── RunMismatch               a folder contains a run with another set, index or setting
    ├── IndexChanged              the index changed during the run
    ├── ServiceGone               no connection, or 503 for too long
    ├── ServiceRefused            any other error response
    └── DifferentQuestions        two runs that cannot be compared

Each class takes its facts as keyword arguments, as in index/errors.py.
"""

from __future__ import annotations

from index.errors import PinciteError


class EvaluationError(PinciteError):
    message = "The evaluation failed."


class DatasetNotFound(EvaluationError):
    message = "There is no test set in {path}."


class UnknownFormat(EvaluationError):
    message = (
        "{path} is not a supported test set: a SQuAD file (.json), a BEIR folder (corpus.jsonl, queries.jsonl, "
        "qrels), or a folder with questions.jsonl and corpus/."
    )


class DatasetDamaged(EvaluationError):
    message = "{path}, {place}: {reason}."


class NoQuestionLeft(EvaluationError):
    message = "{path}: no question is usable. {dropped} were dropped; the first: {first}."


class CorpusMismatch(EvaluationError):
    message = (
        "The index does not contain the documents of {dataset}: {source} {reason}. "
        "Build it from the set's own corpus: pincite build {corpus} --index DIR"
    )


class RunNotFound(EvaluationError):
    message = "There is no run in {path}."


class RunIncomplete(EvaluationError):
    message = "The run in {path} is incomplete: {reason}. Run the same `pincite eval` command again to continue."


class RunVersion(EvaluationError):
    message = "The run in {path} has format {found}; this version reads format {supported}. Run it again."


class RunMismatch(EvaluationError):
    message = "{path} contains a run with another {what} ({found}, now {given}). Choose another folder with --out."


class IndexChanged(EvaluationError):
    message = "The index changed from {before} to {after} during the run. Run it again in a new folder."


class ServiceGone(EvaluationError):
    message = (
        "{url} cannot be reached: {reason}. {done} of {total} answers are saved in {path}; "
        "run the same command again to continue."
    )


class ServiceRefused(EvaluationError):
    message = "{url} answered {status} to {what}: {detail}"


class DifferentQuestions(EvaluationError):
    message = "{a} and {b} cannot be compared: {reason}."
