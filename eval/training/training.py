"""Training the reader: steps on a GPU or on several threads of a CPU, the average of the weights, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

import torch
from msgspec import Struct
from torch import nn

from eval.training.batches import batch_of
from eval.training.losses import loss_of
from eval.training.sampling import Group
from service.reader.pairs import Pairs
from service.reader.torch_network import Network

CPU = "cpu"


class Recipe(Struct, frozen=True):
    """What a run is; on a CPU, the same recipe gives the same weights."""

    seed: int = 11
    groups: int = 230_000  # questions that are read, each with its passages, once
    batch: int = 96  # groups a step
    parts: int = 1  # of a batch, each on a thread of its own
    rate: float = 1.2e-4  # highest learning rate
    head_rate: float = 6e-4  # of the heads
    warm_up: int = 200  # steps in which the rate rises; it then falls to 0 in a line
    dropout: float = 0.1
    frozen: int = 0  # lowest layers that stay as they are; word and position embeddings always do
    averaged: float = 0.4  # share of the steps, the last, whose weights are averaged: that is what is kept
    mixed: bool = True  # bfloat16, where it can be

    @property
    def steps(self) -> int:
        return self.groups // self.batch


class Run:
    """A training run that can be broken off and taken up again at its last checkpoint."""

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        folder: Path,
        *,
        pairs: Pairs,
        pool: Executor,
        teacher: Network | None = None,
        device: str = CPU,
    ) -> None:
        """`teacher`: the cross-encoder, whose relevance is to be learned; without it, relevance is left as it is."""
        self.network = network.to(device).train()
        self.recipe = recipe
        self.step = 0
        self._device = device
        self._teacher = teacher.to(device).eval() if teacher else None
        self._checkpoint = folder / "checkpoint.pt"
        self._pairs = pairs
        self._pool = pool
        set_dropout(network, recipe.dropout)
        freeze(network, recipe.frozen)
        self._learned = [p for p in network.parameters() if p.requires_grad]
        self._average = {n: p.detach().clone() for n, p in network.named_parameters() if p.requires_grad}
        heads = {*network.pieces.parameters(), *network.relevance.parameters()}
        groups = [
            {"params": [p for p in self._learned if p not in heads], "lr": recipe.rate, "weight_decay": 0.01},
            {"params": [p for p in self._learned if p in heads], "lr": recipe.head_rate, "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._share)
        if self._checkpoint.is_file():
            self._load()

    def learn(self, groups: Sequence[Group]) -> float:
        """One step on a batch of groups; the loss."""
        done = self._all_gradients(groups)
        for place, parameter in enumerate(self._learned):
            parameter.grad = torch.stack([gradients[place] for _, gradients in done]).mean(dim=0)
        nn.utils.clip_grad_norm_(self._learned, 1.0)
        self._optimizer.step()
        self._schedule.step()
        self.step += 1
        self._take_into_average()
        return sum(loss for loss, _ in done) / len(done)

    def timed(self, groups: Sequence[Group]) -> float:
        """The seconds that the gradients of a batch take; nothing is learned."""
        begun = time.monotonic()
        self._all_gradients(groups)
        return time.monotonic() - begun

    def averaged(self) -> dict[str, torch.Tensor]:
        """The weights to keep."""
        return {n: w.cpu() for n, w in (self.network.state_dict() | self._average).items()}

    def save(self) -> None:
        state = {
            "step": self.step,
            "network": self.averaged(),
            "weights": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        making = self._checkpoint.with_suffix(".new")
        torch.save(state, making)
        making.replace(self._checkpoint)

    def _load(self) -> None:
        state = torch.load(self._checkpoint, weights_only=True, map_location=self._device)
        self.step = state["step"]
        self.network.load_state_dict(state["weights"])
        self._average = {n: state["network"][n].to(self._device) for n in self._average}
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])

    def _all_gradients(self, groups: Sequence[Group]) -> list[tuple[float, tuple[torch.Tensor, ...]]]:
        size = -(-len(groups) // self.recipe.parts)
        parts = [(number, groups[start : start + size]) for number, start in enumerate(range(0, len(groups), size))]
        return list(self._pool.map(self._gradients, parts))

    def _gradients(self, part: tuple[int, Sequence[Group]]) -> tuple[float, tuple[torch.Tensor, ...]]:
        number, groups = part
        if self._device == CPU:
            torch.set_num_threads(1)  # the setting is a thread's own
        if self.recipe.dropout:  # of several parts the dice are shared by the threads, and no run is like another
            torch.manual_seed(self.recipe.seed + self.recipe.parts * self.step + number)
        batch = batch_of(groups, self._pairs).to(self._device)
        with torch.autocast(self._device.split(":")[0], dtype=torch.bfloat16, enabled=self.recipe.mixed):
            outputs = self.network(batch.ids, batch.types, batch.mask)
            relevance = None
            if self._teacher is not None:
                with torch.no_grad():
                    relevance = self._teacher(batch.ids, batch.types, batch.mask)[0].float()
        loss = loss_of(outputs, batch, relevance)
        gradients = torch.autograd.grad(loss, self._learned, allow_unused=True)
        found = [torch.zeros_like(p) if g is None else g for p, g in zip(self._learned, gradients, strict=True)]
        return loss.item(), tuple(found)

    def _share(self, step: int) -> float:
        """Of the highest rate. A run may be made shorter or longer while it goes on."""
        rising = (step + 1) / max(1, min(self.recipe.warm_up, self.recipe.steps // 4))
        return max(0.0, min(rising, (self.recipe.steps - step) / self.recipe.steps, 1.0))

    def _take_into_average(self) -> None:
        taken = self.step - round((1 - self.recipe.averaged) * self.recipe.steps)
        weight = 1 / max(1, taken)
        for name, parameter in self.network.named_parameters():
            if name in self._average:
                self._average[name].lerp_(parameter.detach(), weight)


def set_dropout(network: Network, share: float) -> None:
    for part in network.modules():
        if isinstance(part, nn.Dropout):
            part.p = share


def freeze(network: Network, layers: int) -> None:
    frozen: list[nn.Module] = [network.bert.embeddings.word_embeddings, network.bert.embeddings.position_embeddings]
    if layers:
        frozen += [network.bert.embeddings, *network.bert.encoder.layer[:layers]]
    for part in frozen:
        for parameter in part.parameters():
            parameter.requires_grad = False
