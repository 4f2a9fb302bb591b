"""The training loss: "here", span, sentence and relevance of each pair, and the choice of passage in each group."""

from __future__ import annotations

import torch
from torch.nn import functional

from eval.training.batches import Batch
from service.reader.torch_network import END, SENTENCE, START

FAR = -1e4  # the logit of a masked position
SENTENCE_WEIGHT = 0.5
CHOICE_WEIGHT = 0.5
PASSAGE_WEIGHT = 0.5
RELEVANCE_WEIGHT = 0.1
RELEVANCE_SCALE = 4.0  # the cross-encoder's logits range from -11 to 11

Outputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def loss_of(outputs: Outputs, batch: Batch, relevance: torch.Tensor | None = None) -> torch.Tensor:
    """Averaged over pairs and over groups. `relevance` [pairs]: the logits of the cross-encoder that teaches it."""
    here, pieces, relevant = (each.float() for each in outputs)
    pairs = functional.binary_cross_entropy_with_logits(here, batch.answered.float(), reduction="none")
    pairs = pairs + span_loss(pieces, batch) + sentence_loss(pieces[:, :, SENTENCE], batch)
    total = pairs.mean() + PASSAGE_WEIGHT * passage_loss(here, batch)
    if relevance is not None:
        relevance_loss = functional.smooth_l1_loss(relevant / RELEVANCE_SCALE, relevance / RELEVANCE_SCALE)
        total = total + RELEVANCE_WEIGHT * relevance_loss
    return total


def span_loss(pieces: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The loss of starts and ends: of "nowhere" if there is no answer, and 0 if only the right sentence is known."""
    mask = torch.where(batch.open, 0.0, FAR)
    loss = pieces.new_zeros(len(pieces))
    for column, gold in ((START, batch.starts), (END, batch.ends)):
        loss = loss - among(pieces[:, :, column] + mask, gold)
    return loss / 2 * batch.marked


def sentence_loss(pieces: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Each sentence on its own (is it needed?), and the choice among the sentences of a passage that answers."""
    logits = (batch.sentences @ pieces[:, :, None])[:, :, 0]
    present = batch.sentences.sum(dim=2) > 0
    each = functional.binary_cross_entropy_with_logits(logits, batch.right.float(), reduction="none")
    alone = (each * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
    answered = batch.right.any(dim=1)
    gold = torch.where(answered[:, None], batch.right, present)  # without an answer, all are gold: the loss is 0
    chosen = among(torch.where(present, logits, FAR), gold | ~present.any(dim=1)[:, None])
    return SENTENCE_WEIGHT * alone - CHOICE_WEIGHT * chosen


def passage_loss(here: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The choice of the passage that answers, by "here"; the mean over groups that have one."""
    losses = [
        -among(here[rows][None], batch.answered[rows][None])[0]
        for rows in (batch.group == number for number in set(batch.group.tolist()))
        if rows.sum() > 1 and batch.answered[rows].any()
    ]
    return torch.stack(losses).mean() if losses else here.new_zeros(())


def among(logits: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """The log probability of `gold` under the softmax over each row; both [rows, n]."""
    return torch.logsumexp(torch.where(gold, logits, 10 * FAR), dim=1) - torch.logsumexp(logits, dim=1)
