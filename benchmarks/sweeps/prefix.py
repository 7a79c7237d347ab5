"""Part 6: prefix decoders beside causal decoders and encoder-decoders."""

from typing import Any

from benchmarks.sweeps.schema import Case, Sweep, Trial, best_rate

from seqbook.experiments import prefix, pretrained_masks

MASKS = ("causal", "bidirectional")  # of the source

SHARES: dict[str, dict[str, Any]] = {  # of UniLM's masks, by what a network is trained in
    "all": {},
    "bidirectional": {"shares": (1.0, 0.0, 0.0, 0.0)},
    "seq2seq": {"shares": (0.0, 1.0, 0.0, 0.0)},
    "left_to_right": {"shares": (0.0, 0.0, 1.0, 0.0)},
}


def _translation(mask: str, columns: dict[str, str], **settings: Any) -> Case:
    """One stack that translates, at the rate that prefix-translation-rates.json has found."""
    best = best_rate("prefix-translation-rates", 3e-3, prefix=mask, steps=settings.get("steps", 1_500))
    return Case("prefix-translation", {"prefix": mask, "learning_rate": best} | settings, columns)


def _unilm(trained: str) -> Case:
    """A network with these masks, at the rate that unilm-rates.json has found."""
    best = best_rate("unilm-rates", 2.5e-3, trained=trained)
    return Case("unilm", SHARES[trained] | {"learning_rate": best}, {"trained": trained})


def _pretrained(mask: str) -> dict[str, float]:
    """The rate of the pretraining that pretrained-masks-rates.json has found, and 0.001 for the fine-tuning, T5's rate."""
    return {"pretraining_rate": best_rate("pretrained-masks-rates", 3e-3, prefix=mask), "learning_rate": 1e-3}


SWEEPS = {
    "prefix-translation-rates": Sweep(
        "Chapter 6.1: the learning rates of one stack that translates, with each mask and for each number of steps.",
        [
            Case("prefix-translation", {"prefix": mask, "learning_rate": rate} | steps, {"prefix": mask, "rate": rate})
            for steps in ({}, {"steps": 600})
            for mask in MASKS
            for rate in (7.5e-4, 1.5e-3, 3e-3, 6e-3)
            if not (steps and rate < 1e-3)  # 1.5e-3 is already too low for so few steps
        ],
        seeds=[0],
    ),
    "prefix-translation": Sweep(
        "Chapter 6.1, C25 and C26: translation by one stack, with either mask, beside an encoder-decoder: with as many "
        "parameters and steps, and with as many operations (a step of the one stack costs about 2.5 times as much).",
        [
            _translation("causal", {"system": "causal decoder", "equal": "parameters"}),
            _translation("bidirectional", {"system": "prefix decoder", "equal": "parameters"}),
            Case("transformer-rotary", {}, {"system": "encoder-decoder", "equal": "parameters"}),
            _translation("causal", {"system": "causal decoder", "equal": "compute"}, steps=600),
            _translation("bidirectional", {"system": "prefix decoder", "equal": "compute"}, steps=600),
        ],
    ),
    "prefix-loss-rates": Sweep(
        "Chapter 6.1, C27: the learning rates of a causal decoder whose loss is on source and target.",
        [
            Case("prefix-translation", {"prefix": "causal", "learning_rate": rate, "loss_on": "whole"}, {"rate": rate})
            for rate in (7.5e-4, 1.5e-3, 3e-3)
        ],
        seeds=[0],
    ),
    "prefix-loss": Sweep(
        "Chapter 6.1, C27: a causal decoder whose loss is on the target alone, or on source and target.",
        [
            _translation("causal", {"loss_on": "target"}),
            _translation("causal", {"loss_on": "whole"}, loss_on="whole"),
        ],
    ),
    "prefix-chain-rates": Sweep(
        "Chapter 6.1, C25: the learning rates of a stack that reads chains of assignments, with either mask.",
        [
            Trial(prefix.chain, {"prefix": mask, "hops": 1, "steps": 3_000, "learning_rate": rate})
            for rate in (5e-4, 2e-3)  # and 1e-3 in prefix-chain
            for mask in MASKS
        ],
        seeds=[0],
    ),
    "prefix-chain": Sweep(
        "Chapter 6.1, C25: chains of assignments of one hop, read with either mask.",
        [Trial(prefix.chain, {"prefix": mask, "hops": 1, "steps": 3_000}) for mask in MASKS],
    ),
    "prefix-order": Sweep(
        "Chapter 6.1: translation by one stack of two blocks, with either mask and with rotary, learned or no positions.",
        [
            Trial(prefix.order, {"prefix": mask, "positions": positions})
            for positions in ("rotary", "none", "learned")
            for mask in MASKS
        ],
    ),
    "unilm-rates": Sweep(
        "Chapter 6.1: the learning rates of one network with all of UniLM's masks, and of a network for each kind of mask.",
        [
            Case("unilm", shares | {"learning_rate": rate}, {"trained": trained, "rate": rate})
            for trained, shares in SHARES.items()
            for rate in (1e-3, 2.5e-3, 5e-3)
        ],
        seeds=[0],
    ),
    "unilm": Sweep(
        "Chapter 6.1: one network with UniLM's three kinds of masks, beside a network for each of them.",
        [_unilm(trained) for trained in SHARES],
    ),
    "prefix-lm-rates": Sweep(
        "Part 6: the learning rates of a prefix decoder that continues stories, and of one with UL2's denoisers.",
        [
            Case(recipe, {"learning_rate": rate}, {"rate": rate})
            for recipe in ("prefix-lm", "ul2")
            for rate in (1e-3, 2.5e-3, 5e-3)
        ],
        seeds=[0],
    ),
    "pretrained-masks-rates": Sweep(
        "C25: the learning rates of one stack that is pretrained on blanks, with each mask.",
        [
            Trial(pretrained_masks.denoising, {"prefix": mask, "learning_rate": rate})
            for rate in (3e-3, 6e-3)
            for mask in MASKS
        ],
        seeds=[0],
    ),
    "pretrained-masks": Sweep(
        "C25: one stack, pretrained on blanks and fine-tuned on entailment and questions, with each mask.",
        [Trial(pretrained_masks.after_denoising, {"prefix": mask} | _pretrained(mask)) for mask in MASKS],
    ),
}
