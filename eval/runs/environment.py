"""Records what a run was made with, so that its figures can be reproduced."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

from eval.datasets.dataset import Dataset
from eval.errors import RunMismatch
from eval.metrics.statistics import SEED
from eval.runs.target import Target
from index.errors import CollectionNotFound
from service import schema

FORMAT = 1  # of a run folder; raised whenever its files change their meaning
PACKAGES = ("pincite", "numpy", "scipy", "ir-measures", "onnxruntime", "faiss-cpu", "tantivy", "litestar", "nupunkt")
RESULTS = [f":(top,exclude)eval/{name}" for name in ("RESULTS.md", "CAPACITY.md", "*.png")]  # written by benchmarks


class Settings(Struct, frozen=True):
    """How questions are asked. Nothing is abstained from; thresholds are applied afterwards."""

    max_answers: int = 3
    passages: int = 20
    collection: str = "default"

    @classmethod
    def suited_to(cls, dataset: Dataset, collection: str) -> Settings:
        """Documents are ranked by their best passages, so ranking 20 of them takes more passages."""
        return cls(passages=50 if dataset.judges_documents else 20, collection=collection)

    def request(self, question: str) -> schema.AskRequest:
        return schema.AskRequest(
            question=question,
            max_answers=self.max_answers,
            passages=self.passages,
            collection=self.collection,
            min_confidence=0.0,
        )


HIDDEN = "hidden without a key (--key)"


class Environment(Struct, frozen=True, kw_only=True):
    format: int = FORMAT
    dataset: str
    dataset_sha256: str
    questions: int
    dropped: list[str]
    target: str
    over_http: bool
    concurrency: int
    settings: Settings
    index: schema.IndexInfo
    threshold: float
    models: list[schema.ModelInfo]
    seed: int = SEED
    resamples: int
    commit: str | None
    packages: dict[str, str]
    python: str
    platform: str
    cores: int
    started: str  # RFC 3339, UTC


def environment_of(
    dataset: Dataset, target: Target, settings: Settings, concurrency: int, resamples: int
) -> Environment:
    ready = target.ready()
    collections = {each.name: each for each in ready.collections}
    if settings.collection not in collections:
        raise CollectionNotFound(collection=settings.collection, existing=", ".join(collections) or HIDDEN)
    counts = collections[settings.collection]
    return Environment(
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        questions=len(dataset.questions),
        dropped=dataset.dropped,
        target=target.name,
        over_http=target.name.startswith(("http://", "https://")),
        concurrency=concurrency,
        settings=settings,
        index=schema.IndexInfo(ready.index_version, counts.documents, counts.passages),
        threshold=ready.threshold,
        models=ready.models,
        resamples=resamples,
        commit=commit(),
        packages={name: version for name in PACKAGES if (version := _version(name))},
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
        started=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def check_same(folder: Path, before: Environment, now: Environment) -> None:
    """Raise RunMismatch unless a run started with `before` can continue with `now`."""
    for what, current, recorded in (
        ("test set", before.dataset_sha256[:12], now.dataset_sha256[:12]),
        ("index version", before.index.version, now.index.version),
        ("question settings", before.settings, now.settings),
        ("threshold", before.threshold, now.threshold),
        ("number of resamples", before.resamples, now.resamples),
        ("set of models", _hashes(before), _hashes(now)),
    ):
        if current != recorded:
            raise RunMismatch(path=folder, what=what, found=current, given=recorded)


def commit() -> str | None:
    """The commit of this code, with `-changed` if files other than results differ; None outside a repository."""
    here = Path(__file__).parent
    try:
        revision = _git(here, "rev-parse", "--short=12", "HEAD")
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", ":/", *RESULTS)
        return revision + ("-changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _hashes(environment: Environment) -> list[str]:
    return [f"{model.role} {model.name} {model.sha256[:12]}" for model in environment.models]
