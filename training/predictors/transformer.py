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

from nextword.bundle import StateTensor
from training.predictors.neural import NeuralConfig, NeuralModel, NeuralPredictor

Rotation = tuple[Tensor, Tensor]
"""Cosine and sine [T, D / 2] of the angles by which T positions turn a head's vectors."""

Memory = tuple[Tensor, Tensor]
"""A layer's keys and values, each [B, H, pieces, D]."""


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

    def forward(self, x: Tensor, turn: Rotation, past: Memory | None) -> tuple[Tensor, Memory]:
        """Map x [B, T, W] and P past keys and values to y [B, T, W] and all S of them."""
        batch, time, width = x.shape
        heads = self.project(x).view(batch, time, 3 * self.heads, self.size).transpose(1, 2)
        qk, v = heads.split([2 * self.heads, self.heads], dim=1)
        q, k = rotate(functional.rms_norm(qk, (self.size,)), turn).chunk(2, dim=1)
        if past is None:
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
            visible = causal_mask(time, k.shape[2], x.device)
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        return self.output(y.transpose(1, 2).reshape(batch, time, width)), (k, v)


def rotation(config: TransformerConfig, start: int, time: int, device: torch.device) -> Rotation:
    """Return the rotation of positions start .. start + T - 1."""
    size = config.width // config.heads
    frequencies = config.rotary_base ** (-torch.arange(0, size, 2, device=device) / size)
    positions = torch.arange(start, start + time, device=device)
    angles = positions[:, None] * frequencies[None, :]
    return angles.cos(), angles.sin()


def rotate(x: Tensor, turn: Rotation) -> Tensor:
    """Turn each pair (i, i + D/2) of x [B, heads, T, D] by its position's angle."""
    cos, sin = turn
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def causal_mask(time: int, seen: int, device: torch.device) -> Tensor:
    """Return which of S pieces each of the T newest may look at, itself included: [T, S]."""
    newest = torch.arange(seen - time, seen, device=device)
    return torch.arange(seen, device=device)[None, :] <= newest[:, None]


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

    def forward(self, x: Tensor, turn: Rotation, past: Memory | None) -> tuple[Tensor, Memory]:
        """Map x [B, T, W] to [B, T, W]; memories as in Attention."""
        gathered, memory = self.attention(self.attention_norm(x), turn, past)
        x = x + gathered
        return x + self.feedforward(self.feedforward_norm(x)), memory


class TransformerModel(NeuralModel):
    """Pieces in, hidden vectors out; the output layer is that of every NeuralModel."""

    def __init__(self, config: TransformerConfig, vocabulary_size: int) -> None:
        super().__init__(vocabulary_size, config.width)
        self.shape = config
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, T] to hidden vectors [B, T, W], ready for the output layer."""
        x = self._embed(tokens)
        turn = rotation(self.shape, 0, tokens.shape[1], tokens.device)
        for block in self.blocks:
            x, _ = block(x, turn, None)
        hidden: Tensor = self.norm(x)
        return hidden

    def step(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Map tokens [B, T] and each layer's memory at P to hidden [B, W] and memories at S."""
        x = self._embed(tokens)
        turn = rotation(self.shape, state[0].shape[2], tokens.shape[1], tokens.device)
        state_next: list[Tensor] = []
        for layer, block in enumerate(self.blocks):
            x, memory = block(x, turn, (state[2 * layer], state[2 * layer + 1]))
            state_next += memory
        return self.norm(x[:, -1]), *state_next

    def states(self) -> tuple[StateTensor, ...]:
        """Return what ``step`` remembers: keys and values of every layer."""
        heads, size = self.shape.heads, self.shape.width // self.shape.heads
        return tuple(
            StateTensor(
                name=f"{name}_{layer}", dtype="float32", shape=("batch", heads, "past", size)
            )
            for layer in range(self.shape.layers)
            for name in ("keys", "values")
        )

    def _embed(self, tokens: Tensor) -> Tensor:
        return functional.rms_norm(self.embedding(tokens), (self.shape.width,))


class Transformer(NeuralPredictor):
    """The kind ``transformer``."""

    Config = TransformerConfig
    Model = TransformerModel
