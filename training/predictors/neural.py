"""What all neural predictors share: their schedule, their output layer, loading and drawing.

A kind adds its network, a ``NeuralModel``, and the config of its shape.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from nextword.bundle import StateTensor
from training import loop
from training.predictors.base import Graph, Predictor, PredictorConfig
from training.predictors.neural_graph import draw
from training.run import Run
from training.text import PreparedText

MODEL_FILE = "model.pt"


class NeuralConfig(PredictorConfig):
    """What the ``[predictor]`` table of every neural kind holds."""

    context_length: int = Field(default=128, ge=8)
    """Pieces in a training sequence, and the most that are looked back on."""
    batch: int = Field(default=32, gt=0)
    """Sequences in a step."""
    steps: int = Field(gt=0)
    warmup: int = Field(default=100, ge=0)
    decay: float = Field(default=0.4, ge=0, le=1)
    """Share of the steps, the last ones, in which the rates fall to zero."""
    matrix_rate: float = Field(default=0.02, gt=0)
    """Learning rate of the matrices inside the network (Muon)."""
    vector_rate: float = Field(default=0.003, gt=0)
    """Learning rate of embeddings, biases and gains (AdamW)."""
    weight_decay: float = Field(default=0.01, ge=0)
    common_pieces: int = Field(default=0, ge=0)
    """Where above 0, the softmax takes so many pieces whole and samples the others."""
    sampled_pieces: int = Field(default=1024, gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """``auto`` takes bfloat16 where the processor has instructions for it."""
    compile: Literal["auto"] | bool = "auto"
    """``auto`` compiles the network where the machine has what torch.compile needs."""
    validate_every: int = Field(default=250, gt=0)
    checkpoint_every: int = Field(default=250, gt=0)


class NeuralModel(nn.Module):
    """A network from pieces to hidden vectors, and the output layer tied to its embedding.

    Shapes: B batch, T time, W width, V vocabulary.
    """

    def __init__(self, vocabulary_size: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    @abstractmethod
    def forward(self, tokens: Tensor) -> Tensor:
        """Map whole contexts [B, T] to the hidden vectors [B, T, W] of every position."""

    @abstractmethod
    def step(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Map new pieces [B, T] and the state to the last hidden vector [B, W] and new state."""

    @abstractmethod
    def states(self) -> tuple[StateTensor, ...]:
        """Describe the state that ``step`` takes and returns."""

    def log_probs(self, hidden: Tensor) -> Tensor:
        """Map hidden vectors [..., W] to natural log-probabilities [..., V]."""
        logits = functional.linear(hidden, self.embedding.weight, self.bias)
        return logits.log_softmax(dim=-1)


class NeuralPredictor(Predictor):
    """A predictor whose thinking is a ``NeuralModel``."""

    Config: ClassVar[type[NeuralConfig]]
    Model: ClassVar[type[NeuralModel]]

    def __init__(self, model: NeuralModel, config: NeuralConfig) -> None:
        self.model = model.eval()
        self.config = config

    @classmethod
    def train(cls, config: PredictorConfig, text: PreparedText, run: Run) -> Self:
        """Fit the network; every kind goes through the one loop."""
        assert isinstance(config, NeuralConfig)
        model = cls._build(config, text.tokenizer.vocabulary_size, run.config.seed)
        if not run.file(MODEL_FILE).exists():
            loop.fit(model, config, text, run)
            loop.save_whole(model.state_dict(), run.file(MODEL_FILE))
        return cls.load(run)

    @classmethod
    def load(cls, run: Run) -> Self:
        """Read the trained network back."""
        config = cls.Config.model_validate(run.predictor_table())
        weights = loop.load_whole(
            run.file(MODEL_FILE), torch.device("cpu"), "train the run to its end"
        )
        model = cls._build(config, len(weights["bias"]), run.config.seed)
        model.load_state_dict(weights)
        return cls(model, config)

    @classmethod
    def _build(cls, config: NeuralConfig, vocabulary_size: int, seed: int) -> NeuralModel:
        torch.manual_seed(seed)
        return cls.Model(config, vocabulary_size)  # type: ignore[arg-type]

    @torch.no_grad()
    def log_probs(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Run each context whole, without any state."""
        rows = []
        for context in contexts:
            hidden = self.model(torch.tensor([list(context)]))
            rows.append(self.model.log_probs(hidden[0, -1]).numpy())
        return np.stack(rows)

    def graph(self) -> Graph:
        """Draw the network with the one signature."""
        return Graph(draw(self.model), self.model.states(), self.config.context_length, dense=True)
