"""A pretrained network with a head for one task {cite}`radford2018improving`. Built in chapter 3.2.

The head over classes stands over any model that has `hidden(ids)`: it fine-tunes GPT, BERT and a prefix decoder alike. The
head over answers reads what the answers share once, so it takes a causal model.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.nn import masks
from seqbook.nn.checks import check_positive

Head = Literal["classes", "choices"]


@dataclass(frozen=True, kw_only=True)
class FineTunedConfig:
    """A pretrained network, and the head over it.

    backbone: the network's configuration; head: "classes" for scores of the n_classes classes, "choices" for one score
    per answer; n_classes: 0 in a recipe, which takes it from the task.

    Raises:
        ValueError: in build, a head that does not exist.
    """

    backbone: Any
    head: Head = "classes"
    n_classes: int = 0

    @property
    def max_len(self) -> int:
        return self.backbone.max_len

    def build(self) -> "FineTuned":
        if self.head not in get_args(Head):
            raise ValueError(f"head={self.head!r}: choose one of {', '.join(get_args(Head))}")
        return Classifier(self) if self.head == "classes" else AnswerScorer(self)


class Outputs(NamedTuple):
    """Scores of the classes or of the answers, and what the next-token logits are computed from."""

    task: Float[Tensor, "batch classes"]
    hidden: Float[Tensor, "batch *positions d_model"]
    embedding_weight: Float[Tensor, "vocab d_model"]

    @property
    def lm(self) -> Float[Tensor, "batch *positions vocab"]:
        """The language model's logits. They are large, so they are computed only when the auxiliary loss asks for them."""
        return F.linear(self.hidden, self.embedding_weight)


class FineTuned(nn.Module):
    """A backbone, and a linear layer over hidden states of it. Subclasses say which hidden states.

    n_scores: the outputs of the linear layer.

    Raises:
        ValueError: a size that does not exist; in forward, as the backbone.
    """

    def __init__(self, config: FineTunedConfig, n_scores: int):
        super().__init__()
        check_positive(n_classes=config.n_classes)
        self.config = config
        self.backbone = config.backbone.build()
        self.head = nn.Linear(config.backbone.d_model, n_scores)
        nn.init.normal_(self.head.weight, std=0.02)  # small, so that at first all classes are about equally likely
        nn.init.zeros_(self.head.bias)

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


class Classifier(FineTuned):
    """P(class | x) = softmax(W Σ_n h_n): h_n is the hidden state of the extract token of sequence n of an example.

    A classification has one sequence. Similarity has two, one for each order of its texts, and their sum is the same for
    both orders.
    """

    def __init__(self, config: FineTunedConfig):
        super().__init__(config, config.n_classes)

    def forward(self, ids: Int[Tensor, "batch sequences time"], extract: Int[Tensor, "batch sequences"]) -> Outputs:
        """`extract`: the position in each sequence whose hidden state the head reads."""
        h = self.backbone.hidden(ids.flatten(0, 1)).unflatten(0, (-1, ids.shape[1]))  # (B, N, T, D)
        at = extract[:, :, None, None].expand(-1, -1, 1, h.shape[-1])
        read = h.gather(2, at).squeeze(2)  # (B, N, D)
        return Outputs(self.head(read.sum(1)), h, self.backbone.embedding.tokens.weight)


class AnswerScorer(FineTuned):
    """P(answer n | x) = softmax_n(w · h_n): h_n is the hidden state of the extract token after answer n.

    The answers stand in one row after the text that they share, and no answer attends to another. So the shared text is
    read once, and the scores are the same as if each answer stood in a sequence of its own. That holds in a causal backbone
    only, in which the shared text attends to no answer; its `hidden` takes a mask and position ids.
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
        """`extract`: the positions whose hidden states the head reads; branches: as in `masks.branches`; position_ids: where
        each token would stand if its answer had a sequence of its own."""
        h = self.backbone.hidden(ids, masks.branches(branches), position_ids)  # (B, T, D)
        read = h.gather(1, extract[:, :, None].expand(-1, -1, h.shape[-1]))  # (B, N, D)
        return Outputs(self.head(read).squeeze(-1), h, self.backbone.embedding.tokens.weight)
