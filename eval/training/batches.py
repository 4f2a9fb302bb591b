"""Training examples as tensors: batches of pairs of similar length, with the positions of the answers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from msgspec import Struct

from eval.training.examples import Example
from eval.training.sampling import Group
from index.types import Span
from service.reader.pairs import Pair, Pairs, within

MULTIPLE = 32  # lengths are rounded up to it, because torch compiles new kernels for every new shape on a CPU
POOLED = 64  # batches; groups are sorted by length within a pool of so many batches


class Item(Struct, frozen=True):
    """A tokenized example; the targets are positions in `pair.ids`."""

    pair: Pair
    starts: list[int]
    ends: list[int]  # the last word piece of each answer, inclusive
    sentences: list[slice]  # the word pieces of each sentence; sentences without a word piece are left out
    right: list[int]  # indices into `sentences`
    answered: bool


class Batch(Struct, frozen=True):
    """Pairs padded to the same length; pairs with the same `group` belong to one question."""

    ids: torch.Tensor  # int64 [pairs, length], like `types` and `mask`
    types: torch.Tensor
    mask: torch.Tensor
    answered: torch.Tensor  # bool [pairs]
    starts: torch.Tensor  # bool [pairs, length]; position 0 ("nowhere") if there is no answer
    ends: torch.Tensor
    open: torch.Tensor  # bool [pairs, length]: where a span may start or end
    marked: torch.Tensor  # bool [pairs]: the answer's span is known, or there is no answer
    sentences: torch.Tensor  # float32 [pairs, sentences, length]: weights that average over a sentence's word pieces
    right: torch.Tensor  # bool [pairs, sentences]
    group: torch.Tensor  # int64 [pairs]

    def to(self, device: str) -> Batch:
        return Batch(*(getattr(self, name).to(device) for name in self.__struct_fields__))


def item_of(example: Example, pairs: Pairs) -> Item:
    """Tokenize the first window of an example."""
    pair = pairs.windows(pairs.question(example.question), example.above, example.text)[0]

    def pieces(span: Span) -> slice:
        place = within(pair.spans, span)
        return slice(place.start + pair.first, place.stop + pair.first)

    answers = [place for place in map(pieces, example.answers) if place.stop > place.start]
    every = [pieces(sentence) for sentence in example.sentences]
    present = [number for number, place in enumerate(every) if place.stop > place.start]
    return Item(
        pair,
        [place.start for place in answers],
        [place.stop - 1 for place in answers],
        [every[number] for number in present],
        [place for place, number in enumerate(present) if number in example.right],
        answered=bool(example.right),
    )


def batch_of(groups: Sequence[Group], pairs: Pairs) -> Batch:
    items = [(number, item_of(example, pairs)) for number, group in enumerate(groups) for example in group.examples]
    return collated([item for _, item in items], [number for number, _ in items])


def collated(items: Sequence[Item], group: Sequence[int]) -> Batch:
    count, length = len(items), -(-max(len(item.pair.ids) for item in items) // MULTIPLE) * MULTIPLE
    most = max(1, *(len(item.sentences) for item in items))
    ids, types, mask = (torch.zeros(count, length, dtype=torch.int64) for _ in range(3))
    starts, ends, opened = (torch.zeros(count, length, dtype=torch.bool) for _ in range(3))
    sentences, right = torch.zeros(count, most, length), torch.zeros(count, most, dtype=torch.bool)
    opened[:, 0] = True
    for row, item in enumerate(items):
        size = len(item.pair.ids)
        ids[row, :size] = torch.tensor(item.pair.ids)
        types[row, :size] = torch.tensor(item.pair.types)
        mask[row, :size] = 1
        opened[row, item.pair.first : size - 1] = True
        starts[row, item.starts or [0]] = True
        ends[row, item.ends or [0]] = True
        for number, place in enumerate(item.sentences):
            sentences[row, number, place] = 1 / (place.stop - place.start)
        right[row, item.right] = True
    answered = torch.tensor([item.answered for item in items])
    marked = torch.tensor([bool(item.starts) or not item.answered for item in items])
    return Batch(ids, types, mask, answered, starts, ends, opened, marked, sentences, right, torch.tensor(group))


def in_batches(groups: Sequence[Group], size: int, seed: int) -> list[list[Group]]:
    """Batches of groups of similar length, shuffled with `seed`. Incomplete batches are dropped."""
    rng = random.Random(seed)  # noqa: S311
    ordered: list[list[Group]] = []
    for pool in chunks(groups, size * POOLED):
        by_length = sorted(pool, key=lambda group: max(len(example.text) for example in group.examples))
        some = [chunk for chunk in chunks(by_length, size) if len(chunk) == size]
        rng.shuffle(some)
        ordered += some
    return ordered


def chunks(groups: Sequence[Group], size: int) -> Iterator[list[Group]]:
    rest = iter(groups)
    while chunk := list(islice(rest, size)):
        yield chunk
