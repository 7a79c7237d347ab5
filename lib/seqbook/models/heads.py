"""A pretrained network with a head for one task {cite}`radford2018improving`. Built in chapter 3.2.

A head stands over any model that has `hidden(ids)`: the same heads fine-tune GPT, BERT and a prefix decoder.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.nn.checks import check_positive

Head = Literal["classes", "choices"]


@dataclass(frozen=True, kw_only=True)
class FineTunedConfig:
    """A pretrained network, and the head over it.

    backbone: the network's configuration; head: "classes" for scores of the n_classes classes, "choices" for one score
    per sequence, of which each stands for an answer; n_classes: 0 in a recipe, which takes it from the task.
    """

    backbone: Any
    head: Head = "classes"
    n_classes: int = 0

    @property
    def max_len(self) -> int:
        return self.backbone.max_len

    def build(self) -> "FineTuned":
        return FineTuned(self)


class Outputs(NamedTuple):
    """Scores of the classes, and what the next-token logits are computed from."""

    task: Float[Tensor, "batch classes"]
    hidden: Float[Tensor, "batch sequences time d_model"]
    embedding_weight: Float[Tensor, "vocab d_model"]

    @property
    def lm(self) -> Float[Tensor, "batch sequences time vocab"]:
        """The language model's logits. They are large, so they are computed only when the auxiliary loss asks for them."""
        return F.linear(self.hidden, self.embedding_weight)


class FineTuned(nn.Module):
    """P(class | x) = softmax(W Σ_n h_n): h_n is the hidden state of the extract token of sequence n of an example.

    A classification has one sequence. Similarity has two, one for each order of its texts, and their sum is the same for
    both orders. Multiple choice has one per answer: there the scores are w·h_n, one per sequence.

    Raises:
        ValueError: a size or a head that does not exist; in forward, as the backbone.
    """

    def __init__(self, config: FineTunedConfig):
        super().__init__()
        check_positive(n_classes=config.n_classes)
        if config.head not in get_args(Head):
            raise ValueError(f"head={config.head!r}: choose one of {', '.join(get_args(Head))}")
        self.config = config
        self.backbone = config.backbone.build()
        self.head = nn.Linear(config.backbone.d_model, config.n_classes if config.head == "classes" else 1)
        nn.init.normal_(self.head.weight, std=0.02)  # small, so that at first all classes are about equally likely
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Int[Tensor, "batch sequences time"], extract: Int[Tensor, "batch sequences"]) -> Outputs:
        """`extract`: the position in each sequence whose hidden state the head reads."""
        h = self.backbone.hidden(ids.flatten(0, 1)).unflatten(0, (-1, ids.shape[1]))  # (B, N, T, D)
        at = extract[:, :, None, None].expand(-1, -1, 1, h.shape[-1])
        read = h.gather(2, at).squeeze(2)  # (B, N, D)
        scores = self.head(read.sum(1)) if self.config.head == "classes" else self.head(read).squeeze(-1)
        return Outputs(scores, h, self.backbone.embedding.tokens.weight)

    def load_pretrained(self, pretrained: nn.Module) -> None:
        """Copy the weights of `pretrained` into the backbone. Tokens that it does not know, those with the last ids, keep
        their own embeddings.

        Raises:
            ValueError: another kind of network or another size, or a larger vocabulary.
        """
        ours, theirs = self.backbone.config, pretrained.config
        if type(ours) is not type(theirs):
            raise ValueError(
                f"the pretrained network is a {type(pretrained).__name__}, not {type(self.backbone).__name__}"
            )
        alike = replace(ours, vocab_size=theirs.vocab_size, dropout=theirs.dropout, max_len=theirs.max_len)
        for name, value in vars(theirs).items():
            if getattr(alike, name) != value:
                raise ValueError(f"{name}={value} in pretraining, {getattr(ours, name)} here: make them equal")
        if theirs.vocab_size > ours.vocab_size:
            raise ValueError(
                f"the pretrained vocabulary has {theirs.vocab_size} tokens, this one only {ours.vocab_size}"
            )
        weights, here = pretrained.state_dict(), self.backbone.state_dict()
        for name, t in weights.items():
            if t.shape[1:] != here[name].shape[1:] or (name != "embedding.tokens.weight" and len(t) != len(here[name])):
                raise ValueError(f"{name} is {tuple(t.shape)} in pretraining, {tuple(here[name].shape)} here")
        known = weights["embedding.tokens.weight"]
        new = self.backbone.embedding.tokens.weight.detach()[theirs.vocab_size :]
        self.backbone.load_state_dict(weights | {"embedding.tokens.weight": torch.cat([known, new.to(known)])})
