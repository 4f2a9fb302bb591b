"""Exporting an encoder in a process of its own: a service must never import torch.

python -m index.embedding.export_process MODEL FOLDER
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from index.errors import ModelNotFound, NotExportable


def export_apart(name: str, folder: Path) -> None:
    """Export a model into a folder that is not there. One that cannot be exported is served by the reference.

    Raises ModelNotFound where it cannot be loaded.
    """
    command = [sys.executable, "-m", "index.embedding.export_process", name, str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ModelNotFound(name=name, reason=done.stderr.strip().rpartition("\n")[2] or "it cannot be exported")


if __name__ == "__main__":
    from index.embedding.export import export

    with suppress(NotExportable):
        export(sys.argv[1], Path(sys.argv[2]))
