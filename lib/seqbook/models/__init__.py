"""One short file per model, composed from `nn`. Each has a configuration, whose `build()` makes the model.

Every model refuses ids outside its vocabulary and sequences over max_len, and generates through `prefill` and `decode`.
"""

from seqbook.models.gpt import GPT, GPTConfig
from seqbook.models.heads import FineTuned, FineTunedConfig
from seqbook.models.rnn import RNNConfig, RNNSeq2Seq
from seqbook.models.transformer import Transformer, TransformerConfig

CONFIGS = (RNNConfig, TransformerConfig, GPTConfig, FineTunedConfig)  # a new model adds its own

__all__ = ["CONFIGS", "GPT", "FineTuned", "FineTunedConfig", "GPTConfig", "RNNConfig", "RNNSeq2Seq", "Transformer",
           "TransformerConfig"]  # fmt: skip
