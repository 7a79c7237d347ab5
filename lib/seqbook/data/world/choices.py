"""What may be chosen: which nouns each verb takes, where things are put, what is compared, asked and told again."""

from seqbook.data.world import lexicon, modifiers
from seqbook.data.world.modifiers import Word
from seqbook.data.world.nouns import Noun, Pronoun
from seqbook.data.world.things import PLACES, THINGS
from seqbook.data.world.verbs import VERBS, Verb

WITH_CLASS: dict[str, list[Noun]] = {}
for _noun in [
    *THINGS,
    *PLACES,
    *lexicon.TOWNS,
    *lexicon.STREETS,
    *lexicon.RIVERS,
    *lexicon.SPORTS,
    *lexicon.SUBJECTS,
]:
    for _class in sorted(_noun.classes):
        WITH_CLASS.setdefault(_class, []).append(_noun)
PEOPLE = [*lexicon.JOBS, *lexicon.JOBS, *lexicon.PEOPLE]
SPEECH = {"telling", "saying", "thinking", "knowing"}
SURFACES = [n for n in THINGS if "surface" in n.classes]
CONTAINERS = [n for n in THINGS if "container" in n.classes]
ON, IN, AT = Word("on", "上"), Word("in", "里"), Word("at", "")
AROUND = [Word("under", "下面"), Word("behind", "后面"), Word("next to", "旁边"), Word("near", "附近")]
FURNITURE = [n for n in THINGS if n.en in ("table", "bed", "chair", "shelf", "piano", "mirror", "clock")]
COMPARABLE = (
    "tall short clever kind brave shy lazy busy strict rich poor strong young old patient famous polite".split()
)
PERSONAL = [a for a in modifiers.ADJECTIVES if "person" in a.classes]
COMPARED = [a for a in PERSONAL if a.en in COMPARABLE]
ACCIDENTAL = {"finding", "losing", "breaking", "meeting", "seeing"}  # nobody is at it, plans it or is asked for it
UNASKED = ACCIDENTAL | {"stealing", "crying"}
ASKED_FOR = [
    v for v in VERBS if not v.state and v.en[-1][0] not in "IGC" and v.kind not in UNASKED and "person" in v.agents
]
SEEN = [v for v in VERBS if not v.state and v.en[-1][0] not in "IGC" and v.kind not in ACCIDENTAL
        and "person" in v.agents]  # fmt: skip
SIMPLE_DEGREE = [Word("", "很"), Word("", "很"), Word("very", "非常"), Word("too", "太")]
COMPARATIVE = [Word("-er", ""), Word("-er", ""), Word("much -er", "得多")]
EQUAL = Word("", "")

CREATING = {"building", "writing", "cooking", "planting"}
_OUTDOORS = [p for p in PLACES if p.en in "garden park harbour square hill island castle".split()]
_COOKING = [p for p in PLACES if p.en in "kitchen bakery restaurant hotel".split()]
_LEARNING = [p for p in PLACES if p.en in "classroom school library museum office".split()]
_WET = [p for p in PLACES if p.en in "beach harbour hotel".split()]
PLACES_OF = {
    **dict.fromkeys(("feeding", "planting", "watering", "building", "running"), _OUTDOORS),
    **dict.fromkeys(("cooking", "eating", "drinking"), _COOKING),
    **dict.fromkeys(("teaching", "learning"), _LEARNING),
    "swimming": _WET,
}
WHO = Pronoun("who", "who", "", "谁", False)
WHAT = Pronoun("what", "what", "", "什么", False)
VERB_WEIGHTS = [verb.weight for verb in VERBS]
OBJECTS: dict[Verb, list[Noun]] = {
    verb: list(
        {
            n.en: n for c in sorted(verb.objects) for n in WITH_CLASS.get(c, []) + (PLACES if c == "place" else [])
        }.values()
    )
    for verb in VERBS
}
WITH_JOB = {"healer": [job for job in lexicon.JOBS if "healer" in job.classes]}
RELATIVE_VERBS = [v for v in VERBS if not (v.state and v.kind != "living" and v.kind != "wearing") and v.en[-1][0] not in "CIG"
                  and "healer" not in v.agents]  # fmt: skip
_ACTIVE = [v for v in VERBS if not v.state and v.en[-1][0] != "C"]
ASKABLE = {
    **dict.fromkeys(("whether", "agent", "time", "reason"), _ACTIVE),
    "place": [v for v in _ACTIVE if v.places and v.en[-1][0] not in "DIG"],
    "object": [v for v in _ACTIVE if v.objects and all(noun in THINGS for noun in OBJECTS[v])
               and v.kind not in ("drinking", "taking", "riding", "waiting", "playing") and "person" not in v.objects],
}  # fmt: skip
PATIENT = next(n for n in lexicon.PEOPLE if n.en == "patient")
TREAT = next(v for v in VERBS if v.kind == "treating")
PASSIVE_VERBS = [v for v in VERBS if v.disposal and v.en == (("V", "verb"), ("O", "verb"))]
SMALL = [n for n in THINGS if n.classes & {"small", "pet"}]
RELATIVE_OBJECT = {
    noun: [v for v in VERBS if noun in OBJECTS[v] and not v.state and v.kind in
           {"giving", "sending", "selling", "lending", "buying", "borrowing", "putting", "hiding", "leaving", "finding",
            "losing", "repairing", "washing", "writing", "painting", "planting", "building"}]
    for noun in THINGS
}  # fmt: skip
