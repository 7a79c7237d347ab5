"""Checks a story: is each sentence grammatical, and does it agree with the sentences before it?

`read(text)` tracks the state of the town through the story: where people are, what they hold, where things lie, and
whom "she" can refer to. A *claim* is something that a sentence presupposes: that Ben holds the hat that he gives away,
that the hat lies in the drawer from which he takes it, or that "she" has one possible antecedent. If the story
contradicts a claim, the reader notes the reason, and continues as if the newest sentence were true.
"""

import re
from collections.abc import Callable, Iterable

from microworld.events import Location, Phrase
from microworld.reader.claims import Reading
from microworld.reader.grammar import Clause, Mention, grammar
from microworld.reader.mentions import Mentions
from microworld.story.incidents import PASTIMES
from microworld.story.story import ROOMS
from microworld.story.telling import PARTS
from microworld.story.town import Person, Spot, Thing, Town
from microworld.words.modifiers import Word
from microworld.words.nouns import Noun
from microworld.words.people import ITSELF

SOMEWHERE = Noun("somewhere", "", "", "", frozenset())
PASTIMED = {deed for pastimes in PASTIMES.values() for deed, _ in pastimes}


def read(text: str) -> Reading:
    """Read one story. A sentence that cannot be parsed is skipped: it has no claims and does not change the town."""
    reader = Reader()
    for sentence in re.split(r"(?<=\.)\s+", text.strip()):
        reader.read_sentence(sentence)
    return reader.reading


def read_all(texts: Iterable[str]) -> Reading:
    """Read several stories. `grammatical` and `kept()` are shares of the sentences and claims of all of them."""
    total = Reading()
    for reading in map(read, texts):
        total.sentences += reading.sentences
        total.parsed += reading.parsed
        total.claims += reading.claims
        total.contradictions += reading.contradictions
    return total


class Reader:
    """Tracks one story: the state of the town (`town`) and the result so far (`reading`)."""

    def __init__(self) -> None:
        self.reading = Reading()
        self.mentions = Mentions(self.reading)
        self.town = Town()
        self.visited: set[tuple[Person, Noun]] = set()
        self.together: set[frozenset[Person]] = set()  # pairs who have met or done something together
        self.wanted: Noun | None = None
        self.subject: Person | Thing | None = None
        self.part = -1

    def read_sentence(self, sentence: str) -> None:
        """Check one sentence against the story so far, and update the town."""
        self.reading.sentences += 1
        clauses = grammar().parse(sentence)
        if clauses:
            self.reading.parsed += 1
            self.wanted = None
            for clause in clauses:
                self._update(clause)
            self.mentions.next_sentence()

    def _update(self, clause: Clause) -> None:
        """Check a clause and update the town. A clause with a pronoun that has no antecedent changes nothing."""
        deed, parts = clause
        if "time" in parts:
            self.date(parts["time"].word)
        if "antecedent" in parts:
            return self.recall(parts["antecedent"], parts["relative recipient"])
        who = self.subject = self.mentions.mention(deed, "agent", parts["agent"]) if "agent" in parts else self.subject
        what = self.mentions.mention(deed, "object", parts["object"]) if "object" in parts else None
        if deed == "tell":
            what = self.mentions.meant(ITSELF)
        whom = self.mentions.mention(deed, "recipient", parts["recipient"]) if "recipient" in parts else None
        meant = {"agent": who, "object": what, "recipient": whom}
        if who is None or any(meant[role] is None for role in parts if role in meant):
            return None
        if whom:
            self.reading.claim("who", whom is not who, f"{who.key} can't {deed} {who.key}")
            self.together.add(frozenset((who, whom)))
            if deed not in ("meet", "send"):
                self.near(who, whom)
        where = parts.get("destination") or parts.get("said destination")
        match deed:
            case "be at" | "go" | "go back" | "travel":
                self.go(deed, who, where.noun if where else what)
            case "meet":
                place = self.town.place.get(who) or self.town.place.get(whom)
                if place:
                    self.town.place[who] = self.town.place[whom] = place
                    self.visited.add((whom, place))
            case "want":
                self.wanted = what
            case _ if isinstance(what, Thing):
                if "object" in parts and parts["object"].determiner == "a/an":
                    self.town.holder[what] = who
                self._handle(deed, who, what, whom, where)
            case _ if deed in PASTIMED and who in self.town.place:
                done, place = (deed, what.en if what else ""), self.town.place[who].en
                usual = [*PASTIMES.get(place, ()), ("rest", "")]
                self.reading.claim("where", done in usual, f"{place}: no place to {' '.join(done)}")
        return None

    def _handle(self, deed: str, who: Person, what: Thing, whom: Person | None, where: Mention | None) -> None:
        """Somebody does something with a thing, for which the thing must be in the right place."""
        town = self.town
        if who in town.place and deed in grammar().places:
            place = town.place[who].en
            self.reading.claim("where", place in grammar().places[deed], f"{place}: no place to {deed}")
        match deed:
            case "have":
                what.owner = who
            case "buy":
                self.reading.claim("has", self.wanted in (None, what.noun), f"{who.key} didn't want a {what.key}")
            case "put" | "hide" | "leave":
                self.holds(who, what)
                spot = self.spot(who, where)
                town.spot[what] = spot
                del town.holder[what]
            case "take" | "find at":
                spot = town.spot.get(what)
                here = spot and (spot.room is town.place.get(who, spot.room))
                if self.reading.claim("where", bool(here), f"the {what.key} doesn't lie where {who.key} is"):
                    same = where.preposition in ("from", spot.location.preposition.en)
                    self.reading.claim(
                        "where", same and spot.location.phrase.noun is where.noun, f"the {what.key} lies {spot.key}"
                    )
                town.spot.pop(what, None)
                town.holder[what] = who
            case "tell":
                spot = town.spot.get(what)
                true = spot and spot.key == f"{where.preposition} the {where.word}"
                self.reading.claim("where", bool(true), f"the {what.key} isn't {where.preposition} the {where.word}")
            case "give" | "lend" | "return" | "bring" | "send":
                self.holds(who, what)
                if deed == "return":
                    self.reading.claim("has", what.owner in (whom, None), f"the {what.key} isn't {whom.key}'s")
                town.holder[what] = whom
            case "ask for":
                self.holds(whom, what)
            case "need" | "look for" | "ask where":
                self.reading.claim("has", town.holder.get(what) is not who, f"{who.key} holds the {what.key}")
            case "eat":
                self.holds(who, what)
                del town.holder[what]
            case "keep" | "use" | "read" | "play" | "repair" | "bake" | "cook":
                self.holds(who, what)

    def holds(self, who: Person, what: Thing) -> None:
        """Claim that somebody holds a thing."""
        self.attempt("has", self.town.needs, who, what)
        self.town.spot.pop(what, None)
        self.town.holder[what] = who

    def near(self, who: Person, whom: Person) -> None:
        """Claim that two persons are in the same place, if their places are known."""
        place = self.town.place
        if who in place and whom in place and who is not whom:
            self.attempt("where", self.town.meets, who, whom)
        if who in place:
            place[whom] = place[who]

    def go(self, deed: str, who: Person, place: Noun) -> None:
        """Somebody is somewhere else from now on."""
        if deed == "go back":
            self.reading.claim("where", (who, place) in self.visited, f"{who.key} was never at the {place.en}")
        if deed != "be at":
            self.attempt("where", self.town.go, who, place)
        self.town.place[who] = place
        self.visited.add((who, place))

    def attempt(self, kind: str, change: Callable[..., None], *those: Person | Thing | Noun) -> None:
        """Claim that a change of the town is possible; the town's own checks decide."""
        try:
            change(*those)
        except ValueError as error:
            self.reading.claim(kind, False, str(error))
        else:
            self.reading.claim(kind, True, "")

    def spot(self, who: Person, where: Mention) -> Spot:
        """Where somebody puts something: claim that the room has this furniture."""
        room = self.town.place.get(who, SOMEWHERE)
        location = Location(Word(where.preposition, ""), Phrase(where.noun, "the"))
        if room is not SOMEWHERE:
            there = [(preposition.en, noun) for preposition, noun in ROOMS.get(room.en, ())]
            self.reading.claim(
                "where", (where.preposition, where.word) in there, f"{room.en}: no {where.word} to put things"
            )
        return Spot(location, room)

    def date(self, time: str) -> None:
        """Claim that the times of a day are in order."""
        if time in PARTS:
            self.reading.claim("when", PARTS.index(time) > self.part, f"it is later than {time!r} already")
            self.part = PARTS.index(time)
        else:
            self.part = PARTS.index("in the afternoon") if time.endswith("afternoon") else 0

    def recall(self, who: Mention, whom: Mention) -> None:
        """The doctor who treated the patient: claim that the two have met."""
        pair = [self.mentions.people.get(mention.key) for mention in (who, whom)]
        names = " and ".join((who.key, whom.key))
        self.reading.claim("who", frozenset(pair) in self.together, f"nothing was told of {names}")
