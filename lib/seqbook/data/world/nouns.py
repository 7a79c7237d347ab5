"""What is known of a word: how English and Chinese say it, and what may be said of it.

A *class* ("food", "person") says what a noun may do: a verb or an adjective lists the classes that it goes with, so that
tables are repaired and doctors are thanked, and not the other way round.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Noun:
    """A thing, person or place; `measure` is the word that Chinese puts between a number and the noun (一把雨伞)."""

    en: str
    plural: str
    zh: str
    measure: str
    classes: frozenset[str]
    unit: tuple[str, str] | None = None  # English for the measure of what can't be counted: a cup, two cups of tea


@dataclass(frozen=True, slots=True, eq=False)
class Pronoun:
    """A word that stands for a person; `classes` is "person" so that it fits where a person does."""

    en: str
    objective: str
    possessive: str
    zh: str
    plural: bool
    classes: frozenset[str] = frozenset({"person"})


@dataclass(frozen=True, slots=True, eq=False)
class Adjective:
    """A property; Chinese has one form before a noun (疲惫的), one after 很 (累) and one after 比."""

    en: str
    comparative: str
    zh: str
    predicate: str
    compared: str
    classes: frozenset[str]


def nouns(table: str) -> list[Noun]:
    """One noun a line: English, plural (or unit:units of what isn't counted), Chinese, measure word, classes."""
    parsed = []
    for line in table.strip().splitlines():
        en, plural, zh, measure, *classes = line.split()
        unit = tuple(plural.split(":")) if ":" in plural else None
        classes += ["mass" if unit else "countable"]
        parsed.append(Noun(en, en if unit else plural, zh, measure, frozenset(classes), unit))
    return parsed
