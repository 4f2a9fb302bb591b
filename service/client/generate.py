"""Generates `service/client/client.py`, the synchronous client, from `service/client/aio/client.py`.

python -m service.client.generate
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
NAMES = {
    "AsyncPincite": "Pincite",
    "AsyncClient": "Client",
    "AsyncBaseTransport": "BaseTransport",
    "asyncio": "time",  # for `sleep`
    "aclose": "close",
    "aread": "read",
    "aiter_bytes": "iter_bytes",
}


def generated() -> str:
    """The source of the synchronous client."""
    from unasync import Rule, unasync_files

    with TemporaryDirectory() as folder:
        source = Path(folder, "aio", "client.py")
        source.parent.mkdir()
        shutil.copy(HERE / "aio" / "client.py", source)
        unasync_files([str(source)], [Rule("/aio/", "/", NAMES)])
        text = Path(folder, "client.py").read_text(encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--stdin-filename", str(HERE / "client.py"), "-"]
    for command in (["check", "--fix", "--quiet", "--select", "I"], ["format", "--quiet"]):
        text = subprocess.run(
            [*ruff, *command, *options], input=text, capture_output=True, text=True, check=True
        ).stdout
    return text


if __name__ == "__main__":
    (HERE / "client.py").write_text(generated(), encoding="utf-8")
