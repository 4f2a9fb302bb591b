"""The reader's network on a GPU: its ONNX weights in torch, with pairs of similar length in one batch.

A batch always has ROWS rows, padded to a multiple of STEP pieces, so the arithmetic for a pair does not depend on the
others. Importing this module imports torch, which takes seconds.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer

from service.errors import NoDevice, ReaderDamaged
from service.reader.network import MODEL, TOKENIZER, Network, Output, checked, read_card
from service.reader.pairs import Pair, Pairs
from service.reader.torch_network import first_network
from service.scheduling.fair_scheduler import Batches, FairScheduler

ROWS, STEP = 16, 32
WAIT_S = 0.003  # seconds to wait for more pairs of the questions in flight


class BatchedNetwork(Network):
    """The network in `folder` on a torch device: `cuda`, `cuda:1`, `mps`, or `cpu` for trials."""

    def __init__(self, folder: Path, device: str) -> None:
        """Raises ReaderDamaged, or NoDevice if torch cannot use the device."""
        self.card = read_card(folder)
        checked(folder / MODEL, self.card.model_sha256)
        tokenizer = checked(folder / TOKENIZER, self.card.tokenizer_sha256)
        try:
            self.pairs = Pairs(Tokenizer.from_str(tokenizer.decode()))
            network = first_network(folder).eval()
        except ValueError as error:
            raise ReaderDamaged(path=folder, reason=f"it cannot be loaded ({error})") from error
        try:
            self._network = network.to(device)
        except (RuntimeError, AssertionError) as error:
            raise NoDevice(device=device, reason=str(error).splitlines()[0]) from error
        self._folder = folder
        self._device = device
        self.run_all(self.pairs.windows(self.pairs.question("Is it?"), "", "It is."))  # fail now, not while serving
        self.scheduler = FairScheduler(1, batches=Batches(ROWS, STEP, WAIT_S))

    @property
    def name(self) -> str:
        return f"{self.card.name} on {self._device}"

    def run(self, pair: Pair) -> Output:
        return self.run_all([pair])[0]

    def run_all(self, pairs: list[Pair]) -> list[Output]:
        """Run up to ROWS pairs in the calling thread."""
        length = -(-max(len(pair.ids) for pair in pairs) // STEP) * STEP
        ids, types, mask = (torch.zeros((ROWS, length), dtype=torch.int64) for _ in range(3))
        for row, pair in enumerate(pairs):
            ids[row, : len(pair.ids)] = torch.tensor(pair.ids)
            types[row, : len(pair.ids)] = torch.tensor(pair.types)
            mask[row, : len(pair.ids)] = 1
        mask[len(pairs) :, 0] = 1  # rows without a pair have something to look at as well
        with torch.inference_mode():
            outputs = self._network(*(each.to(self._device) for each in (ids, types, mask)))
        here, pieces, relevance = (each.float().cpu().numpy() for each in outputs)
        return [
            self.output(pair, float(here[row]), pieces[row, : len(pair.ids)], float(relevance[row]))
            for row, pair in enumerate(pairs)
        ]
