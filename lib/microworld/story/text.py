"""The text of a story, realized from its clauses, with the positions of sentences, names and pronouns."""

from collections.abc import Iterator

from microworld.events import Event
from microworld.realize import english
from microworld.words.names import NAMES, ORGS, STREETS, TOWNS

ENTITIES = {
    noun.en: kind
    for kind, nouns in [("PER", NAMES), ("LOC", [*TOWNS, *STREETS]), ("ORG", ORGS)]
    for noun in nouns
}  # fmt: skip
Clauses = list[tuple[str, Event]]  # of a sentence, each with the conjunction or punctuation before it


class Text:
    """A text with its annotations. Positions count characters.

    Args:
        sentences: the clauses of each sentence and, by path, the referents of its pronouns.

    Attributes:
        string: the text itself.
        spans: start and end of each sentence.
    """

    def __init__(self, sentences: list[tuple[Clauses, dict[str, str]]]) -> None:
        self.sentences = [(_words(clauses), referents) for clauses, referents in sentences]
        strings = [english.spell(words) for words, _ in self.sentences]
        self.string = " ".join(strings)
        self.spans: list[tuple[int, int]] = []
        start = 0
        for string in strings:
            self.spans.append((start, start + len(string)))
            start += len(string) + 1

    def entities(self) -> Iterator[tuple[int, int, str]]:
        """Start, end and kind ("PER", "LOC" or "ORG") of each name."""
        for start, word, _ in self._words():
            if word in ENTITIES:
                yield start, start + len(word), ENTITIES[word]

    def pronouns(self) -> list[dict]:
        """Start, text and referent of each pronoun."""
        return [
            {"start": start, "text": word, "refers_to": referent} for start, word, referent in self._words() if referent
        ]

    def _words(self) -> Iterator[tuple[int, str, str | None]]:
        """The position of each word, the word, and whom it refers to if it is a pronoun."""
        for (words, referents), (position, _) in zip(self.sentences, self.spans, strict=True):
            for i, (word, tag) in enumerate(words):
                position += bool(i) and not english.attached(word)
                yield position, word, referents.get(tag)
                position += len(word)


def _words(clauses: Clauses) -> english.Tagged:
    words: english.Tagged = []
    for i, (join, event) in enumerate(clauses):
        if join in (",", "but", "so", "and then"):
            words.append((",", ""))
        if join not in ("", ","):
            words.append((join, ""))
        words += english.clause(event, f"{i}.")
    words.append((".", ""))
    return english.capital(words)
