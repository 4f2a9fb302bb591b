"""Every module is imported by a test, and `make check` says so where one is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from tests.support.imported import PACKAGES, commands_modules, unimported


def test_every_module_is_imported_by_a_test() -> None:
    assert unimported(PACKAGES, "tests", commands_modules()) == []
    assert "-m tests.support.imported" in (ROOT / "Makefile").read_text("utf-8")


def test_a_module_that_no_test_imports_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {
        "bird/__init__.py": "",
        "bird/owl.py": "from bird import mouse",
        "bird/mouse.py": "",
        "bird/heron.py": "",
        "nest/__init__.py": "from bird import owl",
    }
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert unimported(["bird"], "nest") == ["bird.heron"]
    assert unimported(["bird"], "nest", ["bird.heron"]) == []
