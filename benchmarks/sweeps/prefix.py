"""Part 6: prefix decoders beside causal decoders and encoder-decoders."""

from benchmarks.sweeps.schema import Case, Sweep, Trial

from seqbook.experiments import prefix

MASKS = ("causal", "bidirectional")  # of the source

SWEEPS = {
    "prefix-translation-rates": Sweep(
        "Chapter 6.1: the learning rates of one stack that translates, with each mask.",
        [
            Case("prefix-translation", {"prefix": mask, "learning_rate": rate}, {"prefix": mask, "rate": rate})
            for mask in MASKS
            for rate in (1.5e-3, 3e-3, 6e-3)
        ],
        seeds=[0],
    ),
    "prefix-translation": Sweep(
        "Chapter 6.1, C25 and C26: translation by one stack, with either mask, beside an encoder-decoder: with as many "
        "parameters and steps, and with as many operations (a step of the one stack costs about 2.5 times as much).",
        [
            Case("prefix-translation", {"prefix": "causal"}, {"system": "causal decoder", "equal": "parameters"}),
            Case("prefix-translation", {}, {"system": "prefix decoder", "equal": "parameters"}),
            Case("transformer-rotary", {}, {"system": "encoder-decoder", "equal": "parameters"}),
            Case(
                "prefix-translation",
                {"prefix": "causal", "steps": 600},
                {"system": "causal decoder", "equal": "compute"},
            ),
            Case("prefix-translation", {"steps": 600}, {"system": "prefix decoder", "equal": "compute"}),
        ],
    ),
    "prefix-loss": Sweep(
        "Chapter 6.1, C27: a causal decoder whose loss is on the target alone, or on source and target.",
        [
            Case("prefix-translation", {"prefix": "causal", "loss_on": loss_on}, {"loss_on": loss_on})
            for loss_on in ("target", "whole")
        ],
    ),
    "prefix-chain": Sweep(
        "Chapter 6.1, C25: chains of assignments of one or two hops, read with either mask.",
        [
            Trial(prefix.chain, {"prefix": mask, "hops": hops, "steps": steps})
            for hops, steps in ((2, 4_000), (1, 1_500))
            for mask in MASKS
        ],
    ),
    "prefix-order": Sweep(
        "Chapter 6.1: translation by one stack of two blocks, with either mask and with rotary, learned or no positions.",
        [
            Trial(prefix.order, {"prefix": mask, "positions": positions})
            for positions in ("rotary", "none", "learned")
            for mask in MASKS
        ],
    ),
    "unilm": Sweep(
        "Chapter 6.1: one network with UniLM's three kinds of masks, beside a network for each of them.",
        [
            Case("unilm", {}, {"trained": "all"}),
            Case("unilm", {"steps": 2_100}, {"trained": "all"}),  # as many as the three others together
            *(
                Case("unilm", {"shares": shares}, {"trained": mode})
                for mode, shares in (
                    ("bidirectional", (1.0, 0.0, 0.0, 0.0)),
                    ("seq2seq", (0.0, 1.0, 0.0, 0.0)),
                    ("left_to_right", (0.0, 0.0, 1.0, 0.0)),
                )
            ),
        ],
    ),
}
