"""Nouns and pronouns: their forms in English and in Chinese, and their semantic classes.

A *class* ("food", "person") says where a noun can be used. Each verb and each adjective lists the classes that it
takes, so people repair tables and thank doctors, and not the other way round.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Noun:
    """A thing, person or place.

    Args:
        measure: the word that Chinese puts between a number and the noun (一把雨伞).
        unit: singular and plural of the English measure of a mass noun: a cup, two cups (of tea).
    """

    en: str
    plural: str
    zh: str
    measure: str
    classes: frozenset[str]
    unit: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pronoun:
    """A pronoun. Pronouns for persons have the class "person", so they can be used where a person can."""

    en: str
    objective: str
    possessive: str
    zh: str
    plural: bool
    classes: frozenset[str] = frozenset({"person"})


def nouns(table: str) -> list[Noun]:
    """Parse one noun per line: English, plural (or unit:units of a mass noun), Chinese, measure word, classes."""
    parsed = []
    for line in table.strip().splitlines():
        en, plural, zh, measure, *classes = line.split()
        unit = tuple(plural.split(":")) if ":" in plural else None
        classes += ["mass" if unit else "countable"]
        parsed.append(Noun(en, en if unit else plural, zh, measure, frozenset(classes), unit))
    return parsed
