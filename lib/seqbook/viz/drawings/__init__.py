"""Drawings as on a blackboard, with the numbers of an example. There is one file per drawing; each returns its axes.

All are narrow enough to be readable on a phone. Their unit is an inch, so that a chapter can add to them.
"""

from seqbook.viz.drawings.attention_numbers import attention_numbers
from seqbook.viz.drawings.attention_step import attention_step
from seqbook.viz.drawings.beam_tree import beam_tree
from seqbook.viz.drawings.blank_row import blank_row
from seqbook.viz.drawings.heads_split import heads_split
from seqbook.viz.drawings.lstm_cell import lstm_cell
from seqbook.viz.drawings.residual_stream import Part, residual_stream
from seqbook.viz.drawings.shaded_tokens import shaded_tokens
from seqbook.viz.drawings.source_target import source_and_target
from seqbook.viz.drawings.token_rows import Row, token_rows
from seqbook.viz.drawings.unrolled import unrolled

__all__ = [
    "Part",
    "Row",
    "attention_numbers",
    "attention_step",
    "beam_tree",
    "blank_row",
    "heads_split",
    "lstm_cell",
    "residual_stream",
    "shaded_tokens",
    "source_and_target",
    "token_rows",
    "unrolled",
]
