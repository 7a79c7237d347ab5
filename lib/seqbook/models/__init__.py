"""One short file a model, composed from `nn`; here, what each is called in a recipe and in a run's config.json."""

from seqbook.models.finetuned import FineTunedConfig, FineTunedGPT
from seqbook.models.gpt import GPT, GPTConfig
from seqbook.models.rnn import RNNConfig, RNNSeq2Seq
from seqbook.models.transformer import Transformer, TransformerConfig

ARCHITECTURES = {
    "RNNSeq2Seq": (RNNSeq2Seq, RNNConfig),
    "Transformer": (Transformer, TransformerConfig),
    "GPT": (GPT, GPTConfig),
    "FineTunedGPT": (FineTunedGPT, FineTunedConfig),
}
