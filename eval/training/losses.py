"""The loss: "here", span, sentences and relevance of each pair, and which passage of its group answers."""

from __future__ import annotations

import torch
from torch.nn import functional

from eval.training.batches import Batch
from service.reader.torch_network import END, SENTENCE, START

FAR = -1e4  # a logit that cannot be chosen
SENTENCE_WEIGHT = 0.5
CHOICE_WEIGHT = 0.5
PASSAGE_WEIGHT = 0.5
RELEVANCE_WEIGHT = 0.1
RELEVANCE_SCALE = 4.0  # the cross-encoder's logits run from -11 to 11

Outputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def loss_of(outputs: Outputs, batch: Batch, relevance: torch.Tensor | None = None) -> torch.Tensor:
    """The mean over the pairs, and over the groups. `relevance` [pairs]: what the cross-encoder makes of the pairs."""
    here, pieces, relevant = (each.float() for each in outputs)
    pairs = functional.binary_cross_entropy_with_logits(here, batch.answered.float(), reduction="none")
    pairs = pairs + span_loss(pieces, batch) + sentence_loss(pieces[:, :, SENTENCE], batch)
    total = pairs.mean() + PASSAGE_WEIGHT * passage_loss(here, batch)
    if relevance is not None:
        off = functional.smooth_l1_loss(relevant / RELEVANCE_SCALE, relevance / RELEVANCE_SCALE)
        total = total + RELEVANCE_WEIGHT * off
    return total


def span_loss(pieces: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Of any gold span; where there is no answer, of "nowhere"; 0 where the sentence is known and the words are not."""
    shut = torch.where(batch.open, 0.0, FAR)
    off = pieces.new_zeros(len(pieces))
    for column, gold in ((START, batch.starts), (END, batch.ends)):
        off = off - among(pieces[:, :, column] + shut, gold)
    return off / 2 * batch.marked


def sentence_loss(pieces: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Each sentence alone: every one that the evidence needs is right; and in a passage that answers, which of them."""
    logits = (batch.sentences @ pieces[:, :, None])[:, :, 0]
    present = batch.sentences.sum(dim=2) > 0
    each = functional.binary_cross_entropy_with_logits(logits, batch.right.float(), reduction="none")
    alone = (each * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
    answered = batch.right.any(dim=1)
    gold = torch.where(answered[:, None], batch.right, present)  # all of them, which costs nothing
    chosen = among(torch.where(present, logits, FAR), gold | ~present.any(dim=1)[:, None])
    return SENTENCE_WEIGHT * alone - CHOICE_WEIGHT * chosen


def passage_loss(here: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Which passage of a group answers, by "here"; the mean over the groups that have one."""
    off = [
        -among(here[rows][None], batch.answered[rows][None])[0]
        for rows in (batch.group == number for number in set(batch.group.tolist()))
        if rows.sum() > 1 and batch.answered[rows].any()
    ]
    return torch.stack(off).mean() if off else here.new_zeros(())


def among(logits: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """The logarithm of the share of `gold` in the softmax over each row; both [rows, n]."""
    return torch.logsumexp(torch.where(gold, logits, 10 * FAR), dim=1) - torch.logsumexp(logits, dim=1)
