"""Training steps on a GPU or on several CPU threads, averaging of the weights, and checkpoints."""

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
    """The hyperparameters of a run. On a CPU, the same recipe gives the same weights."""

    seed: int = 11
    groups: int = 230_000  # questions, each with its passages; each is read once
    batch: int = 96  # groups per step
    parts: int = 1  # parts of a batch, one thread each
    rate: float = 1.2e-4  # peak learning rate
    head_rate: float = 6e-4  # peak learning rate of the heads
    warm_up: int = 200  # steps until the peak rate; it then decays linearly to 0
    dropout: float = 0.1
    frozen: int = 0  # lowest layers to freeze; word and position embeddings are always frozen
    averaged: float = 0.4  # share of the steps, at the end, whose averaged weights are the result
    mixed: bool = True  # bfloat16 mixed precision

    @property
    def steps(self) -> int:
        return self.groups // self.batch


class Run:
    """A training run that resumes from its last checkpoint."""

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
        """`teacher`: the cross-encoder whose relevance is distilled. Without it, relevance is not trained."""
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
        """Take one step on a batch of groups, and return its loss."""
        results = self._all_gradients(groups)
        for place, parameter in enumerate(self._learned):
            parameter.grad = torch.stack([gradients[place] for _, gradients in results]).mean(dim=0)
        nn.utils.clip_grad_norm_(self._learned, 1.0)
        self._optimizer.step()
        self._schedule.step()
        self.step += 1
        self._take_into_average()
        return sum(loss for loss, _ in results) / len(results)

    def timed(self, groups: Sequence[Group]) -> float:
        """Seconds to compute the gradients of a batch. The weights do not change."""
        started = time.monotonic()
        self._all_gradients(groups)
        return time.monotonic() - started

    def averaged(self) -> dict[str, torch.Tensor]:
        """The result: averaged weights where they are trained."""
        return {n: w.cpu() for n, w in (self.network.state_dict() | self._average).items()}

    def save(self) -> None:
        state = {
            "step": self.step,
            "network": self.averaged(),
            "weights": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        temporary = self._checkpoint.with_suffix(".new")
        torch.save(state, temporary)
        temporary.replace(self._checkpoint)

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
            torch.set_num_threads(1)  # a setting per thread
        if self.recipe.dropout:  # threads share torch's generator, so runs with several parts differ
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
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(self._learned, gradients, strict=True)]
        return loss.item(), tuple(filled)

    def _share(self, step: int) -> float:
        """The share of the peak rate at a step. The number of steps may change when a run is resumed."""
        rising = (step + 1) / max(1, min(self.recipe.warm_up, self.recipe.steps // 4))
        return max(0.0, min(rising, (self.recipe.steps - step) / self.recipe.steps, 1.0))

    def _take_into_average(self) -> None:
        averaged_steps = self.step - round((1 - self.recipe.averaged) * self.recipe.steps)
        weight = 1 / max(1, averaged_steps)
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
