"""Fuzzes the HTTP interface with valid and invalid requests from its OpenAPI document."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import msgspec

from service.http.operations import SOURCE

ROOT = Path(__file__).parents[2]
PINCITE = (sys.executable, "-m", "pincite")
SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
CONFIGURATION = str(Path(__file__).with_name("schemathesis.toml"))
READY = "Pincite is ready at "


@contextmanager
def attacked(index: Path, log: Path) -> Iterator[str]:
    """The address of a running service. Raises AssertionError if it fails or logs complaints."""
    command = [*PINCITE, "serve", "--index", str(index), "--port", "0", "--log-format", "json"]
    with (
        log.open("wb") as result,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=result, text=True) as process,
    ):
        assert process.stdout
        try:
            address = next(line for line in process.stdout if line.startswith(READY)).removeprefix(READY).strip()
            document = b"The ferry leaves Aldhaven at 7:40 each morning. It returns at noon.\n"
            httpx.put(f"{address}/v1/documents/{SOURCE}", content=document, timeout=60).raise_for_status()
            yield address
        finally:
            process.terminate()
            status = process.wait(timeout=120)
    found = complaints(log)
    assert (status, found) == (0, []), found


def complaints(log: Path) -> list[str]:
    """The lines of a JSON log other than request lines."""
    return [line for line in log.read_text().splitlines() if msgspec.json.decode(line)["level"] != "info"]


def fuzz(address: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """Run all checks, including stateful ones. Findings are printed with the seed and a command to reproduce each."""
    command = [SCHEMATHESIS, "--config-file", CONFIGURATION, "run", f"{address}/schema/openapi.json", "--no-color"]
    options = ["--checks", "all", "--max-time", str(seconds), "--continue-on-failure"]
    with TemporaryDirectory() as folder:  # it writes its notes to the working directory
        return subprocess.run([*command, *options], cwd=folder, text=True, capture_output=True, check=False)


def main() -> None:
    """Build an index of `seeds/` and fuzz it for FUZZ_SECONDS."""
    with TemporaryDirectory() as folder:
        index, log = Path(folder, "index"), Path(folder, "log")
        subprocess.run([*PINCITE, "build", "seeds", "--index", str(index)], cwd=ROOT, check=True)
        with attacked(index, log) as address:
            found = fuzz(address, int(os.environ.get("FUZZ_SECONDS", "1200")))
            print(found.stdout, found.stderr, flush=True)  # noqa: T201
    sys.exit(found.returncode)


if __name__ == "__main__":
    main()
