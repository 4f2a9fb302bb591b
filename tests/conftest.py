"""Shared fixtures: the real encoder, exported once."""

from __future__ import annotations

import signal
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import settings

from index.embedding import models
from index.embedding.onnx_encoder import OnnxEncoder
from index.storage.layout import Layout

settings.register_profile("pincite", deadline=None)  # an example's duration depends on the machine
settings.load_profile("pincite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell that starts the tests in the background does that
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the processes under test would inherit it

ROOT = Path(__file__).parent.parent
EXPORTER = ("export.py", "onnx_encoder.py", "wordpieces.py", "torch_encoder.py")


@pytest.fixture(scope="session")
def exported(pytestconfig: pytest.Config) -> Path:
    """The exported default model. Kept in pytest's cache until the model or the exporter changes."""
    from filelock import FileLock

    sources = b"".join((ROOT / "index" / "embedding" / name).read_bytes() for name in EXPORTER)
    key = sha256(sources + models.DEFAULT_SHA256.encode()).hexdigest()[:16]
    cache = pytestconfig.cache.mkdir("encoders") if pytestconfig.cache else ROOT / ".pytest_cache"
    folder = cache / key
    with FileLock(cache / f"{key}.lock"):  # pytest-xdist runs this in every worker
        if not folder.exists():
            from index.embedding.export import export

            export(models.DEFAULT, folder)
    return folder


@pytest.fixture(scope="session")
def onnx_encoder(exported: Path) -> OnnxEncoder:
    return OnnxEncoder(exported)


FILES = {
    "harbour/ferry.txt": "The ferry leaves Aldhaven at 7:40 each morning. It returns at noon.\n\nDogs travel free.\n",
    "harbour/pilots.txt": "Pilots board every ship longer than 90 metres. The pilot station lies on Gull Island.\n",
    "metals.md": "# Metals\n\nCopper melts at 1,085 degrees Celsius.\n\n## Gold\n\nGold does not rust.\n",
    "odd name, 100% + ä?#.txt": "Zoë 🙂 sold the yellow bicycle to Ingrid in March.\r\nNobody rides it now.\r\n",
}


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small documents, one of them in UTF-16."""
    folder = tmp_path_factory.mktemp("documents")
    for source, text in FILES.items():
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        (folder / source).write_bytes(text.encode())
    (folder / "wide.txt").write_bytes("\ufeffThe lighthouse keeper is called Ørjan.\n".encode("utf-16-le"))
    return folder


@pytest.fixture(scope="session")
def index_folder(documents: Path, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of `documents`, built as by `pincite build`, but with the cached encoder."""
    return built(documents, exported, tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="session")
def seeds_index(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of seeds/."""
    return built(ROOT / "seeds", exported, tmp_path_factory.mktemp("seeds"))


def built(documents: Path, exported: Path, folder: Path) -> Path:
    from pincite import run

    encoder = Layout(folder).encoder(models.DEFAULT_SHA256)
    encoder.parent.mkdir(parents=True)
    encoder.symlink_to(exported)
    assert run(["build", str(documents), "--index", str(folder)]) == 0
    return folder
