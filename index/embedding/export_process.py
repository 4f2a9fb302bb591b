"""Exports an encoder in a subprocess, because a service must never import torch.

python -m index.embedding.export_process MODEL FOLDER
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from index.errors import ModelNotFound, NotExportable


def export_apart(name: str, folder: Path) -> None:
    """Export a model to a folder that does not exist yet. A model that cannot be exported runs on torch instead.

    Raises ModelNotFound if the model cannot be loaded.
    """
    command = [sys.executable, "-m", "index.embedding.export_process", name, str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ModelNotFound(name=name, reason=done.stderr.strip().rpartition("\n")[2] or "it cannot be exported")


if __name__ == "__main__":
    from index.embedding.export import export

    with suppress(NotExportable):
        export(sys.argv[1], Path(sys.argv[2]))
