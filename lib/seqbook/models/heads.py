"""A pretrained network with a head for one task {cite}`radford2018improving`. Built in chapter 3.2.

The heads over classes, tags and spans work with every model that has `hidden(ids)`, such as GPT, BERT and a prefix
decoder. The head over answers reads the text that the answers share only once, so it needs a causal model.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.nn import masks
from seqbook.nn.checks import check_positive

Head = Literal["classes", "choices", "tags", "spans"]


@dataclass(frozen=True, kw_only=True)
class FineTunedConfig:
    """A pretrained network with a head.

    backbone: the network's configuration; head: "classes" for one score per class, "choices" for one score per answer,
    "tags" for one score per token and class, "spans" for a token's scores as the start and as the end of an answer;
    n_classes: 0 in a recipe, which takes it from the task; frozen: only the head is trained.

    Raises:
        ValueError: in build, a head that does not exist.
    """

    backbone: Any
    head: Head = "classes"
    n_classes: int = 0
    frozen: bool = False

    @property
    def max_len(self) -> int:
        return self.backbone.max_len

    def build(self) -> "FineTuned":
        if self.head not in HEADS:
            raise ValueError(f"head={self.head!r}: choose one of {', '.join(HEADS)}")
        return HEADS[self.head](self)


class Outputs(NamedTuple):
    """The scores of the classes or answers, and the tensors from which the next-token logits are computed."""

    task: Float[Tensor, "batch classes"]
    hidden: Float[Tensor, "batch *positions d_model"]
    embedding_weight: Float[Tensor, "vocab d_model"]

    @property
    def lm(self) -> Float[Tensor, "batch *positions vocab"]:
        """The language model's logits. They are large, so they are computed only if the auxiliary loss needs them."""
        return F.linear(self.hidden, self.embedding_weight)


class FineTuned(nn.Module):
    """A backbone and a linear layer that reads some of its hidden states. The subclass defines which ones.

    n_scores: the number of outputs of the linear layer.

    Raises:
        ValueError: a size that does not exist; in forward, as the backbone.
    """

    def __init__(self, config: FineTunedConfig, n_scores: int):
        super().__init__()
        check_positive(n_classes=config.n_classes)
        self.config = config
        self.backbone = config.backbone.build().requires_grad_(not config.frozen)
        self.head = nn.Linear(config.backbone.d_model, n_scores)
        nn.init.normal_(self.head.weight, std=0.02)  # small, so that at first all classes are about equally likely
        nn.init.zeros_(self.head.bias)

    def load_pretrained(self, pretrained: nn.Module) -> None:
        """Copy the weights of `pretrained` into the backbone. New tokens, which have the last ids, keep their initial
        embeddings. The heads of pretraining are left out if the backbone is built without them.

        Raises:
            ValueError: another kind of network or another size, a larger vocabulary, or a head that it lacks.
        """
        ours, theirs = self.backbone.config, pretrained.config
        if type(ours) is not type(theirs):
            raise ValueError(
                f"the pretrained network is a {type(pretrained).__name__}, not {type(self.backbone).__name__}"
            )
        alike = replace(ours, vocab_size=theirs.vocab_size, dropout=theirs.dropout, max_len=theirs.max_len)
        for name, value in vars(theirs).items():
            if name != "outputs" and getattr(alike, name) != value:
                raise ValueError(f"{name}={value} in pretraining, {getattr(ours, name)} here: make them equal")
        if theirs.vocab_size > ours.vocab_size:
            raise ValueError(
                f"the pretrained vocabulary has {theirs.vocab_size} tokens, this one only {ours.vocab_size}"
            )
        weights, here, heads = pretrained.state_dict(), self.backbone.state_dict(), getattr(pretrained, "HEADS", ())
        weights = {name: t for name, t in weights.items() if name in here or name.partition(".")[0] not in heads}
        if lacking := here.keys() - weights.keys():
            raise ValueError(
                f"the pretrained network lacks {', '.join(sorted(lacking))}: build the backbone without them"
            )
        for name, t in weights.items():
            if t.shape[1:] != here[name].shape[1:] or (name != "embedding.tokens.weight" and len(t) != len(here[name])):
                raise ValueError(f"{name} is {tuple(t.shape)} in pretraining, {tuple(here[name].shape)} here")
        known = weights["embedding.tokens.weight"]
        new = self.backbone.embedding.tokens.weight.detach()[theirs.vocab_size :]
        self.backbone.load_state_dict(weights | {"embedding.tokens.weight": torch.cat([known, new.to(known)])})


class Classifier(FineTuned):
    """P(class | x) = softmax(W Σ_n h_n): h_n is the hidden state that stands for sequence n of an example.

    A classification has one sequence. Similarity has two, one for each order of its texts, so the sum does not depend
    on the order.
    """

    def __init__(self, config: FineTunedConfig):
        super().__init__(config, config.n_classes)

    def forward(
        self,
        ids: Int[Tensor, "batch sequences time"],
        extract: Int[Tensor, "batch sequences"],
        segments: Int[Tensor, "batch sequences time"] | None = None,
    ) -> Outputs:
        """`extract`: the position in each sequence whose hidden state the head reads; segments: of each token, for a
        backbone that has them."""
        inputs = (ids,) if segments is None else (ids, segments)
        h = self.backbone.hidden(*(t.flatten(0, 1) for t in inputs)).unflatten(0, (-1, ids.shape[1]))  # (B, N, T, D)
        at = extract[:, :, None, None].expand(-1, -1, 1, h.shape[-1])
        read = h.gather(2, at).squeeze(2)  # (B, N, D)
        return Outputs(self.head(read.sum(1)), h, self.backbone.embedding.tokens.weight)


class AnswerScorer(FineTuned):
    """P(answer n | x) = softmax_n(w · h_n): h_n is the hidden state of the extract token after answer n.

    All answers follow the text that they share in one row, and no answer attends to another. So the shared text is read
    only once, and the scores are the same as if each answer had its own sequence. This is true only for a causal
    backbone, in which the shared text does not attend to the answers. Its `hidden` takes a mask and position ids.
    """

    def __init__(self, config: FineTunedConfig):
        super().__init__(config, 1)

    def forward(
        self,
        ids: Int[Tensor, "batch time"],
        extract: Int[Tensor, "batch answers"],
        branches: Int[Tensor, "batch time"],
        position_ids: Int[Tensor, "batch time"],
    ) -> Outputs:
        """`extract`: the positions whose hidden states the head reads; branches: as in `masks.branches`; position_ids:
        the position that each token would have if its answer had its own sequence."""
        h = self.backbone.hidden(ids, masks.branches(branches), position_ids)  # (B, T, D)
        read = h.gather(1, extract[:, :, None].expand(-1, -1, h.shape[-1]))  # (B, N, D)
        return Outputs(self.head(read).squeeze(-1), h, self.backbone.embedding.tokens.weight)


class Tagger(FineTuned):
    """P(tag of token i | x) = softmax(W h_i)."""

    def __init__(self, config: FineTunedConfig):
        super().__init__(config, config.n_classes)

    def forward(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time tags"]:
        return self.head(self.backbone.hidden(ids))


class SpanScores(NamedTuple):
    """The score of each position as the first and as the last token of the answer."""

    start: Float[Tensor, "batch time"]
    end: Float[Tensor, "batch time"]


class SpanFinder(FineTuned):
    """w_start · h_i and w_end · h_i for each position i. A softmax over the positions gives P(start = i), P(end = i)."""

    def __init__(self, config: FineTunedConfig):
        super().__init__(config, 2)

    def forward(self, ids: Int[Tensor, "batch time"], segments: Int[Tensor, "batch time"] | None = None) -> SpanScores:
        """`segments`: of each token, for a backbone that has them."""
        inputs = (ids,) if segments is None else (ids, segments)
        return SpanScores(*self.head(self.backbone.hidden(*inputs)).unbind(-1))


HEADS: dict[Head, type[FineTuned]] = {
    "classes": Classifier,
    "choices": AnswerScorer,
    "tags": Tagger,
    "spans": SpanFinder,
}
