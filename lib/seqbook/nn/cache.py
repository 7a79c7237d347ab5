"""The key-value cache, with which generation computes the keys and values of each position only once."""

from jaxtyping import Float, Int
from torch import Tensor

KeysValues = tuple[Float[Tensor, "batch kv_heads key d_head"], Float[Tensor, "batch kv_heads key d_head"]]


class Cache:
    """The keys and values of one attention layer, for the `length` positions read so far. Built in chapter 2.3.

        length = 3                    append 1                     append 1: full, so the buffer doubles
        │k1 k2 k3 ·  │                │k1 k2 k3 k4│                │k1 k2 k3 k4 k5 ·  ·  · │

    The buffer has room to spare, so that most steps write one position and copy nothing. A cache is changed in place;
    `select` makes a copy, from which generation can continue in a different way.
    """

    def __init__(self):
        self.length = 0
        self._buffers: tuple[Tensor, Tensor] | None = None

    def append(
        self, keys: Float[Tensor, "batch kv_heads new d_head"], values: Float[Tensor, "batch kv_heads new d_head"]
    ) -> KeysValues:
        """Add the new positions; returns all keys and values so far."""
        start, self.length = self.length, self.length + keys.shape[2]
        if self._buffers is None:  # no room to spare after the first call: the memory of cross-attention never grows
            self._buffers = keys.contiguous(), values.contiguous()
            return self._buffers
        if self.length > self._buffers[0].shape[2]:
            kept, (batch, heads, _, d_head) = self._buffers, keys.shape
            self._buffers = tuple(keys.new_empty(batch, heads, max(16, 2 * self.length), d_head) for _ in range(2))
            for buffer, old in zip(self._buffers, kept, strict=True):
                buffer.narrow(2, 0, start).copy_(old.narrow(2, 0, start))
        for buffer, new in zip(self._buffers, (keys, values), strict=True):
            buffer.narrow(2, start, new.shape[2]).copy_(new)
        return self.read()

    def read(self) -> KeysValues:
        """All keys and values so far."""
        keys, values = self._buffers
        return keys.narrow(2, 0, self.length), values.narrow(2, 0, self.length)

    def select(self, rows: Int[Tensor, " rows"]) -> "Cache":
        """A copy with these rows of the batch, in this order; a row may occur several times."""
        other = Cache()
        other.length = self.length
        if self._buffers is not None:
            other._buffers = tuple(buffer.index_select(0, rows) for buffer in self._buffers)
        return other
