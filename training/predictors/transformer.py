"""A small decoder-only transformer, to be read from top to bottom.

The usual parts of Vaswani et al. 2017, with the habits that small models of
today share: RMSNorm before each part (Zhang & Sennrich 2019), rotary positions
(Su et al. 2021), normalised queries and keys (Henry et al. 2020), a squared-ReLU
feed-forward (So et al. 2021), input and output embeddings tied (Press & Wolf
2017), output projections that start at zero.

Shapes: B batch, T new pieces, P past pieces, S = P + T, L layers, H heads,
D width of a head, W = H * D width of the model, V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from nextword.bundle import Dimension, StateTensor
from training.predictors.neural import NeuralConfig, NeuralModel, NeuralPredictor


class TransformerConfig(NeuralConfig):
    """The ``[predictor]`` table of ``kind = "transformer"``."""

    layers: int = 4
    heads: int = 4
    width: int = 192
    feedforward: int = 768
    rotary_base: float = 10_000.0


class Attention(nn.Module):
    """Causal self-attention: each piece gathers from those before it what its query asks for."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.size = config.width // config.heads
        self.project = nn.Linear(config.width, 3 * config.width, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)
        nn.init.zeros_(self.output.weight)
        self.rotary_base = config.rotary_base

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Map x [B, T, W] and past keys and values [B, H, P, D] to y [B, T, W] and both at S."""
        batch, time, width = x.shape
        q, k, v = self.project(x).view(batch, time, 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        start = 0 if past is None else past[0].shape[2]
        cos, sin = self._rotation(start, time)
        q = rotate(functional.rms_norm(q, (self.size,)), cos, sin)
        k = rotate(functional.rms_norm(k, (self.size,)), cos, sin)
        if past is None:
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
            y = attend(q, k, v, start)
        return self.output(y.transpose(1, 2).reshape(batch, time, width)), k, v

    def _rotation(self, start: int, time: int) -> tuple[Tensor, Tensor]:
        """Return cos and sin [T, D / 2] of the angles at positions start .. start + T - 1."""
        device = self.project.weight.device
        frequencies = self.rotary_base ** (
            -torch.arange(0, self.size, 2, device=device) / self.size
        )
        positions = torch.arange(start, start + time, device=device)
        angles = positions[:, None] * frequencies[None, :]
        return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + D/2) of x [B, H, T, D] by its position's angle."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def attend(q: Tensor, k: Tensor, v: Tensor, start: int) -> Tensor:
    """Attend from T new pieces to S = start + T, each to those up to itself: [B, H, T, D]."""
    scores: Tensor = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    new = torch.arange(q.shape[2], device=q.device)[:, None] + start
    hidden = torch.arange(k.shape[2], device=q.device)[None, :] > new
    return scores.masked_fill(hidden, -1e9).softmax(dim=-1) @ v


class FeedForward(nn.Module):
    """What each piece makes of what it gathered."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.widen = nn.Linear(config.width, config.feedforward, bias=False)
        self.narrow = nn.Linear(config.feedforward, config.width, bias=False)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, T, W] to [B, T, W]."""
        y: Tensor = self.narrow(functional.relu(self.widen(x)).square())
        return y


class Block(nn.Module):
    """One layer: attention, then feed-forward, each added to what it read."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width)
        self.attention = Attention(config)
        self.feedforward_norm = nn.RMSNorm(config.width)
        self.feedforward = FeedForward(config)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Map x [B, T, W] to [B, T, W]; past and returned keys and values as in Attention."""
        gathered, k, v = self.attention(self.attention_norm(x), past)
        x = x + gathered
        return x + self.feedforward(self.feedforward_norm(x)), k, v


class TransformerModel(NeuralModel):
    """Pieces in, log-probabilities of the next piece out."""

    def __init__(self, config: TransformerConfig, vocabulary_size: int) -> None:
        super().__init__(vocabulary_size, config.width)
        self.shape = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, T] to hidden vectors [B, T, W], ready for the output layer."""
        x = functional.rms_norm(self.embedding(tokens), (self.embedding.embedding_dim,))
        for block in self.blocks:
            x, _, _ = block(x, None)
        hidden: Tensor = self.norm(x)
        return hidden

    def step(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Map tokens [B, T], past keys and values [B, L, H, P, D] to hidden [B, W], both at S."""
        keys, values = state
        x = functional.rms_norm(self.embedding(tokens), (self.embedding.embedding_dim,))
        new_keys, new_values = [], []
        for layer, block in enumerate(self.blocks):
            x, k, v = block(x, (keys[:, layer], values[:, layer]))
            new_keys.append(k)
            new_values.append(v)
        return self.norm(x[:, -1]), torch.stack(new_keys, dim=1), torch.stack(new_values, dim=1)

    def states(self) -> tuple[StateTensor, ...]:
        """Return what ``step`` remembers: every layer's keys and values."""
        config = self.shape
        shape: tuple[Dimension, ...] = (
            "batch",
            config.layers,
            config.heads,
            "past",
            config.width // config.heads,
        )
        return (
            StateTensor(name="keys", dtype="float32", shape=shape),
            StateTensor(name="values", dtype="float32", shape=shape),
        )


class Transformer(NeuralPredictor):
    """The kind ``transformer``."""

    Config = TransformerConfig
    Model = TransformerModel
