"""The service conforms to its OpenAPI document: allowed requests do not fail, and all responses are documented."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.fuzzing import attacked, fuzz

SECONDS = 60  # `make fuzz` runs longer


def test_every_answer_is_documented_and_none_is_a_failure(index_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(index_folder, tmp_path / "index", symlinks=True)
    with attacked(tmp_path / "index", tmp_path / "log") as address:
        found = fuzz(address, SECONDS)
    assert found.returncode == 0, found.stdout
