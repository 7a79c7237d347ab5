"""Realize events in English. Each word is tagged with the part of the event that it expresses, so that alignments are known.

A tag is a path into the event ("side.object.noun"). Words that express no part of it have the tag "".
"""

import re

from microworld.events import Event, Location, Phrase, Sentence
from microworld.words.modifiers import PLURAL, TENSES
from microworld.words.nouns import Noun, Pronoun

Tagged = list[tuple[str, str]]

ATTACHED = ",.?'"  # these begin words that have no space before them
QUESTION_WORDS = {"place": "where", "time": "when", "reason": "why"}
# A token is a word, a Chinese character, or a run of punctuation.
TOKEN = re.compile(r"[^\W一-鿿]+|[一-鿿]|[^\w\s]+")


def text(s: Sentence) -> str:
    """A sentence as text."""
    return spell(sentence(s))


def sentence(s: Sentence) -> Tagged:
    """A sentence as (word or punctuation, tag) pairs, with a capital and final punctuation."""
    if s.asks:
        words = [*question(s.main, s.asks), ("?", "end")]
    else:
        words = []
        if s.side and s.side_first:
            words += [(s.link, "link"), *clause(s.side, "side."), (",", "comma")]
        words += passive(s.main, "main.") if s.passive else clause(s.main, "main.")
        if s.side and not s.side_first:
            words += [*([(",", "comma")] if s.link == "so" else []), (s.link, "link"), *clause(s.side, "side.")]
        if s.added:
            words += [(",", "joint comma"), (s.joint, "joint"), *clause(s.added, "added.")]
        words.append((".", "end"))
    return capital(words)


def capital(words: Tagged) -> Tagged:
    """The words, the first of which gets a capital."""
    first, tag = words[0]
    words[0] = first[0].upper() + first[1:], tag
    return words


def clause(event: Event, path: str) -> Tagged:
    """Subject, verb and the rest in the order of English."""
    words = []
    if event.time and event.time_first:
        words += [(event.time.en, path + "time"), (",", path + "time comma")]
    if event.gap != "agent":
        words += phrase(event.agent, path + "agent.", "subject")
    auxiliaries, verb = verb_group(event, path)
    return words + auxiliaries + predicate(event, path, verb)


def predicate(event: Event, path: str, verb: Tagged) -> Tagged:
    """The verb and what follows it, with manner before the verb, then place and time."""
    words = [(event.manner.en, path + "manner")] if event.manner else []
    for slot, tag in event.verb.en:
        words += verb if slot == "V" else fill(slot, tag, event, path, verb)
    if event.place and event.gap != "place":
        words += location(event.place, path)
    if event.time and not event.time_first:
        words.append((event.time.en, path + "time"))
    if event.tense == "before":
        words.append(("before", path + "before"))
    return words


def fill(slot: str, tag: str, event: Event, path: str, verb: Tagged) -> Tagged:
    """The words of one slot of a verb's frame."""
    match slot:
        case "V":
            return verb
        case "O":
            return [] if event.gap == "object" else phrase(event.object, path + "object.")
        case "R":
            return phrase(event.recipient, path + "recipient.")
        case "D":
            there = (event.destination.preposition.en, path + "destination.preposition")
            return [there, *phrase(event.destination.phrase, path + "destination.")]
        case "C":
            return clause(event.content, path + "content.")
        case "I" | "G":
            form = "base" if slot == "I" else "ing"
            inner = event.content
            return predicate(inner, path + "content.", [(inner.verb.form(form), path + "content.verb")])
        case "P":
            return graded(event, path)
    return [(slot, path + tag if tag else "")]


def graded(event: Event, path: str) -> Tagged:
    """An adjective with its degree: very tired, much taller."""
    degree = event.degree.en
    if degree.endswith("er"):
        much = [("much", path + "degree")] if degree == "much -er" else []
        return [*much, (event.quality.comparative, path + "quality")]
    return [*([(degree, path + "degree")] if degree else []), (event.quality.en, path + "quality")]


def verb_group(event: Event, path: str, asked: bool = False) -> tuple[Tagged, Tagged]:
    """(auxiliaries, main verb). With `asked` there is at least one auxiliary, which questions put before the subject."""
    subject = event.object if event.agent and event.agent.noun.en == "there" else event.agent
    number = 1 if subject and (subject.plural or _like_plural(subject)) else 0
    tense = TENSES[event.tense]
    verb_tag = path + "verb"
    if event.verb.forms[0] == "be" and event.tense in ("past", "present"):
        return _be(event, path, number, asked)
    auxiliaries, form = [], tense.form
    if event.modal:
        if len(event.modal.en) == 1:
            auxiliaries = [(event.modal.en[0], path + "modal")]
            if event.negated:
                auxiliaries.append(("not", path + "not"))
        else:
            base, third, past = event.modal.en
            if event.negated:
                auxiliaries = [(tense.do[number], path + "not"), ("not", path + "not"), (base, path + "modal")]
            else:
                finite = past if event.tense == "past" else (base if number else third)
                auxiliaries = [(finite, path + "modal")]
            auxiliaries.append(("to", path + "modal"))
        form = "base"
    else:
        if tense.auxiliary:
            word = tense.auxiliary[number]
            if event.agent and event.agent.noun.en == "I":
                word = {"are": "am", "were": "was"}.get(word, word)
            auxiliaries = [(word, verb_tag if tense.form == "participle" else path + "auxiliary")]
        elif event.negated or asked:
            auxiliaries, form = [(tense.do[number], path + ("not" if event.negated else "auxiliary"))], "base"
        if event.negated:
            auxiliaries.append(("not", path + "not"))
        if event.tense in ("already", "never"):
            auxiliaries.append((event.tense, path + event.tense))
        if form == "present" and number:
            form = "base"
    if event.frequency:
        auxiliaries.append((event.frequency.en, path + "frequency"))
    return auxiliaries, [(event.verb.form(form), verb_tag)]


def _be(event: Event, path: str, number: int, asked: bool) -> tuple[Tagged, Tagged]:
    past = event.tense == "past"
    word = ("were" if number else "was") if past else ("are" if number else "is")
    if event.agent and event.agent.noun.en == "I":
        word = "was" if past else "am"
    denied = [("not", path + "not")] if event.negated else []
    often = [(event.frequency.en, path + "frequency")] if event.frequency else []
    verb = (word, path + "verb")
    return ([verb], [*denied, *often]) if asked else ([], [verb, *denied, *often])


def _like_plural(subject: Phrase) -> bool:
    return subject.noun.en in ("I", "you") and isinstance(subject.noun, Pronoun)


def passive(event: Event, path: str) -> Tagged:
    """A passive clause: the window was broken by the boy, the key was given to Anna by Ben."""
    words = phrase(event.object, path + "object.")
    words += [("were" if event.object.plural else "was", path + "passive")]
    words += [(event.verb.form("participle"), path + "verb")]
    if event.recipient:
        words += [("to", path + "to"), *phrase(event.recipient, path + "recipient.")]
    words += [("by", path + "passive"), *phrase(event.agent, path + "agent.")]
    if event.place:
        words += location(event.place, path)
    return words + ([(event.time.en, path + "time")] if event.time else [])


def location(place: Location, path: str) -> Tagged:
    """In the park."""
    return [(place.preposition.en, path + "place.preposition"), *phrase(place.phrase, path + "place.")]


def question(event: Event, asks: str) -> Tagged:
    """A question for a part of the event, or whether it happened."""
    path = "main."
    if asks == "agent":
        return clause(event, path)
    auxiliaries, verb = verb_group(event, path, asked=True)
    words = []
    if asks == "object":
        words += phrase(event.object, path + "object.")
    elif asks != "whether":
        words.append((QUESTION_WORDS[asks], path + "asked"))
    if not auxiliaries:
        raise ValueError(f"no auxiliary to ask with in {event}")
    words += [auxiliaries[0], *phrase(event.agent, path + "agent.", "subject"), *auxiliaries[1:]]
    moved = [item for item in event.verb.en if item[0] != "O"] if asks == "object" else event.verb.en
    words += [(event.manner.en, path + "manner")] if event.manner else []
    for slot, tag in moved:
        words += fill(slot, tag, event, path, verb)
    if event.place:
        words += location(event.place, path)
    return words + ([(event.time.en, path + "time")] if event.time else [])


def phrase(p: Phrase, path: str, case: str = "object") -> Tagged:
    """A noun phrase: determiner or owner, adjectives, noun, relative clause, and a second noun phrase after "and"."""
    noun = p.noun
    if isinstance(noun, Pronoun):
        return [(noun.en if case == "subject" else noun.objective, path + "noun")]
    words = []
    for i, adjective in enumerate(p.adjectives):
        words.append((adjective.en, f"{path}adjective{i}"))
    many = p.determiner in PLURAL or p.determiner == "how many"
    if noun.unit and (p.determiner == "a" or many) and p.determiner != "some":
        words.append((noun.en, path + "noun"))
        measure = noun.unit[1 if many else 0]
        words = [(measure, path + "measure"), ("of", path + "measure"), *words]
    else:
        words.append((noun.plural if many and not noun.unit else noun.en, path + "noun"))
    if p.owner:
        words = owner(p.owner, path + "owner.") + words
    elif p.determiner == "a":
        words.insert(0, ("an" if words[0][0][0] in "aeiou" else "a", path + "determiner"))
    elif p.determiner == "the":
        words.insert(0, ("the", ""))
    elif p.determiner:
        words.insert(0, (p.determiner, path + "determiner"))
    if p.relative:
        who = "who" if p.relative.gap == "agent" and _is_person(noun) else "that"
        words += [(who, path + "relative"), *clause(p.relative, path + "relative.")]
    if p.other:
        words += [("and", path + "and"), *phrase(p.other, path + "other.", case)]
    return words


def owner(p: Phrase, path: str) -> Tagged:
    """Whose: my, Anna's."""
    if isinstance(p.noun, Pronoun):
        return [(p.noun.possessive, path + "noun")]
    return [*phrase(p, path), ("'s", path + "of")]


def _is_person(noun: Noun) -> bool:
    return noun.measure in "位名个" and not noun.classes & {"goods", "food", "animal", "in", "at", "on", "container"}


def spell(words: Tagged) -> str:
    """The words as text, with spaces between words but not before punctuation."""
    text = " ".join([word for word, _ in words])
    for mark in ATTACHED:
        text = text.replace(" " + mark, mark)
    return text
