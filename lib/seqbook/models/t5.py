"""T5: an encoder-decoder with relative positions, for which every task is text {cite}`raffel2020exploring`. Chapter 5.1."""

from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqbook.models.encoder_decoder import EncoderDecoder
from seqbook.nn.attention import Attention
from seqbook.nn.block import Block
from seqbook.nn.checks import check_positive
from seqbook.nn.layers import Activation, Embedding, activation_function
from seqbook.nn.relative import RelativeBias
from seqbook.nn.stack import Stack


@dataclass(frozen=True, kw_only=True)
class T5Config:
    """Sizes and parts of a `T5`; its vocab_size is 0 in a recipe, which takes it and pad_id from the tokenizer.

    n_layers: the number of blocks in the encoder; n_decoder_layers: in the decoder (None: the same); d_head: width of a
    head (None: d_model / n_heads); eps: of the norms; n_buckets, max_distance: as in `nn.relative`; max_len: the largest
    number of positions (tokens), which needs no weights.

    activation, gated, tied: relu, False and True in the T5 of 2019. Version 1.1 has gelu_tanh, True and False: its output
    layer has a weight of its own. A tied one is the embedding weight divided by √d_model.
    """

    vocab_size: int = 0
    pad_id: int = 0
    d_model: int = 128
    n_layers: int = 2
    n_decoder_layers: int | None = None
    n_heads: int = 4
    d_head: int | None = None
    d_ff: int = 512
    activation: Activation = "relu"
    gated: bool = False
    tied: bool = True
    eps: float = 1e-6
    n_buckets: int = 32
    max_distance: int = 128
    dropout: float = 0.0
    max_len: int = 128

    def build(self) -> "T5":
        return T5(self)


class T5FeedForward(nn.Module):
    """f(x W) V or, gated, (f(x U) ⊙ x W) V {cite}`shazeer2020glu`: no biases, as everywhere in T5.

    Raises:
        ValueError: d_ff below one, or an activation that does not exist.
    """

    def __init__(self, d_model: int, d_ff: int, activation: Activation, gated: bool):
        super().__init__()
        check_positive(d_ff=d_ff)
        self.activation = activation_function(activation)
        self.inner = nn.Linear(d_model, d_ff, bias=False)
        self.gate = nn.Linear(d_model, d_ff, bias=False) if gated else None
        self.out = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        h = self.inner(x)
        return self.out(self.activation(h) if self.gate is None else self.activation(self.gate(x)) * h)


class T5(EncoderDecoder):
    """Pre-norm blocks with RMSNorm {cite}`zhang2019root`, whose scores q·k + b[key − query] are not divided by √d_head.

    No vector stands for a position. Each stack has one table of biases, which all its blocks share; cross-attention has
    none. The decoder begins with padding's id.

    Raises:
        ValueError: sizes that do not fit; in forward, ids outside the vocabulary, empty or too long sequences.
    """

    def __init__(self, config: T5Config):
        super().__init__()
        check_positive(vocab_size=config.vocab_size, d_model=config.d_model, n_heads=config.n_heads)
        check_positive(n_layers=config.n_layers, max_len=config.max_len)
        if config.n_decoder_layers is not None:
            check_positive(n_decoder_layers=config.n_decoder_layers)
        if config.d_head is not None:
            check_positive(d_head=config.d_head)
        if not 0 <= config.pad_id < config.vocab_size:
            raise ValueError(f"pad_id={config.pad_id} is outside the vocabulary of {config.vocab_size}")
        self.config = config
        d_model, n_layers = config.d_model, config.n_layers
        self.embedding = Embedding(config.vocab_size, d_model, dropout=config.dropout)
        self.encoder = self._stack(n_layers, cross=False)
        self.decoder = self._stack(n_layers if config.n_decoder_layers is None else config.n_decoder_layers, cross=True)
        if not config.tied:
            self.out = nn.Linear(d_model, config.vocab_size, bias=False)

        # As in T5: 1/√(number of inputs), and smaller queries, so that at first scores vary as if divided by √d_head.
        stds = {"tokens.weight": 1.0, "relative.table": d_model**-0.5}
        stds["query.weight"] = (d_model * self.encoder.blocks[0].attention.d_head) ** -0.5
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                ends = [std for end, std in stds.items() if name.endswith(end)]
                nn.init.normal_(parameter, std=ends[0] if ends else parameter.shape[-1] ** -0.5)

    def load_pretrained(self, pretrained: nn.Module) -> None:
        """Copy the weights of another T5. New tokens, which have the last ids, keep their initial vectors.

        Raises:
            ValueError: another kind of network, other sizes or parts, or a larger vocabulary.
        """
        if not isinstance(pretrained, T5):
            raise ValueError(f"the pretrained network is a {type(pretrained).__name__}, not a T5")
        theirs, known = pretrained.config, pretrained.config.vocab_size
        for name, value in vars(replace(self.config, vocab_size=known, max_len=theirs.max_len)).items():
            if name != "dropout" and getattr(theirs, name) != value:
                raise ValueError(f"{name}={getattr(theirs, name)} in pretraining, {value} here: make them equal")
        if known > self.config.vocab_size:
            raise ValueError(f"the pretrained vocabulary has {known} tokens, this one only {self.config.vocab_size}")
        here, weights = self.state_dict(), pretrained.state_dict()
        for name in {"embedding.tokens.weight", "out.weight"} & weights.keys():
            weights[name] = torch.cat([weights[name], here[name][known:].to(weights[name])])
        self.load_state_dict(weights)

    def _stack(self, n_layers: int, cross: bool) -> Stack:
        config, d_model = self.config, self.config.d_model
        norm = partial(nn.RMSNorm, d_model, eps=config.eps)
        attention = partial(Attention, d_model, config.n_heads, d_head=config.d_head, bias=False, scale=1.0)
        blocks = (
            Block(
                attention(),
                T5FeedForward(d_model, config.d_ff, config.activation, config.gated),
                norm,
                placement="pre",
                cross_attention=attention() if cross else None,
                dropout=config.dropout,
            )
            for _ in range(n_layers)
        )
        sizes = {"n_buckets": config.n_buckets, "max_distance": config.max_distance}
        relative = RelativeBias(config.n_heads, config.max_len, bidirectional=not cross, **sizes)
        return Stack(blocks, norm(), relative=relative)

    def embed_source(self, ids: Int[Tensor, "batch source"]) -> Float[Tensor, "batch source d_model"]:
        return self.embedding(ids)

    def embed_target(self, ids: Int[Tensor, "batch target"], offset: int = 0) -> Float[Tensor, "batch target d_model"]:
        return self.embedding(ids)

    def logits(self, hidden: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch vocab"]:
        if self.config.tied:
            return self.embedding.logits(hidden * self.config.d_model**-0.5)
        return self.out(hidden)
