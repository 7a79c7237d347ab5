"""The result of reading stories: the number of grammatical sentences, and the claims that contradict the story."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Reading:
    """The result of reading one story or several: counts of sentences, and of claims of four kinds.

    "who": a phrase refers to a known person or thing. "has": who holds what. "where": where persons and things are.
    "when": times are in order.
    """

    sentences: int = 0
    parsed: int = 0
    claims: Counter[str] = field(default_factory=Counter)
    contradictions: list[tuple[str, str]] = field(default_factory=list)  # (kind, why the claim is wrong)

    @property
    def grammatical(self) -> float:
        """The share of the sentences that the grammar parses."""
        return self.parsed / max(self.sentences, 1)

    def kept(self, kind: str = "") -> float:
        """The share of the claims (of all kinds, or of one kind) that do not contradict the story so far."""
        against = sum(kind in ("", broken) for broken, _ in self.contradictions)
        return 1 - against / max(self.claims[kind] if kind else self.claims.total(), 1)

    def claim(self, kind: str, holds: bool, otherwise: str) -> bool:
        """Count a claim, and note the reason if it is wrong. Returns whether it is true."""
        self.claims[kind] += 1
        if not holds:
            self.contradictions.append((kind, otherwise))
        return holds
