"""Lets a language model choose, by number, which sentences to show beside the reader's answer, and nothing else.

It is asked only if a question seems to need several sentences: the reader has an answer, and other likely sentences
contain words of the question that the answer lacks. The reader's sentence stays whatever the model says, and so does
the confidence, which belongs to that sentence. A reply that is not a list of given numbers is ignored.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Sequence

from msgspec import Struct

from index.collections.protocols import Searcher
from index.search.terms import words
from index.text.tokens import count
from prompts.packing import Numbered, Run, in_reading_order, pack
from prompts.templates import CHOOSE, template
from service import schema
from service.errors import NoChoice
from service.llm.circuit import Circuit
from service.llm.endpoint import Endpoint
from service.reader.reader import Candidate
from service.scheduling.deadline import Deadline, DurationEstimate
from service.settings import AT_ONCE, ChooserSettings
from service.telemetry.instrumentation import stage
from service.telemetry.metrics import CHOICES, LEFT_ALONE

# `make bench-thresholds` shows what NEEDED does.
NEEDED = 0.05  # share of the question's words that other sentences must add before the model is asked
# Times the given time: what the model is assumed to need if that was not enough. Doubled, as in exponential backoff.
LONGER = 2.0
LONGEST = 200  # characters of a reply; numbers need no more
CHOSEN, NONE = "chosen", "none"
BUSY, DEADLINE, ALONE = "busy", "deadline", "left-alone"


class Choice(Struct, frozen=True):
    """`companions`: sentences to show beside the answer. `failed`: the model was needed, but made no usable choice."""

    companions: list[Candidate] = []
    failed: bool = False


class NumberedSentences(Struct, frozen=True):
    """The prompt's sentences: every line of `text` has a number; `own` is the number of the reader's answer."""

    text: str
    own: int
    others: dict[int, Candidate]


class Chooser:
    """Asks the language model. Thread-safe."""

    def __init__(self, endpoint: Endpoint, settings: ChooserSettings, circuit: Circuit | None = None) -> None:
        self.template = template(CHOOSE)
        self.settings = settings
        self._endpoint = endpoint
        self._circuit = circuit or Circuit()
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._duration = DurationEstimate()
        count("")  # load the tokenizer now, so that no question waits for it

    @classmethod
    def open(cls, settings: ChooserSettings, key: str | None) -> Chooser:
        return cls(Endpoint(settings.url, settings.model, key=key), settings)

    def choose(
        self,
        question: str,
        answer: Candidate,
        alternatives: Sequence[Candidate],
        searcher: Searcher,
        deadline: Deadline,
    ) -> Choice:
        """The alternatives to show beside the reader's `answer`; all are whole sentences. Raises HungUp."""
        own = answer.run
        most = self.settings.sentences - own.sentences
        if most < 1:
            return Choice()
        numbered = self._numbered(own, alternatives, searcher)
        if numbered is None or not seems_needed(question, own, numbered.others.values(), searcher):
            return Choice()
        with stage("choose"):
            outcome, companions = self._chosen(question, numbered, most, deadline)
        CHOICES.labels(outcome).inc()
        LEFT_ALONE.set(self._circuit.open)
        return Choice(companions, failed=outcome not in (CHOSEN, NONE))

    def info(self) -> schema.ChooserInfo:
        return schema.ChooserInfo(
            model=self.settings.model,
            template=self.template.name,
            template_sha256=self.template.sha256,
            floor=self.settings.floor,
            sentences=self.settings.sentences,
            tokens=self.settings.tokens,
            left_alone=self._circuit.open,
        )

    def close(self) -> None:
        self._endpoint.close()

    def _numbered(self, own: Run, alternatives: Sequence[Candidate], searcher: Searcher) -> NumberedSentences | None:
        """As many as fit, the likeliest first; None if only the answer itself fits."""
        by_run = {candidate.run: candidate for candidate in alternatives}
        layout = Numbered(lambda document: searcher.content(document).text)
        packed = pack([[own], *([run] for run in by_run)], layout, self.settings.tokens, count)
        numbers = {run: number for number, run in enumerate(in_reading_order(packed.runs), start=1)}
        if own not in numbers or len(numbers) == 1:
            return None
        others = {number: by_run[run] for run, number in numbers.items() if run != own}
        return NumberedSentences("".join(layout(packed.runs)), numbers[own], others)

    def _chosen(
        self, question: str, numbered: NumberedSentences, most: int, deadline: Deadline
    ) -> tuple[str, list[Candidate]]:
        """The outcome, and the sentences to show beside the answer."""
        if not self._room.acquire(blocking=False):
            return BUSY, []
        try:
            companions = picked(self._reply(question, numbered, most, deadline), numbered, most)
        except NoChoice as error:
            return str(error.facts["reason"]), []
        finally:
            self._room.release()
        return (CHOSEN if companions else NONE), companions

    def _reply(self, question: str, numbered: NumberedSentences, most: int, deadline: Deadline) -> str:
        """The model's reply. Raises NoChoice or HungUp."""
        seconds = min(self.settings.timeout_s, deadline.remaining())
        if seconds <= 0:
            raise NoChoice(reason=DEADLINE)
        if deadline.remaining() < self._duration.mean:
            self._duration.record(0.0)  # so that it is tried again after a while, even if all deadlines are short
            raise NoChoice(reason=DEADLINE)
        if not self._circuit.may_try():
            raise NoChoice(reason=ALONE)
        messages = self.template.messages(
            question=" ".join(question.split()), sentences=numbered.text, kept=numbered.own, most=most
        )
        begun = time.monotonic()
        try:
            reply = self._endpoint.reply(messages, seconds, deadline)
        except NoChoice:
            if seconds < self.settings.timeout_s:  # it may be fast enough for others
                self._duration.record(LONGER * seconds)
                raise NoChoice(reason=DEADLINE) from None
            self._circuit.failed()
            raise
        self._duration.record(time.monotonic() - begun)
        self._circuit.answered()
        return reply


def seems_needed(question: str, own: Run, others: Iterable[Candidate], searcher: Searcher) -> bool:
    """Whether another sentence has words of the question that the answer lacks, weighted by rarity."""
    question_words = dict.fromkeys(words(question))
    weights = {word: searcher.rarity(word) for word in question_words}
    answer_words = set(words(text_of(own, searcher)))
    unmatched = [word for word in question_words if word not in answer_words]
    least = NEEDED * max(sum(weights.values()), 1e-9)
    other_words = (set(words(text_of(other.run, searcher))) for other in others)
    return any(sum(weights[word] for word in unmatched if word in each) >= least for each in other_words)


def picked(reply: str, numbered: NumberedSentences, most: int) -> list[Candidate]:
    """The sentences with the numbers in a reply. Raises NoChoice unless it is a list of given numbers."""
    numbers = numbers_in(reply)
    if any(number != numbered.own and number not in numbered.others for number in numbers):
        raise NoChoice(reason="unknown-number")
    if len(set(numbers)) < len(numbers):
        raise NoChoice(reason="repeated")
    companions = [numbered.others[number] for number in sorted(numbers) if number != numbered.own]
    if sum(each.run.sentences for each in companions) > most:
        raise NoChoice(reason="too-many")
    return companions


def numbers_in(reply: str) -> list[int]:
    """Parse a reply. Raises NoChoice.

    >>> numbers_in(" [3, 1] "), numbers_in("[]")
    ([3, 1], [])
    """
    if len(reply) > LONGEST:
        raise NoChoice(reason="not-numbers")
    try:
        numbers = json.loads(reply)
    except (ValueError, RecursionError) as error:
        raise NoChoice(reason="not-numbers") from error
    if type(numbers) is not list or any(type(each) is not int for each in numbers):  # rejects True and 1.0
        raise NoChoice(reason="not-numbers")
    return numbers


def text_of(run: Run, searcher: Searcher) -> str:
    return searcher.content(run.document).text[slice(*run.span)]
