"""Opens the encoder of an index: exported once, when the index is built, and then loaded from its folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from index.config import IndexConfig
from index.embedding import models
from index.embedding.onnx_encoder import CARD, OnnxEncoder
from index.errors import EncoderMismatch, NotExportable
from index.storage.layout import Layout
from index.types import Encoder


def open_encoder(name: str, folder: Path, threads: int | None = None) -> Encoder:
    """The encoder exported to `folder`; if there is none, sentence-transformers on torch for `name`."""
    if (folder / CARD).is_file():
        return OnnxEncoder(folder, threads)
    from index.embedding.torch_encoder import SentenceTransformersEncoder

    return SentenceTransformersEncoder(name)


def make_encoder(name: str, folder: Path, threads: int | None = None) -> Encoder:
    """Like `open_encoder`, but exports the model first if `folder` does not exist.

    A model that cannot be exported runs on sentence-transformers.
    """
    if not folder.exists():
        from index.embedding.export import export

        with suppress(NotExportable):
            export(name, folder)
    return open_encoder(name, folder, threads)


def encoder_of(layout: Layout, config: IndexConfig, name: str | None = None) -> Encoder:
    """The encoder that an index was built with. Raises EncoderMismatch if `name` is a different one."""
    if name is not None and name != config.encoder and models.find(name).sha256 != config.encoder_sha256:
        raise EncoderMismatch(built_with=config.encoder, serving=name)
    encoder = open_encoder(config.encoder, layout.encoder(config.encoder_sha256))
    if encoder.sha256 != config.encoder_sha256:
        raise EncoderMismatch(built_with=config.encoder, serving=encoder.name)
    return encoder
