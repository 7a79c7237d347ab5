"""The text of a story, realized from its clauses, with the positions of sentences, names and pronouns."""

from dataclasses import dataclass, field

from microworld.events import Event
from microworld.realize import english
from microworld.words.names import NAMES, ORGS, STREETS, TOWNS

ENTITIES = {
    noun.en: kind
    for kind, nouns in [("PER", NAMES), ("LOC", [*TOWNS, *STREETS]), ("ORG", ORGS)]
    for noun in nouns
}  # fmt: skip
Clauses = list[tuple[str, Event]]  # each with the conjunction or punctuation before it


@dataclass(slots=True)
class Text:
    """A text with its annotations. Positions count characters.

    Attributes:
        spans: start and end of each sentence.
        entities: start, end and kind ("PER", "LOC" or "ORG") of each name.
        pronouns: start, text and referent ("refers_to") of each pronoun.
    """

    string: str = ""
    spans: list[tuple[int, int]] = field(default_factory=list)
    entities: list[tuple[int, int, str]] = field(default_factory=list)
    pronouns: list[dict] = field(default_factory=list)

    def add(self, clauses: Clauses, referents: dict[str, str]) -> None:
        """Append a sentence; `referents` says whom its pronouns refer to, by path."""
        text = self.string + (" " if self.string else "")
        start = len(text)
        for i, (word, tag) in enumerate(english.capital(_words(clauses))):
            if i and word[0] not in ",'":
                text += " "
            if tag in referents:
                self.pronouns.append({"start": len(text), "text": word, "refers_to": referents[tag]})
            if word in ENTITIES:
                self.entities.append((len(text), len(text) + len(word), ENTITIES[word]))
            text += word
        self.string = text + "."
        self.spans.append((start, len(self.string)))


def _words(clauses: Clauses) -> english.Tagged:
    words: english.Tagged = []
    for i, (join, event) in enumerate(clauses):
        if join in (",", "but", "so", "and then"):
            words.append((",", ""))
        if join not in ("", ","):
            words.append((join, ""))
        words += english.clause(event, f"{i}.")
    return words
