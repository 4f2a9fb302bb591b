"""How much of a question a text holds."""

from __future__ import annotations

from msgspec import Struct

from index.collections.protocols import Searcher
from index.search.terms import words


class Asked(Struct, frozen=True):
    """The words of a question with how much each says, in all 1."""

    question: str
    weights: dict[str, float]

    @classmethod
    def of(cls, question: str, searcher: Searcher) -> Asked:
        rarities = {word: searcher.rarity(word) for word in dict.fromkeys(words(question))}
        total = max(sum(rarities.values()), 1e-9)
        return cls(question, {word: rarity / total for word, rarity in rarities.items()})

    def share(self, text: str) -> float:
        """How much of the question a text holds."""
        held = set(words(text))
        return sum(weight for word, weight in self.weights.items() if word in held)

    def gain(self, more: str, text: str) -> float:
        """How much of the question `more` holds and `text` does not."""
        return self.share(f"{text}\n{more}") - self.share(text)
