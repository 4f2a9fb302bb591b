"""The reader's network for serving: an ONNX file, its tokenizer and their card, verified on loading.

Each pair of question and passage is one unpadded run on one thread; several pairs run in parallel. So the result
depends only on the passage and the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    RuntimeException,
)
from tokenizers import Tokenizer

from index.cpus import cpus
from index.embedding.onnx_encoder import session
from service.errors import ReaderDamaged
from service.reader.pairs import Pair, Pairs
from service.scheduling.deadline import Deadline
from service.scheduling.fair_scheduler import FairScheduler, Flow

FORMAT = 1
CARD, MODEL, TOKENIZER = "reader.json", "reader.onnx", "tokenizer.json"
IDS, TYPES = "ids", "types"  # int64 [1, length] in
HERE, PIECES = "pincite_here", "pincite_pieces"  # float32 [1] and [1, length, 3] out
RELEVANCE = "pincite_relevance"  # float32 [1] out; readers before the third have none
START, END, SENTENCE = 0, 1, 2  # the columns of PIECES

Floats = NDArray[np.float32]


class Card(Struct, frozen=True, forbid_unknown_fields=True):
    """`reader.json`: the files that belong together. Hashes are hexadecimal and cover whole files."""

    format: int
    name: str
    model_sha256: str
    tokenizer_sha256: str


class Output(Struct, frozen=True):
    """The output of the network for one window."""

    pair: Pair
    here: float  # the logit that the passage answers
    relevance: float  # the logit that it is about what is asked, as the cross-encoder gives it; 0 without this head
    nowhere: float  # the logit of the span that stands for "no answer": start and end together
    pieces: Floats  # [pieces of the passage, 3]: start, end, sentence


class Network:
    """The network in `folder`. `read` is thread-safe."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        """`threads`: pairs read in parallel; by default, the CPUs available to this process. Raises ReaderDamaged."""
        self.card = read_card(folder)
        model = checked(folder / MODEL, self.card.model_sha256)
        tokenizer = checked(folder / TOKENIZER, self.card.tokenizer_sha256)
        try:
            self.pairs = Pairs(Tokenizer.from_str(tokenizer.decode()))
            self._session = session(model)
        except (Fail, InvalidGraph, InvalidProtobuf, ValueError) as error:
            raise ReaderDamaged(path=folder, reason=f"it cannot be loaded ({error})") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        names = {each.name for each in outputs}
        if {each.name for each in inputs} != {IDS, TYPES} or names - {RELEVANCE} != {HERE, PIECES}:
            raise ReaderDamaged(path=folder, reason=f"{MODEL} is the file of another model")
        self._outputs = [HERE, PIECES, *(names & {RELEVANCE})]
        self._folder = folder
        self.run(self.pairs.windows(self.pairs.question("Is it?"), "", "It is.")[0])  # would fail here, not in service
        self.scheduler = FairScheduler(threads or cpus())

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def sha256(self) -> str:
        return self.card.model_sha256

    def flow(self, deadline: Deadline | None = None) -> Flow:
        """A place in the schedule for a question."""
        return self.scheduler.flow(deadline)

    def read(self, question: str, passages: Sequence[tuple[str, str]], flow: Flow | None = None) -> list[list[Output]]:
        """For each passage (title and headings, text), its windows; none if there was not enough time.

        `turn`: the question's place in the schedule, with its deadline. Raises HungUp.
        """
        question_tokens = self.pairs.question(question)
        windows = [self.pairs.windows(question_tokens, above, text) for above, text in passages]
        pairs = [pair for each in windows for pair in each]
        outputs = iter((flow or self.flow()).map(self.run_all, pairs, [len(pair.ids) for pair in pairs]))
        return [all_of([next(outputs) for _ in each]) for each in windows]

    def close(self) -> None:
        self.scheduler.close()

    def run_all(self, pairs: list[Pair]) -> list[Output]:
        """Run pairs one after another in the calling thread; batches are not faster on a CPU."""
        return [self.run(pair) for pair in pairs]

    def run(self, pair: Pair) -> Output:
        inputs = {IDS: np.array([pair.ids], np.int64), TYPES: np.array([pair.types], np.int64)}
        try:
            here, pieces, *relevance = self._session.run(self._outputs, inputs)
        except (Fail, InvalidArgument, RuntimeException) as error:
            raise ReaderDamaged(path=self._folder, reason=f"it cannot read a passage ({error})") from error
        shapes = [each.shape for each in (here, pieces, *relevance)]
        if shapes != [(1,), (1, len(pair.ids), 3), (1,)][: len(shapes)]:
            raise ReaderDamaged(path=self._folder, reason=f"{MODEL} is the file of another model")
        return self.output(pair, float(here[0]), pieces[0], float(relevance[0][0]) if relevance else 0.0)

    def output(self, pair: Pair, here: float, pieces: Floats, relevance: float) -> Output:
        """Of a pair: the logits that it answers and is relevant, and those of all its pieces [length, 3].

        Raises ReaderDamaged.
        """
        if not (np.isfinite([here, relevance]).all() and np.isfinite(pieces).all()):
            raise ReaderDamaged(path=self._folder, reason="what it makes of a passage are no numbers")
        passage = pieces[pair.first : pair.first + len(pair.spans)]
        return Output(pair, here, relevance, float(pieces[0, START] + pieces[0, END]), passage)


def all_of(windows: list[Output | None]) -> list[Output]:
    """The windows of a passage, if all of them were read."""
    read = [window for window in windows if window is not None]
    return read if len(read) == len(windows) else []


def read_card(folder: Path) -> Card:
    path = folder / CARD
    try:
        card = msgspec.json.decode(path.read_bytes(), type=Card)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReaderDamaged(path=folder, reason=f"{CARD} cannot be read ({error})") from error
    if card.format != FORMAT:
        reason = f"it has format {card.format}, and this version reads format {FORMAT}"
        raise ReaderDamaged(path=folder, reason=reason)
    return card


def checked(path: Path, expected: str) -> bytes:
    """The bytes of a file, verified against the card."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReaderDamaged(path=path.parent, reason=f"{path.name} cannot be read ({error})") from error
    if sha256(data).hexdigest() != expected:
        raise ReaderDamaged(path=path.parent, reason=f"{path.name} is not the file that the card names")
    return data
