"""Tells deeds one after the other: who may be "she" by now, what is "it", which day it is, where a sentence ends."""

from random import Random

from seqbook.data.world import english
from seqbook.data.world.choices import AT, IN, ON
from seqbook.data.world.events import HELD_OUT_PAIRS, Event, Location, Phrase
from seqbook.data.world.lexicon import Pronoun
from seqbook.data.world.modifiers import Word
from seqbook.data.world.nouns import Noun
from seqbook.data.world.story_verbs import TOLD
from seqbook.data.world.town import Person, Spot, Thing
