"""Part 4: BERT, pretrained and fine-tuned."""

from benchmarks.sweeps.schema import Case, Sweep, Trial

from seqbook.experiments import bert, cloze, understanding

FINE_TUNED = {  # how many different labelled examples there are, and what GPT leaves out because BERT cannot have it
    "sentiment": ((200, 1_000), {"lm_weight": 0.0}),
    "entailment": ((2_000,), {"lm_weight": 0.0}),
    "ner": ((100, 1_000), {}),
    "qa": ((2_000,), {}),
}
SHORT = {"patience": 5}  # evaluations, one every 100 steps; the recipes wait for 10
CHANGES = {  # of BERT's pretraining, one at a time: (the recipe, its settings); the rows without a change are in "understanding"
    "with NSP": ("bert-nsp", {}),
    "always [MASK]": ("bert", {"mask_share": 1.0, "random_share": 0.0}),
    "static masks": ("bert", {"masking": "static"}),
    "40 % masked": ("bert", {"rate": 0.4}),
    "batches of 64": ("bert", {"batch_size": 64, "steps": 175, "warmup": 25}),
    "twice as long": ("bert", {"steps": 1_400}),
}

SWEEPS = {
    "bert": Sweep(
        "Chapter 4.1: the masked language model, with different rates and replacements; all are compared on [MASK] tokens "
        "alone, at a rate of 15 %.",
        [
            Case("bert", {}, {"rate": 0.15, "replaced": "80/10/10"}),
            Case("bert", {"rate": 0.4}, {"rate": 0.4, "replaced": "80/10/10"}),
            Case("bert", {"mask_share": 1.0, "random_share": 0.0}, {"rate": 0.15, "replaced": "100/0/0"}),
        ],
        measure=bert.measured,
    ),
    "bert-nsp": Sweep("Chapters 4.1 and 4.2: BERT pretrained with next-sentence prediction too.", [Case("bert-nsp")]),
    "cloze": Sweep(
        "Chapter 4.1, C18: names that BERT and GPT of the same size fill in, by where else the name stands in the text.",
        [Trial(cloze.compared)],
    ),
    "cloze-predictions": Sweep(
        "Chapter 4.1, C18: the same gaps after trainings with other numbers of predictions.",
        [
            Trial(cloze.compared, {"case": "GPT, loss at 15 % of the positions", "share": 0.15}),
            Trial(cloze.compared, {"case": "BERT, as many predictions as GPT", "bert": {"rate": 0.4, "steps": 1_800}}),
        ],
    ),
    "bert-generation": Sweep(
        "Chapter 4.1, C21: texts that BERT and GPT continue, checked by a reader of the micro-world.",
        [Trial(bert.written)],
    ),
    "understanding": Sweep(
        "Chapter 4.2, C22: BERT and GPT of the same size and pretraining, fine-tuned by the same heads, by task and number "
        "of labels.",
        [
            Trial(understanding.fine_tuned, {"recipe": f"{family}-{task}", "labels": labels} | without | SHORT)
            for task, (counts, without) in FINE_TUNED.items()
            for labels in counts
            for family in ("bert", "gpt")
        ],
    ),
    "pretrainings": Sweep(
        "Chapters 4.1 and 4.2, C20, C23: one change of BERT's pretraining at a time, and the scores in entailment after "
        "fine-tuning. (The names of ner would be no measure: every network finds more than 99 % of them.)",
        [
            Trial(
                understanding.fine_tuned,
                {"change": change, "recipe": "bert-entailment", "labels": 2_000, "base": base, "pretraining": settings}
                | SHORT,
            )
            for change, (base, settings) in CHANGES.items()
        ],
    ),
    "frozen": Sweep(
        "Chapter 4.2: the head alone is trained, and the pretrained network stays as it is.",
        [
            Trial(understanding.fine_tuned, {"recipe": f"bert-{task}", "labels": labels, "frozen": True} | SHORT)
            for task, labels in (("sentiment", 1_000), ("entailment", 2_000), ("ner", 1_000))
        ],
    ),
}
