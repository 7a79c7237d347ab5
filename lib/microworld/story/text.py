"""The text of a story, realized from its clauses, with the positions of sentences and pronouns."""

from microworld.events import Event
from microworld.realize import english

Clauses = list[tuple[str, Event]]  # of a sentence, each with the conjunction or punctuation before it


class Text:
    """A text with its annotations. Positions count characters.

    Args:
        sentences: the clauses of each sentence and, by path, the referents of its pronouns.

    Attributes:
        sentences: the tagged words of each sentence, with the same referents.
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

    def pronouns(self) -> list[dict]:
        """Start, text and referent of each pronoun."""
        found = []
        for (words, referents), (position, _) in zip(self.sentences, self.spans, strict=True):
            position -= 1  # the first word has no space before it
            for word, tag in words:
                position += word[0] not in english.ATTACHED
                if tag in referents:
                    found.append({"start": position, "text": word, "refers_to": referents[tag]})
                position += len(word)
        return found


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
