"""Trained models as files that a browser can run: an ONNX graph, tokenizers, and what the figures have to know of them.

python -m seqbook.live.export NAME FOLDER [IDENTITY]    export a recipe's model, which is trained first if it has not been

Each graph returns logits and what the model looked at. It keeps no cache, so one graph serves every figure.
"""

import copy
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqbook import runs
from seqbook.data.tokenizer import SPECIAL_TOKENS
from seqbook.live import heldout, timelapse
from seqbook.nn.record import record
from seqbook.objectives.filling import MASK
from seqbook.objectives.layouts import CLS, DELIMITER, EXTRACT, SEP
from seqbook.storage import writing


class Decoder(nn.Module):
    """ids (B, T) → logits of the next tokens (B, T, V), attention weights (layers, B, heads, T, T)."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        with record(self.model) as maps:
            logits = self.model(ids)
        return logits, torch.stack([weights[0] for weights in maps.values()])


class PrefixDecoder(Decoder):
    """ids (B, T), lengths of the prefixes (B) → as Decoder."""

    def forward(self, ids: Tensor, prefix_lengths: Tensor) -> tuple[Tensor, Tensor]:
        with record(self.model) as maps:
            logits = self.model(ids, prefix_lengths)
        return logits, torch.stack([weights[0] for weights in maps.values()])


class Encoder(Decoder):
    """ids (B, T) with masks in place of words → logits of the token at every position (B, T, V), weights as Decoder."""

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        with record(self.model) as maps:
            logits = self.model.masked_head(self.model.hidden(ids), self.model.embedding)
        return logits, torch.stack([weights[0] for weights in maps.values()])


class Recurrent(Decoder):
    """Source ids (B, S) and the target so far (B, T) → logits of the next tokens (B, T, V), and the context vector (B, D)."""

    def forward(self, source_ids: Tensor, target_ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.model(source_ids, target_ids), self.model.encode(source_ids).summary


class Aligning(Decoder):
    """Source ids (B, S) and the target so far (B, T) → logits of the next tokens (B, T, V), weights α (B, T, S)."""

    def forward(self, source_ids: Tensor, target_ids: Tensor) -> tuple[Tensor, Tensor]:
        with record(self.model) as maps:
            logits = self.model(source_ids, target_ids)
        ((weights,),) = maps.values()
        return logits, weights


class EncoderDecoder(Decoder):
    """Source ids (B, S) and the target so far (B, T) → logits of the next tokens (B, T, V), weights (layers, B, heads, …) of
    the encoder's self-attention (S, S), of the decoder's (T, T), and of cross-attention (T, S)."""

    def forward(self, source_ids: Tensor, target_ids: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        with record(self.model) as maps:
            logits = self.model(source_ids, target_ids)
        kinds = {"encoder": [], "decoder": [], "cross": []}
        for name, (weights,) in maps.items():
            kinds["cross" if "cross" in name else name.partition(".")[0]].append(weights)
        return logits, *(torch.stack(layers) for layers in kinds.values())


class Classifier(Decoder):
    """ids (B, T) with GPT's special tokens → scores of the classes and their probabilities (B, classes)."""

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        last = torch.full_like(ids[:, :1], ids.shape[1] - 1)
        scores = self.model(ids[:, None], last).task
        return scores, scores.softmax(-1)


class Similarity(Decoder):
    """ids of two texts in both orders, (B, T) each → scores of the classes and their probabilities (B, classes), and what
    each order adds to the scores (B, 2, classes)."""

    def forward(self, ids: Tensor, exchanged_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows = torch.stack([ids, exchanged_ids], dim=1)
        outputs = self.model(rows, torch.full_like(rows[:, :, 0], ids.shape[1] - 1))
        of_rows = outputs.hidden[:, :, -1] @ self.model.head.weight.T
        return outputs.task, outputs.task.softmax(-1), of_rows


class Chooser(Decoder):
    """A text and its endings, packed into ids, branches and position ids (B, T), and the positions of the extract tokens
    (B, endings) → the score of each ending and its probability (B, endings)."""

    def forward(self, ids: Tensor, extract: Tensor, branches: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.model(ids, extract, branches, position_ids).task
        return scores, scores.softmax(-1)


class Tagger(Decoder):
    """ids (B, T) with the special tokens → scores of the tags of each token and their probabilities (B, T, tags)."""

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.model(ids)
        return scores, scores.softmax(-1)


class SpanFinder(Decoder):
    """ids (B, T) of a question and a text with the special tokens, lengths of what stands before the text (B) → scores of
    each token as the start and as the end of the answer (B, T, 2)."""

    def forward(self, ids: Tensor, prefix_lengths: Tensor) -> tuple[Tensor]:
        segments = (torch.arange(ids.shape[1]) >= prefix_lengths[:, None]).long()
        return (torch.stack(list(self.model(ids, segments)), dim=-1),)


@dataclass(frozen=True)
class Graph:
    """How the model of a recipe is exported: the module, the names of its inputs and of the outputs after the logits, the
    settings of the recipe that its chapter changes, the objective's attribute with the names of its classes or tags, and
    the recipe, where it has another name. A time-lapse has the weights of several steps. `heldout` chooses the examples
    on which the page recomputes a number of the chapter. `halves`: the weights are rounded to 16 bits, and the page
    loads half as many bytes; it computes with 32 bits. `told`: settings of the objective that the figure needs. `task`:
    the figure tells how many answers are right, and begins with held-out examples."""

    module: Callable[[nn.Module], nn.Module]
    inputs: tuple[str, ...]
    looks: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    labels: str = ""
    recipe: str = ""
    steps: tuple[int, ...] = ()
    heldout: Callable[[runs.Run], dict[str, Any]] | None = None
    halves: bool = False
    told: tuple[str, ...] = ()
    task: bool = False


def _classified(what: str) -> Callable[[runs.Run], dict[str, Any]]:
    return partial(heldout.predictions, measure="right", unit=what, texts=what)


def _compared(module: Callable[[nn.Module], nn.Module], learning_rate: float, *looks: str) -> Graph:
    """A network of chapter 7.1, with the best learning rate of its search."""
    inputs = ("ids", "prefix_lengths") if module is PrefixDecoder else ("source_ids", "target_ids")
    return Graph(module, inputs, looks, {"learning_rate": learning_rate}, halves=True)


SMALL = {"d_model": 64, "n_layers": 2, "steps": 200, "warmup": 40}  # as chapter 6.1 trains it
SHORT = {"size": 1_000, "steps": 300, "patience": 0, "evaluations": 3, "lm_weight": 0.0}  # as chapter 3.2
FEW = {"learning_rate": 1e-3, "size": 2_000, "pretrained": True, "lm_weight": 0.0}  # as chapter 3.2
# As the one order of C13 in chapter 3.2, and a small part of its multiple choice:
ORDERS = FEW | {"size": 20_000, "steps": 2_500, "patience": 0, "evaluations": 5}
STORIES = {"size": 8_000, "steps": 1_000, "batch_size": 8, "patience": 0, "evaluations": 2}
STORIES |= {"pretrained": True, "lm_weight": 0.0}
PUBLISHED = {"size": 2_000, "patience": 5}  # as in the published rows of chapter 4.2
LOSS = partial(heldout.predictions, measure="loss", unit="tokens", texts="windows")
WORDS = partial(heldout.predictions, measure="right", unit="words", texts="windows")
TAGS = partial(heldout.predictions, measure="exact", unit="texts", texts="texts")  # all tags of a text
GRAPHS = {  # by recipe, or by a name of its own; a new chapter adds its own
    "rnn": Graph(Recurrent, ("source_ids", "target_ids"), ("context",), heldout=heldout.translations),
    "attention": Graph(Aligning, ("source_ids", "target_ids"), ("weights",), heldout=heldout.translations),
    "attention-timelapse": Graph(
        Aligning,
        ("source_ids", "target_ids"),
        ("weights",),
        timelapse.SMALL,
        recipe="attention",
        steps=timelapse.STEPS,
    ),
    "transformer": Graph(
        EncoderDecoder, ("source_ids", "target_ids"), ("encoder", "decoder", "cross"), heldout=heldout.translations
    ),
    "gpt": Graph(Decoder, ("ids",), ("weights",), heldout=LOSS),
    "gpt-prompting": Graph(Decoder, ("ids",), ("weights",), heldout=partial(heldout.answers, task="qa")),
    "bert": Graph(Encoder, ("ids",), ("weights",), heldout=WORDS),
    "prefix-lm": Graph(PrefixDecoder, ("ids", "prefix_lengths"), ("weights",), SMALL, heldout=heldout.second_halves),
    "gpt-sentiment": Graph(
        Classifier, ("ids",), ("probabilities",), SHORT, "classes", heldout=_classified("texts"), task=True
    ),
    "gpt-entailment": Graph(
        Classifier, ("ids",), ("probabilities",), FEW, "classes", heldout=_classified("pairs"), task=True
    ),
    "gpt-similarity": Graph(
        Similarity,
        ("ids", "exchanged_ids"),
        ("probabilities", "of_rows"),
        ORDERS,
        "classes",
        heldout=_classified("pairs"),
        task=True,
    ),
    "gpt-multiple-choice": Graph(
        Chooser,
        ("ids", "extract", "branches", "position_ids"),
        ("probabilities",),
        STORIES,
        heldout=_classified("stories"),
        task=True,
    ),
    "bert-ner": Graph(Tagger, ("ids",), ("probabilities",), {"size": 100, "patience": 5}, "tags", heldout=TAGS),
    "compare-recurrent-translation": _compared(Aligning, 1e-2, "weights"),
    "compare-encoder-decoder-translation": _compared(EncoderDecoder, 3e-3, "encoder", "decoder", "cross"),
    "compare-causal-translation": _compared(PrefixDecoder, 3e-3, "weights"),
    "compare-prefix-translation": _compared(PrefixDecoder, 3e-3, "weights"),
    "bert-qa": Graph(SpanFinder, ("ids", "prefix_lengths"), (), PUBLISHED, told=("longest_answer",)),
    "t5": Graph(EncoderDecoder, ("source_ids", "target_ids"), ("encoder", "decoder", "cross"), heldout=LOSS),
    "bart": Graph(EncoderDecoder, ("source_ids", "target_ids"), ("encoder", "decoder", "cross")),
}


def export(
    name: str,
    folder: Path,
    identity: str = "",
    run: runs.System | None = None,
    lapse: timelapse.Timelapse | None = None,
) -> None:
    """Write model.onnx, the tokenizers and about.json of a recipe's model into `folder`. The last one is about.json, so
    a folder that has it is whole. The model of a time-lapse has its weights in files of their own, one for each step.

    identity: what tells whether the files are still those of the recipe; run: the trained system (None: the recipe's);
    lapse: the same for a time-lapse.

    Raises:
        ValueError: a recipe whose model no figure uses.
    """
    if name not in GRAPHS:
        raise ValueError(f"no figure uses the model of {name!r}: choose one of {', '.join(GRAPHS)}")
    graph = GRAPHS[name]
    if graph.steps:
        lapse = lapse or timelapse.train(graph.recipe, graph.steps, **graph.settings)
        run = lapse.run
    run = run or runs.run(name, **graph.settings)
    folder.mkdir(parents=True, exist_ok=True)
    model = graph.module(rounded(run.model) if graph.halves else run.model.cpu()).eval()
    write_graph(model, graph, folder / "model.onnx", optimize=lapse is None)
    steps = write_weights(lapse, folder) if lapse else []
    for key, tokenizer in run.objective.tokenizers.items():
        tokenizer.save(folder / f"{key}.json")
    if graph.heldout:
        held = graph.heldout(run)
        held = heldout.score(run, model, held) | held
        (folder / "heldout.json").write_text(json.dumps(held, separators=(",", ":")), encoding="utf-8")
    tokenizer = next(iter(run.objective.tokenizers.values()))
    special = [
        name
        for name in (*SPECIAL_TOKENS, MASK, CLS, SEP, DELIMITER, EXTRACT)
        if tokenizer.backend.token_to_id(name) is not None
    ]
    about = {
        "name": name,
        "identity": identity,
        "inputs": graph.inputs,
        "looks": graph.looks,
        "tokenizers": list(run.objective.tokenizers),
        "special": {name: tokenizer.special_id(name) for name in special},
        "labels": getattr(run.objective, graph.labels) if graph.labels else [],
        "max_len": run.model.config.max_len,
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "bytes": sum((folder / file).stat().st_size for file in ("model.onnx", *(step["file"] for step in steps))),
    }
    about |= {name: getattr(run.objective.config, name) for name in graph.told}
    if graph.task:
        about |= {name: run.result[name] for name in ("accuracy", "majority")} | {"examples": _examples(run)}
    if steps:
        about |= {"steps": steps}
    with writing(folder / "about.json") as scratch:
        scratch.write_text(json.dumps(about, indent=1), encoding="utf-8")


def _examples(run: runs.Run, n: int = 12) -> list[dict[str, Any]]:
    """The first examples of the test split: the texts that the network reads, and the label."""
    *texts, label = run.objective.config.reads().values()
    return [{"texts": [row[of] for of in texts], "label": row[label]} for row in run.splits["test"].select(range(n))]


def write_weights(lapse: timelapse.Timelapse, folder: Path) -> list[dict[str, Any]]:
    """Take the weights out of the graph in `folder`, and write one file for each step. Returns what the page has to know:
    `step`, its `loss`, and the `file`. The graph by itself reads the file of the last step."""
    import onnx
    from onnx.external_data_helper import set_external_data

    proto, at = onnx.load(str(folder / "model.onnx")), 0
    steps = [{"step": step, "loss": lapse.losses[step], "file": f"weights-{step}.bin"} for step in sorted(lapse.states)]
    weights = {f"model.{name}" for name in lapse.run.model.state_dict()}
    tensors = [t for t in proto.graph.initializer if t.name in weights]
    assert {t.name for t in tensors} == weights, weights - {t.name for t in tensors}
    for tensor in tensors:
        length = len(tensor.raw_data)
        set_external_data(tensor, steps[-1]["file"], at, length)
        tensor.ClearField("raw_data")
        at += length
    for of_step in steps:
        state = lapse.states[of_step["step"]]
        parts = [state[tensor.name.removeprefix("model.")].numpy().tobytes() for tensor in tensors]
        (folder / of_step["file"]).write_bytes(b"".join(parts))
    onnx.save(proto, str(folder / "model.onnx"))
    return steps


def rounded(model: nn.Module) -> nn.Module:
    """A copy whose weights are the nearest numbers of 16 bits."""
    return copy.deepcopy(model.cpu()).half().float()


def write_graph(model: nn.Module, graph: Graph, file: Path, *, optimize: bool = True) -> None:
    """The graph of a module, for any batch and any lengths. Without `optimize`, its weights are those of the module, each
    with its own name."""
    import onnx  # only the build of the site has it

    sizes = {"prefix_lengths": (2,), "target_ids": (2, 6), "extract": (2, 4)}  # all others have one size
    example = tuple(torch.full(sizes.get(name, (2, 5)), 3) for name in graph.inputs)
    free = tuple({d: torch.export.Dim.DYNAMIC for d in range(t.dim())} for t in example)
    with torch.no_grad():
        torch.onnx.export(
            model,
            example,
            str(file),
            dynamo=True,
            external_data=False,
            optimize=optimize,
            verbose=False,
            input_names=list(graph.inputs),
            output_names=["logits", *graph.looks],
            dynamic_shapes=free,
        )
    proto = onnx.load(str(file))
    del proto.graph.value_info[:]  # the exporter writes the traced lengths of an LSTM into them, and into the outputs
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")
    for part in (proto.graph, *proto.graph.node):
        del part.metadata_props[:]  # where in the code a node comes from: up to a megabyte, and paths of this machine
    if graph.halves:
        _store_halves(proto.graph)
    onnx.save(proto, str(file))


def _store_halves(graph: Any) -> None:
    """Weights that lose nothing by it are stored with 16 bits. The runtime makes 32 of them when it loads the graph."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < 1_000:
            continue
        halves = values.astype("float16")
        if (halves.astype("float32") == values).all():
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(halves, f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


if __name__ == "__main__":
    export(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
