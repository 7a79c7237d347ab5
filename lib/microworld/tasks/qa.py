"""Questions about stories whose answers are spans of the text."""

import re
from collections.abc import Iterator
from dataclasses import replace

from microworld.draw.dice import Dice
from microworld.events import Event, Phrase, place_of
from microworld.realize import english
from microworld.story.plots import stories
from microworld.story.story import Story
from microworld.story.town import Person, Thing
from microworld.words.modifiers import Word
from microworld.words.people import WHAT, WHO
from microworld.words.story_verbs import TOLD, english_verb
from microworld.words.verbs import Verb

GIVING = ("give", "lend", "return", "send", "bring")
PUTTING = ("put", "hide", "leave")
DOING = ("repair", "read", "use", "play", "write", "find at", "take", "buy")
GOING = ("go", "go back", "travel")
STAYING = ("live", "work at", "study at")
RECEIVED = english_verb("receive", "V O from R")
# "Where did Anna put the key?" has no place: it asks for it.
WITHOUT_PLACE: dict[str, Verb] = {
    name: replace(TOLD[name], en=tuple(slot for slot in TOLD[name].en if slot[0] != "D"))
    for name in (*PUTTING, *STAYING, "take", "find at", "be at")
}
IN_THE_END = Word("in the end", "")
Question = tuple[Event, str, str, int]  # the event, the role asked for, the answer, its sentence


def examples(seed: int) -> Iterator[tuple[dict, bool]]:
    """Yield (row, whether it has a held-out combination) without end; no two rows have the same context."""
    for story in stories(Dice(seed)):
        row = ask(story)
        if row:
            yield row, bool(story.telling.held_out)


def ask(story: Story) -> dict | None:
    """A row with a question of a kind drawn uniformly; None if the story answers no question."""
    options: dict[str, list[Question]] = {}
    for question in questions(story):
        options.setdefault(question[1], []).append(question)
    kinds = sorted(options)
    story.rng.shuffle(kinds)
    for kind in kinds:
        event, asks, answer, sentence = story.rng.pick(options[kind])
        found = span(story, answer, sentence)
        if found:
            words = english.capital([*english.question(event, asks.split()[0]), ("?", "")])
            start, end = found
            return {
                "context": story.text.string,
                "question": english.spell(words),
                "answer": story.text.string[start:end],
                "start": start,
            }
    return None


def questions(story: Story) -> Iterator[Question]:
    """Questions to which the facts give exactly one answer."""
    for fact, deed in zip(story.telling.facts, story.telling.deeds, strict=True):
        told, sentence = fact["deed"], fact["sentence"]
        same = [f for f in story.telling.facts if f["deed"] == told]
        who = mention(deed.who)
        what = Phrase(deed.what.noun, "the") if deed.what else None
        verb = WITHOUT_PLACE.get(told, deed.event.verb)
        once = unique(same, fact, "who", "what", "whom")
        if told in PUTTING:
            if once:
                yield Event(verb, who, object=what), "place", fact["where"], sentence
            if unique(same, fact, "what", "where"):
                yield (
                    Event(deed.event.verb, Phrase(WHO), object=what, destination=deed.spot.location),
                    "agent",
                    fact["who"],
                    sentence,
                )
            if unique(same, fact, "who", "where"):
                yield (
                    Event(deed.event.verb, who, object=Phrase(WHAT), destination=deed.spot.location),
                    "object",
                    fact["what"],
                    sentence,
                )
        elif told in GIVING:
            whom = mention(deed.whom)
            if unique(same, fact, "what", "whom"):
                yield Event(deed.event.verb, Phrase(WHO), object=what, recipient=whom), "agent", fact["who"], sentence
            if unique(same, fact, "who", "whom"):
                yield Event(deed.event.verb, who, object=Phrase(WHAT), recipient=whom), "object", fact["what"], sentence
            if unique(same, fact, "who", "what"):
                yield (
                    Event(RECEIVED, Phrase(WHO), object=what, recipient=who),
                    "agent recipient",
                    fact["whom"],
                    sentence,
                )
        elif told in DOING and deed.what:
            if unique(same, fact, "what"):
                yield Event(verb, Phrase(WHO), object=what), "agent", fact["who"], sentence
            if fact["when"] and once:
                yield Event(verb, who, object=what), "time", fact["when"], sentence
        elif told == "meet":
            if once:
                yield Event(deed.event.verb, who, recipient=mention(deed.whom)), "place", fact["where"], sentence
        elif told in STAYING:
            yield Event(verb, who), "place", fact["where"], sentence
        elif told in GOING and fact["when"] and unique(same, fact, "who", "where"):
            yield Event(deed.event.verb, who, object=place_of(deed.to).phrase), "time", fact["when"], sentence
    yield from outcome(story)


def outcome(story: Story) -> Iterator[Question]:
    """Questions about where a thing was at the end."""
    for thing, spot in story.town.spot.items():
        last = max(
            fact["sentence"] for fact in story.telling.facts if fact["what"] == thing.key and fact["where"] == spot.key
        )
        asked = Event(WITHOUT_PLACE["be at"], Phrase(thing.noun, "the"), time=IN_THE_END)
        yield asked, "place in the end", spot.key, last


def unique(facts: list[dict], fact: dict, *columns: str) -> bool:
    """Whether no other fact agrees with this one in these columns."""
    return sum(all(other[c] == fact[c] for c in columns) for other in facts) == 1


def mention(who: Person | Thing) -> Phrase:
    """Somebody by their full name."""
    if isinstance(who, Thing):
        return Phrase(who.noun, "the")
    return Phrase(who.noun, who.determiner, owner=mention(who.owner) if who.owner else None)


def span(story: Story, answer: str, sentence: int) -> tuple[int, int] | None:
    """Start and end of the last mention of the answer up to this sentence, with the article if it is a thing."""
    article = ARTICLE if answer.islower() and " " not in answer else ""
    text = story.text.string[: story.text.spans[sentence][1]]
    spans = [match.span() for match in re.finditer(rf"(?i)\b{article}{re.escape(answer)}\b", text)]
    return spans[-1] if spans else None


ARTICLE = r"(?:(?:an?|the|his|her|some|[A-Z]\w+'s) (?:\w+ (?:of )?)??)?"
