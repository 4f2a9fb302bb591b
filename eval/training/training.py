"""Training the reader: batches of like length, the losses, a step on several threads, checkpoints."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from itertools import islice
from pathlib import Path

import torch
from msgspec import Struct
from msgspec.structs import replace
from torch import nn
from torch.nn import functional

from eval.training.examples import Lesson
from eval.training.textbook import CrossEncoder
from index.types import Span
from service.reader.pairs import Pair, Pairs, within
from service.reader.torch_network import END, SENTENCE, START, Network

MULTIPLE = 32  # every new shape costs torch new kernels on a CPU
POOLED = 64  # batches whose lessons are sorted by length together
FAR = -1e4  # a logit that cannot be chosen
SENTENCE_WEIGHT = 0.5
CHOICE_WEIGHT = 0.5
TAUGHT_WEIGHT = 0.5
WARMTH = 2.0  # what the teacher's logits are divided by: it is surer than it is right


class Recipe(Struct, frozen=True):
    """What a run is; the same recipe gives the same weights."""

    seed: int = 5
    lessons: int = 24_000  # how many are read, each once
    batch: int = 32
    parts: int = 2  # of a batch, each on a thread of its own
    rate: float = 8e-5  # highest learning rate
    head_rate: float = 6e-4  # of the layer that is new
    warm_up: float = 0.03  # share of the steps
    fall: float = 0.4  # share of the steps, the last, in which the rate falls to 0
    taught: float = 0.2  # share of each batch that the teacher scores
    frozen: int = 4  # lowest layers that stay as they are, with the embeddings

    @property
    def steps(self) -> int:
        return self.lessons // self.batch


class Item(Struct, frozen=True):
    """A lesson as pieces; the targets are places among the pieces."""

    pair: Pair
    starts: list[int]  # gold starts, places in `pair.ids`
    ends: list[int]  # the last piece of each
    sentences: list[slice]  # the pieces of each sentence, places in `pair.ids`
    right: list[int]
    lesson: Lesson
    taught: list[float] = []  # the teacher's logit of each sentence; none where it was not asked


def item_of(lesson: Lesson, pairs: Pairs) -> Item:
    pair = pairs.windows(pairs.question(lesson.question), lesson.above, lesson.text)[0]

    def pieces(span: Span) -> slice:
        found = within(pair.spans, span)
        return slice(found.start + pair.first, found.stop + pair.first)

    answers = [found for found in map(pieces, lesson.answers) if found.stop > found.start]
    sentences = [pieces(sentence) for sentence in lesson.sentences]
    kept = [i for i in lesson.right if sentences[i].stop > sentences[i].start]
    starts, ends = [each.start for each in answers], [each.stop - 1 for each in answers]
    return Item(pair, starts, ends, sentences, kept, lesson)


def taught(items: Sequence[Item], teacher: CrossEncoder, share: float) -> list[Item]:
    """The items, the first of them, as far as `share` goes, with what the cross-encoder makes of each sentence."""
    count = round(share * len(items))
    return [*(teach(item, teacher) for item in items[:count]), *items[count:]]


def teach(item: Item, teacher: CrossEncoder) -> Item:
    lesson = item.lesson
    texts = [lesson.text[slice(*span)] for span in lesson.sentences]
    return replace(item, taught=teacher.scores(lesson.question, texts)) if len(texts) > 1 else item


def batches(items: Sequence[Item], recipe: Recipe) -> list[list[Item]]:
    """Batches of like length in an order given by the seed."""
    dice = random.Random(recipe.seed)  # noqa: S311
    found = []
    for pool in chunks(items, recipe.batch * POOLED):
        ordered = sorted(pool, key=lambda item: len(item.pair.ids))
        some = [chunk for chunk in chunks(ordered, recipe.batch) if len(chunk) == recipe.batch]
        dice.shuffle(some)
        found += some
    return found


def chunks(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def losses(network: Network, items: Sequence[Item]) -> torch.Tensor:
    """The mean over the items of what "here", the span and the sentences are off."""
    length = -(-max(len(item.pair.ids) for item in items) // MULTIPLE) * MULTIPLE
    ids, types, mask = (torch.zeros(len(items), length, dtype=torch.int64) for _ in range(3))
    for row, item in enumerate(items):
        size = len(item.pair.ids)
        ids[row, :size] = torch.tensor(item.pair.ids)
        types[row, :size] = torch.tensor(item.pair.types)
        mask[row, :size] = 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        here, pieces = network(ids, types, mask)
    here, pieces = here.float(), pieces.float()
    answered = torch.tensor([float(bool(item.right)) for item in items])
    total = functional.binary_cross_entropy_with_logits(here, answered, reduction="sum")
    for row, item in enumerate(items):
        total = total + span_loss(pieces[row], item) + sentence_loss(pieces[row], item)
    return total / len(items)


def span_loss(pieces: torch.Tensor, item: Item) -> torch.Tensor:
    """Of any gold span; where there is no answer, of "nowhere", which stands at place 0."""
    if item.right and not item.starts:
        return pieces.new_zeros(())  # the sentence is known to answer, the words are not
    shut = torch.full((len(pieces),), FAR)
    shut[0] = 0.0
    shut[item.pair.first : len(item.pair.ids) - 1] = 0.0
    off = pieces.new_zeros(())
    for column, gold in ((START, item.starts or [0]), (END, item.ends or [0])):
        chances = functional.log_softmax(pieces[:, column] + shut, dim=0)
        off = off - torch.logsumexp(chances[sorted(set(gold))], dim=0)
    return off / 2


def sentence_loss(pieces: torch.Tensor, item: Item) -> torch.Tensor:
    """Each sentence alone; in a passage that answers, which of them does; and which of them the teacher holds best."""
    kept = [i for i, each in enumerate(item.sentences) if each.stop > each.start]
    if not kept:
        return pieces.new_zeros(())
    logits = torch.stack([pieces[item.sentences[i], SENTENCE].mean() for i in kept])
    right = torch.tensor([float(i in item.right) for i in kept])
    off = SENTENCE_WEIGHT * functional.binary_cross_entropy_with_logits(logits, right, reduction="mean")
    chances = functional.log_softmax(logits, dim=0)
    if item.right:
        off = off - CHOICE_WEIGHT * torch.logsumexp(chances[right.bool()], dim=0)
    if item.taught:
        held = torch.tensor([item.taught[i] for i in kept]) / WARMTH
        off = off - TAUGHT_WEIGHT * (functional.softmax(held, dim=0) * chances).sum()
    return off


class Run:
    """A training run that can be broken off and taken up again at its last checkpoint."""

    def __init__(self, network: Network, recipe: Recipe, folder: Path, pool: Executor) -> None:
        self.network = network.train()
        self.recipe = recipe
        self.step = 0
        self._checkpoint = folder / "checkpoint.pt"
        self._pool = pool
        freeze(network, recipe.frozen)
        self._learned = [p for p in network.parameters() if p.requires_grad]
        new = set(network.pieces.parameters())
        groups = [
            {"params": [p for p in self._learned if p not in new], "lr": recipe.rate, "weight_decay": 0.01},
            {"params": [p for p in self._learned if p in new], "lr": recipe.head_rate, "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, self._share)
        if self._checkpoint.is_file():
            self._load()

    def learn(self, items: Sequence[Item]) -> float:
        """One step on a batch; the loss."""
        size = len(items) // self.recipe.parts
        parts = [items[start : start + size] for start in range(0, len(items), size)]
        done = list(self._pool.map(self._gradients, parts))
        for place, parameter in enumerate(self._learned):
            parameter.grad = torch.stack([gradients[place] for _, gradients in done]).mean(dim=0)
        nn.utils.clip_grad_norm_(self._learned, 1.0)
        self._optimizer.step()
        self._schedule.step()
        self.step += 1
        return sum(loss for loss, _ in done) / len(done)

    def save(self) -> None:
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        making = self._checkpoint.with_suffix(".new")
        torch.save(state, making)
        making.replace(self._checkpoint)

    def _load(self) -> None:
        state = torch.load(self._checkpoint, weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])

    def _gradients(self, items: Sequence[Item]) -> tuple[float, tuple[torch.Tensor, ...]]:
        torch.set_num_threads(1)  # the setting is a thread's own
        loss = losses(self.network, items)
        return loss.item(), torch.autograd.grad(loss, self._learned)

    def _share(self, step: int) -> float:
        """Of the highest rate: it rises, stays and falls. A run may be made shorter or longer until it falls."""
        steps = self.recipe.steps
        rising = (step + 1) / max(1, round(self.recipe.warm_up * steps))
        return min(rising, (steps - step) / (self.recipe.fall * steps), 1.0)


def freeze(network: Network, layers: int) -> None:
    for part in [network.bert.embeddings, *network.bert.encoder.layer[:layers]]:
        for parameter in part.parameters():
            parameter.requires_grad_(requires_grad=False)
