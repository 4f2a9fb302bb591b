"""Everything that can go wrong in an evaluation.

PinciteError
└── EvaluationError
    ├── DatasetNotFound
    ├── UnknownFormat             neither SQuAD, nor BEIR, nor our own layout
    ├── DatasetDamaged            a file of the set cannot be read as what it should be
    ├── NoQuestionLeft            not one question is usable: most likely the corpus is another
    ├── CorpusMismatch            the index serves other texts than the set was made on
    ├── RunNotFound
    ├── RunIncomplete
    ├── RunVersion                written by another version of Pincite
    ├── RunMismatch               a folder holds the run of another set, index or setting
    ├── IndexChanged              the service changed its index while it was asked
    ├── ServiceGone               no connection, or 503 for too long
    ├── ServiceRefused            any other answer that is not one
    └── DifferentQuestions        two runs that cannot be compared

Each class names its facts as keyword arguments, as in index/errors.py.
"""

from __future__ import annotations

from index.errors import PinciteError


class EvaluationError(PinciteError):
    message = "The evaluation cannot go on."


class DatasetNotFound(EvaluationError):
    message = "There is no test set in {path}."


class UnknownFormat(EvaluationError):
    message = (
        "{path} is no test set that is known: a SQuAD file (.json), a BEIR folder (corpus.jsonl, queries.jsonl, "
        "qrels), or a folder with questions.jsonl and corpus/."
    )


class DatasetDamaged(EvaluationError):
    message = "{path}, {place}: {reason}."


class NoQuestionLeft(EvaluationError):
    message = "{path}: not one question can be used. {dropped} were dropped; the first: {first}."


class CorpusMismatch(EvaluationError):
    message = (
        "The index does not hold the documents of {dataset}: {source} {reason}. "
        "Build it from the set's own corpus: pincite build {corpus} --index DIR"
    )


class RunNotFound(EvaluationError):
    message = "There is no run in {path}."


class RunIncomplete(EvaluationError):
    message = "The run in {path} was not finished: {reason}. Give the same `pincite eval` command again; it goes on."


class RunVersion(EvaluationError):
    message = "The run in {path} has format {found}; this version reads format {supported}. Make it again."


class RunMismatch(EvaluationError):
    message = "{path} holds a run with another {what} ({found}, now {given}). Choose another folder with --out."


class IndexChanged(EvaluationError):
    message = "The index changed from {before} to {after} while it was asked. Make the run again in a new folder."


class ServiceGone(EvaluationError):
    message = (
        "{url} cannot be reached: {reason}. {done} of {total} questions are answered and kept in {path}; "
        "the same command goes on from there."
    )


class ServiceRefused(EvaluationError):
    message = "{url} answered {status} to {what}: {detail}"


class DifferentQuestions(EvaluationError):
    message = "{a} and {b} cannot be compared: {reason}."
