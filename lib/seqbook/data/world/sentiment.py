"""Opinions, positive or negative: "not boring" is praise, and after "although …" the main clause decides."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from seqbook.data.world import english, lexicon, verbs
from seqbook.data.world.events import Event, Phrase, held_out, pairs
from seqbook.data.world.lexicon import ME
from seqbook.data.world.modifiers import ADJECTIVES, PAST_TIMES, Word
from seqbook.data.world.nouns import Adjective, Noun
from seqbook.data.world.story import place_of
from seqbook.data.world.story_verbs import TOLD
from seqbook.data.world.things import PLACES, THINGS

LABELS = ("negative", "positive")
