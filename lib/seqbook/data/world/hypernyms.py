"""What kind of thing each thing is: whoever buys an apple buys a piece of fruit, and not the other way round."""

from seqbook.data.world.nouns import Noun
from seqbook.data.world.things import THINGS

_KINDS = {
    "vehicle vehicles": "bicycle car truck boat", "instrument instruments": "piano guitar violin flute",
    "animal animals": "dog cat horse cow pig goat bird rabbit duck", "machine machines": "computer radio camera phone",
    "tool tools": "knife hammer", "garment garments": "coat shirt sweater dress scarf", "plant plants": "flower rose tree",
    "container containers": "box bag basket drawer", "building buildings": "house bridge tower",
}  # fmt: skip
_THING = {noun.en: noun for noun in THINGS}
KIND_OF: dict[Noun, Noun] = {}
MEMBERS: dict[Noun, list[Noun]] = {}
for _forms, _members in _KINDS.items():
    _kind = Noun(*_forms.split(), "", "", frozenset({"countable"}))
    MEMBERS[_kind] = [_THING[name] for name in _members.split()]
    KIND_OF |= dict.fromkeys(MEMBERS[_kind], _kind)
