"""Attention with input feeding, for the comparison that chapter 1.2 quotes."""

import torch
from torch import Tensor, nn

from seqbook.models.rnn import RNNConfig, RNNSeq2Seq, RNNState


class InputFeeding(RNNSeq2Seq):
    """`RNNSeq2Seq` whose decoder also reads what it made of its last context {cite}`luong2015effective`:

        s_i = LSTM(s_{i−1}, [y_{i−1}; z_{i−1}]),   z_i = tanh(W_c [s_i; c_i]),   z_0 = 0

    The input of its recurrence is twice as wide, which adds 4·d_model² parameters. A step needs the context of the step
    before it, so training goes token by token, and takes longer. In the state, z is one more layer of `hidden`.
    """

    def __init__(self, config: RNNConfig):
        super().__init__(config)
        d_model, between_layers = config.d_model, config.dropout if config.n_layers > 1 else 0.0
        self.decoder = nn.LSTM(2 * d_model, d_model, config.n_layers, batch_first=True, dropout=between_layers)

    def encode(self, source_ids: Tensor) -> RNNState:
        state = super().encode(source_ids)
        return state._replace(hidden=torch.cat([state.hidden, torch.zeros_like(state.hidden[:, :1])], dim=1))

    def _decode(self, target_ids: Tensor, state: RNNState) -> tuple[Tensor, RNNState]:
        hidden, z = state.hidden[:, :-1], state.hidden[:, -1]  # (B, L, D), (B, D)
        layers_first = (hidden.transpose(0, 1).contiguous(), state.cell.transpose(0, 1).contiguous())
        made = []
        for y in self.dropout(self.embedding(target_ids)).unbind(1):
            s, layers_first = self.decoder(torch.cat([y, z], dim=-1)[:, None], layers_first)  # (B, 1, D)
            c = self._context(s, state, 1)
            z = self.dropout(torch.tanh(self.combine(torch.cat([s, c], dim=-1)))).squeeze(1)  # (B, D)
            made.append(z)
        hidden, cell = (t.transpose(0, 1) for t in layers_first)
        hidden = torch.cat([hidden, z[:, None]], dim=1)
        return self.out(torch.stack(made, dim=1)), state._replace(hidden=hidden, cell=cell)
