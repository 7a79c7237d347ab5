"""GPT with a task's head: the same network, read at the last token {cite}`radford2018improving`. Built in chapter 3.2."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.nn.checks import check_positive


class ClassificationHead(nn.Module):
    """h W: a score for each class, from the one sequence of an example."""

    def __init__(self, d_model: int, n_classes: int):
        super().__init__()
        self.out = nn.Linear(d_model, n_classes)

    def forward(self, h: Float[Tensor, "batch 1 d_model"]) -> Float[Tensor, "batch classes"]:
        return self.out(h[:, 0])


class SimilarityHead(nn.Module):
    """(h₁ + h₂) W: the sum over both orders of two texts is the same whichever is called the first."""

    def __init__(self, d_model: int, n_classes: int):
        super().__init__()
        self.out = nn.Linear(d_model, n_classes)

    def forward(self, h: Float[Tensor, "batch 2 d_model"]) -> Float[Tensor, "batch classes"]:
        return self.out(h.sum(dim=1))


class MultipleChoiceHead(nn.Module):
    """hᵢ w: a score for each sequence, so that the classes are the answers, however many there are."""

    def __init__(self, d_model: int, n_classes: int):
        super().__init__()
        self.out = nn.Linear(d_model, 1)

    def forward(self, h: Float[Tensor, "batch answers d_model"]) -> Float[Tensor, "batch answers"]:
        return self.out(h).squeeze(-1)


HEADS = {
    "classification": ClassificationHead,
    "similarity": SimilarityHead,
    "multiple_choice": MultipleChoiceHead,
}


@dataclass(frozen=True, kw_only=True)
class FineTunedConfig(GPTConfig):
    """Sizes of a `FineTunedGPT`: those of its GPT, the head's kind, and the number of classes."""

    head: Literal["classification", "similarity", "multiple_choice"] = "classification"
    n_classes: int = 2


class Outputs(NamedTuple):
    """What a `FineTunedGPT` says: the scores of the classes, and of each next token."""

    task: Float[Tensor, "batch classes"]
    lm: Float[Tensor, "batch sequences time vocab"]


class FineTunedGPT(nn.Module):
    """P(class | x) = softmax(head(h_extract)): all that is new is the head, and the vectors of the new special tokens.

    Raises:
        ValueError: a size or head that doesn't fit; in forward, as `GPT`.
    """

    def __init__(self, config: FineTunedConfig):
        super().__init__()
        check_positive(n_classes=config.n_classes)
        if config.head not in HEADS:
            raise ValueError(f"head={config.head!r}: choose one of {', '.join(HEADS)}")
        self.config = config
        self.gpt = GPT(config)
        self.head = HEADS[config.head](config.d_model, config.n_classes)
        nn.init.normal_(self.head.out.weight, std=0.02)  # as in the paper: at first every class is as likely as another
        nn.init.zeros_(self.head.out.bias)

    def forward(self, ids: Int[Tensor, "batch sequences time"], extract: Int[Tensor, "batch sequences"]) -> Outputs:
        """Scores of the classes and logits of the next tokens. `extract`: where in each sequence the head reads."""
        h = self.gpt.hidden(ids.flatten(0, 1)).unflatten(0, (-1, ids.shape[1]))  # (B, N, T, D)
        at = extract[:, :, None, None].expand(-1, -1, 1, h.shape[-1])
        read = h.gather(2, at).squeeze(2)  # (B, N, D)
        return Outputs(self.head(read), self.gpt.logits(h))

    def take_over(self, pretrained: GPT) -> None:
        """Begin with what `pretrained` learned; tokens that it doesn't know, those with the last ids, keep their vectors.

        Raises:
            ValueError: another width, depth or kind of network, or a larger vocabulary.
        """
        ours, theirs = self.gpt.config, pretrained.config
        for name in ("d_model", "n_layers", "n_heads", "d_ff", "activation", "norm", "positions"):
            if getattr(ours, name) != getattr(theirs, name):
                raise ValueError(
                    f"{name}={getattr(theirs, name)} in pretraining, {getattr(ours, name)} here: take the same"
                )
        if theirs.vocab_size > ours.vocab_size:
            raise ValueError(
                f"the pretrained vocabulary has {theirs.vocab_size} tokens, this one only {ours.vocab_size}"
            )
        state, vectors = pretrained.state_dict(), self.gpt.embedding.weight.detach().clone()
        vectors[: theirs.vocab_size] = state["embedding.weight"]
        self.gpt.load_state_dict(state | {"embedding.weight": vectors})
