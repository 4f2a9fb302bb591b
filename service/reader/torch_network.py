"""The reader's network in torch, with initial weights from a published cross-encoder or an exported reader.

An int8 file stores each weight quantized with a scale and a zero point. Only biases keep their names, so a matrix is
identified by the bias added to its product.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn
from transformers import BertConfig, BertModel

Array = NDArray[np.float32]
HEADS = 12
CROSS_ENCODER, READER = "model.onnx", "reader.onnx"
UNQUANTIZED = ("LayerNorm", "relevance")  # their weights are no matrices of a product
SCALE, ZERO, QUANTIZED = "_scale", "_zero_point", "_quantized"
START, END, SENTENCE = 0, 1, 2  # the columns of what each piece gets


class Network(nn.Module):
    """Question and passage in; two logits for the pair: it is answered here, it is relevant; three for each piece.

    Those are start, end and sentence. The start and end of the first piece, which stands for the pair, are those of
    "nowhere". Relevance is read from the first piece after every layer: the lower ones keep what the upper ones forget.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.bert = BertModel(config, add_pooling_layer=True)
        self.classifier = nn.Linear(config.hidden_size, 1)
        self.pieces = nn.Linear(config.hidden_size, 3)
        self.relevance = nn.Linear((config.num_hidden_layers + 2) * config.hidden_size, 1)
        nn.init.normal_(self.pieces.weight, std=0.02)
        nn.init.zeros_(self.pieces.bias)
        nn.init.zeros_(self.relevance.weight)
        nn.init.zeros_(self.relevance.bias)

    def forward(
        self, ids: torch.Tensor, types: torch.Tensor, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """ids, types, mask: int64 [batch, length] -> here [batch], pieces [batch, length, 3], relevance [batch]."""
        read = self.bert(input_ids=ids, token_type_ids=types, attention_mask=mask, output_hidden_states=True)
        here: torch.Tensor = self.classifier(read.pooler_output)[:, 0]
        states = torch.cat([read.pooler_output, *(layer[:, 0] for layer in read.hidden_states)], dim=1)
        # Not as a product of matrices, which the export would round to int8, all layers on one scale.
        relevance = (states * self.relevance.weight).sum(dim=1) + self.relevance.bias
        return here, self.pieces(read.last_hidden_state), relevance


def config_of(weights: dict[str, Array], attention: str = "sdpa") -> BertConfig:
    vocabulary, width = weights["bert.embeddings.word_embeddings.weight"].shape
    layers = 1 + max(int(name.split(".")[3]) for name in weights if name.startswith("bert.encoder.layer."))
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        intermediate_size=weights["bert.encoder.layer.0.intermediate.dense.weight"].shape[0],
        hidden_dropout_prob=0.0,  # threads would share its random state, and runs would differ
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=weights["bert.embeddings.position_embeddings.weight"].shape[0],
    )
    config._attn_implementation = attention  # noqa: SLF001 (its own constructor takes it untyped)
    return config


def first_network(folder: Path, attention: str = "sdpa") -> Network:
    """The network of an exported reader, or one whose "here" and relevance are the logit of the cross-encoder there.

    Raises ValueError where there is neither.
    """
    path = next((folder / name for name in (READER, CROSS_ENCODER) if (folder / name).is_file()), None)
    if path is None:
        raise ValueError(f"{folder} holds neither {READER} nor {CROSS_ENCODER}")
    weights = stored_weights(path)
    network = Network(config_of(weights, attention))
    state = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    mismatch = network.load_state_dict(state, strict=False)
    if mismatch.unexpected_keys or {name.split(".")[0] for name in mismatch.missing_keys} - {"pieces", "relevance"}:
        raise ValueError(f"{path} is no such network: {mismatch}")
    if path.name == CROSS_ENCODER:
        with torch.no_grad():
            network.relevance.weight[0, : network.config.hidden_size] = network.classifier.weight[0]
            network.relevance.bias[:] = network.classifier.bias
    return network


def stored_weights(path: Path) -> dict[str, Array]:
    """The weights with torch's names and shapes."""
    graph = onnx.load(str(path)).graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    weights: dict[str, Array] = {own(name): each for name, each in stored.items() if is_plain(name)}
    for name in stored:
        if own(name).startswith("bert.embeddings") and name.endswith(QUANTIZED):
            weights[own(name).removesuffix(QUANTIZED)] = dequantized(stored, name.removesuffix(QUANTIZED))
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        biases = [name for name in node.input if own(name) in weights and name.endswith(".bias")]
        if node.op_type == "Add" and biases and not any(part in biases[0] for part in UNQUANTIZED):
            product = next(name for name in node.input if name not in biases)
            matrix = multiplied(makers, product)
            weights[own(biases[0]).removesuffix("bias") + "weight"] = dequantized(stored, matrix).T
    return weights


def own(name: str) -> str:
    """The name of a weight, without the prefix that the export adds."""
    return name.removeprefix("network.")


def is_plain(name: str) -> bool:
    return own(name).startswith(("bert.", "classifier.", "pieces.", "relevance.")) and name.endswith(
        (".weight", ".bias")
    )


def multiplied(makers: dict[str, onnx.NodeProto], name: str) -> str:
    """The matrix of the product that `name` comes from, through casts and scales up to MatMulInteger."""
    node = makers[name]
    while node.op_type != "MatMulInteger":
        node = next(makers[each] for each in node.input if each in makers and makers[each].op_type != "Constant")
        if node.op_type == "Mul" and all(makers.get(each, node).op_type == "Mul" for each in node.input):
            raise ValueError(f"{name} comes from no product")
    matrix: str = node.input[1]
    return matrix.removesuffix(QUANTIZED)


def dequantized(stored: dict[str, NDArray[np.generic]], name: str) -> Array:
    whole = stored[name + QUANTIZED].astype(np.float32) - stored[name + ZERO].astype(np.float32)
    array: Array = whole * stored[name + SCALE].astype(np.float32)
    return array
