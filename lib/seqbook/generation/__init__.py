"""Generation with a model that predicts the next token. These files work with token ids, not with texts or objectives.

They use two methods of a model: `prefill(*given) -> logits, state` reads everything that is given in one pass, and
`decode(token_ids, state) -> logits, state` reads one more token per row. `state.select(rows)` copies rows for beam
search. `given` is a tuple of prefill's arguments: (source_ids, target_ids) for an encoder-decoder, (ids,) or
(ids, padding) for a decoder.
"""
