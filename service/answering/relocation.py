"""Citation relocation: finds a quote from an earlier version of a document in the current one, or nothing.

The first occurrence of the words may be the wrong one. So the quote must occur verbatim as the same whole sentences,
with nothing added inside a sentence. Of several occurrences, the sentence number and the context decide; if they do
not, the result is nothing rather than a wrong position.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from itertools import islice

from msgspec import Struct

from index.storage.contents import Content
from index.types import Span
from service.answering.citations import CONTEXT, LONGEST_WHOLE
from service.schema import GivenCitation

MOST = 500  # occurrences compared by context; if there are more, only the sentence number decides
LEAD = 8  # code points of context by which the best occurrence must lead
FIRM = 16  # least code points of context of the best occurrence
BRIEF = 12  # code points; a shorter quote needs context
ALIKE = 0.6  # share of a sentence that an edited one must keep
SPACE = re.compile(r"\s+")


class Place(Struct, frozen=True):
    """A run of sentences, `first` to `last` inclusive, and the quoted part of them."""

    first: int
    last: int
    span: Span


class Match(Struct, frozen=True):
    """The length of a citation's context that matches around a position, in code points; white space counts once."""

    before: int
    after: int
    whole_before: bool
    whole_after: bool

    @property
    def score(self) -> int:
        return self.before + self.after

    @property
    def complete(self) -> bool:
        return self.whole_before and self.whole_after


class Relocation:
    """Finds the places of citations in one document. Made once for many citations of it."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self._text = content.text
        self._sentences = content.sentences
        self._known: dict[str, list[Place]] = {}
        self._contexts: dict[Span, tuple[str, str]] = {}

    # ---- the stated position

    def stated(self, citation: GivenCitation) -> Place | None:
        """The position in the citation, if all its units agree and the quote is there."""
        start, end = citation.range.codepoint
        if not 0 <= start < end <= len(self._text) or self._text[start:end] != citation.quote.exact:
            return None
        span = Span(start, end)
        found = self.content.positions.ranges(span)
        if citation.range.utf16 not in (None, found.utf16) or citation.range.byte not in (None, found.byte):
            return None
        return self._around(span)

    # ---- the current position

    def relocated(self, citation: GivenCitation) -> Place | None:
        """The only certain position of the quote in this version, or None."""
        expected = self._expected(citation)
        unmoved = [place for number in expected if (place := self._standing(number, citation.quote.exact))]
        for place in unmoved:
            if self._match(place, citation).complete:
                return place
        if any(self._edited(number, citation) for number in expected):
            return None
        places = self._places(citation.quote.exact)
        if not places:
            return self._part(citation)
        if len(places) == 1:
            return places[0] if self._recognized(places[0], citation) else None
        # With as many sentences as there were, a number is worth more.
        settled = citation.sentences is not None and citation.sentences.total == len(self._sentences)
        return self._best(places, unmoved, citation, settled=settled)

    def _best(
        self, places: list[Place], unmoved: list[Place], citation: GivenCitation, *, settled: bool
    ) -> Place | None:
        """Of several places the one that the context singles out, else the sentence number, else none."""
        if len(places) > MOST:
            return unmoved[0] if unmoved and settled else None
        scored = sorted(((self._match(place, citation), place) for place in places), key=lambda each: -each[0].score)
        (best, place), (second, _) = scored[:2]
        if best.score >= FIRM and (best.score - second.score >= LEAD or (best.complete and not second.complete)):
            return place if self._recognized(place, citation) else None
        if best.score < FIRM and not settled:
            return None
        near = [place for match, place in scored if best.score - match.score < LEAD]
        return next((place for place in unmoved if place in near), None)

    def _recognized(self, place: Place, citation: GivenCitation) -> bool:
        """Whether an occurrence is certain without its number: "Yes." may now be the answer to another question."""
        match = self._match(place, citation)
        beside = (match.whole_before and match.before > 1) or (match.whole_after and match.after > 1)
        return len(citation.quote.exact) >= BRIEF or beside

    # ---- by number

    def _expected(self, citation: GivenCitation) -> list[int]:
        """The number of its first sentence, if the document changed only behind it, and if only before it."""
        if citation.sentences is None:
            start = citation.range.codepoint[0]
            number = bisect_left(self._sentences, (start,))
            return [number] if number < len(self._sentences) and self._sentences[number].start == start else []
        first = citation.sentences.first
        moved = first + len(self._sentences) - citation.sentences.total
        return [number for number in dict.fromkeys((first, moved)) if 0 <= number < len(self._sentences)]

    def _standing(self, number: int, quote: str) -> Place | None:
        """The position of a quote that starts with this sentence, ends with a sentence, and matches."""
        start = self._sentences[number].start
        span = Span(start, start + len(quote))
        last = bisect_left(self._sentences, (span.end,)) - 1
        if last < number or self._sentences[last].end != span.end or not self._text.startswith(quote, start):
            return None
        return Place(number, last, span)

    def _edited(self, number: int, citation: GivenCitation) -> bool:
        """Whether the quoted sentences are here, in their context, but edited."""
        quote = citation.quote.exact
        run = 0 if citation.sentences is None else citation.sentences.last - citation.sentences.first
        for last in range(number + run - 1, number + run + 2):  # an edit can merge two sentences, or split one
            if not number <= last < len(self._sentences):
                continue
            span = Span(self._sentences[number].start, self._sentences[last].end)
            if self._match(Place(number, last, span), citation).complete and alike(self._text[slice(*span)], quote):
                beside = (self._standing(first, quote) for first in range(number, min(number + 2, last + 1)))
                return all(place is None or place.last > last for place in beside)  # not put in front of it or behind
        return False

    # ---- by content

    @cached_property
    def _numbers(self) -> dict[str, list[int]]:
        """The numbers of the sentences, by text."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, (start, end) in enumerate(self._sentences):
            numbers[self._text[start:end]].append(number)
        return dict(numbers)

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(text) for text in self._numbers})

    def _places(self, quote: str) -> list[Place]:
        """The occurrences of the quote as whole sentences, at most MOST + 1."""
        if quote not in self._known:
            self._known[quote] = list(islice(self._all_places(quote), MOST + 1))
        return self._known[quote]

    def _all_places(self, quote: str) -> Iterator[Place]:
        for length in self._lengths[: bisect_right(self._lengths, len(quote))]:
            for number in self._numbers.get(quote[:length], ()):
                if place := self._standing(number, quote):
                    yield place

    @cached_property
    def _overlong(self) -> list[tuple[int, Span]]:
        """The sentences too long to be cited whole, with their numbers."""
        return [(number, span) for number, span in enumerate(self._sentences) if span.end - span.start > LONGEST_WHOLE]

    def _part(self, citation: GivenCitation) -> Place | None:
        """The position of a part of an overlong sentence: the only one with all of its context."""
        before, quote, after = citation.quote.prefix[-CONTEXT:], citation.quote.exact, citation.quote.suffix[:CONTEXT]
        whole = before + quote + after
        if not quote.strip():
            return None
        places = []
        for number, (start, end) in self._overlong:
            limits = max(0, start - len(before)), end + len(after)
            at = self._text.find(whole, *limits)
            if at >= 0:
                span = Span(at + len(before), at + len(before) + len(quote))
                places.append(Place(number, number, span))
                if len(places) > 1 or self._text.find(whole, at + 1, limits[1]) >= 0:
                    return None  # several equal occurrences
        if not places:
            return None
        start, end = places[0].span
        known_before = len(before) == CONTEXT or start == len(before)
        known_after = len(after) == CONTEXT or end + len(after) == len(self._text)
        return places[0] if known_before and known_after else None

    def _around(self, span: Span) -> Place | None:
        """A span with the sentences that it touches; None if it touches none."""
        first = bisect_right(self._sentences, span.start, key=lambda sentence: sentence.end)
        last = bisect_left(self._sentences, (span.end,)) - 1
        return Place(first, last, span) if first <= last else None

    # ---- context

    def _match(self, place: Place, citation: GivenCitation) -> Match:
        before, after = folded(citation.quote.prefix[-CONTEXT:])[::-1], folded(citation.quote.suffix[:CONTEXT])
        left, right = self._context(place.span)
        kept_before, kept_after = shared(before, left), shared(after, right)
        return Match(kept_before, kept_after, kept_before == len(before), kept_after == len(after))

    def _context(self, span: Span) -> tuple[str, str]:
        """The text before a span, reversed, and the text after it."""
        if span not in self._contexts:
            start, end = span
            before = folded(self._text[max(0, start - 2 * CONTEXT) : start])
            self._contexts[span] = before[::-1], folded(self._text[end : end + 2 * CONTEXT])
        return self._contexts[span]


def folded(text: str) -> str:
    """Collapse white space, so that a file with other line breaks has the same context."""
    return SPACE.sub(" ", text)


def shared(a: str, b: str) -> int:
    """The length of the common prefix: "mast", "mate" -> 2."""
    if a == b[: len(a)]:
        return len(a)
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def alike(text: str, quote: str) -> bool:
    """Whether the text extends the quote, or one edit that keeps most of it turns it into the quote."""
    longest = max(len(text), len(quote))
    if text == quote or quote in text:
        return text != quote
    if min(len(text), len(quote)) < ALIKE * longest:
        return False
    start = shared(text, quote)
    return start + shared(text[start:][::-1], quote[start:][::-1]) >= ALIKE * longest
