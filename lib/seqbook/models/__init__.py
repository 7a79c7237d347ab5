"""One short file per model, built from the layers in `nn`. Each has a configuration, whose `build()` makes the model.

Every model raises an error for ids outside its vocabulary and for sequences longer than max_len. Models that generate
do so with `prefill` and `decode`.
"""

from seqbook.models.bart import BART, BARTConfig
from seqbook.models.bert import BERT, BERTConfig
from seqbook.models.gpt import GPT, GPTConfig
from seqbook.models.heads import FineTuned, FineTunedConfig
from seqbook.models.prefix_lm import PrefixLM, PrefixLMConfig
from seqbook.models.rnn import RNNConfig, RNNSeq2Seq
from seqbook.models.t5 import T5, T5Config
from seqbook.models.transformer import Transformer, TransformerConfig

# a new model adds its own here
CONFIGS = (RNNConfig, TransformerConfig, GPTConfig, BERTConfig, FineTunedConfig, T5Config, BARTConfig, PrefixLMConfig)

__all__ = ["BART", "BERT", "CONFIGS", "GPT", "T5", "BARTConfig", "BERTConfig", "FineTuned", "FineTunedConfig", "GPTConfig", "PrefixLM",
           "PrefixLMConfig", "RNNConfig", "RNNSeq2Seq", "T5Config", "Transformer", "TransformerConfig"]  # fmt: skip
