"""Writing with a model that predicts the next token. It knows token ids only, no texts and no objectives.

A model is driven through two methods: `prefill(*given) -> logits, state` reads everything that is given at once, and
`decode(token_ids, state) -> logits, state` reads one more token per row. `state.select(rows)` copies rows for a beam.
`given` is a tuple of prefill's arguments: (source_ids, target_ids) of an encoder-decoder, (ids,) or (ids, padding) of a
decoder.
"""
