"""What every kind of predictor gives to training and export.

A kind is one module of this package and one line in its registry: a class
that trains itself into a run folder, loads itself back, says what it thinks
of a context, and draws itself as an ONNX graph with the one signature.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from nextword.bundle import StateTensor
from training.run import Run
from training.text import PreparedText


class PredictorConfig(BaseModel):
    """The ``[predictor]`` table of a training config, less its ``kind``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Graph:
    """An ONNX model with the one signature (docs/design.md), and what the manifest says of it."""

    model: onnx.ModelProto
    states: tuple[StateTensor, ...]
    context_length: int
    attention: bool = False
    dense: bool = False
    """Whether its weights are matrices, which int8 can make smaller and faster."""


class Predictor(ABC):
    """A trained predictor of the next piece."""

    Config: ClassVar[type[PredictorConfig]]

    @classmethod
    @abstractmethod
    def train(cls, config: PredictorConfig, text: PreparedText, run: Run) -> Self:
        """Train on ``text``; leave everything that ``load`` and ``export`` need in ``run``.

        Started again on the same run, it goes on where it was stopped.
        """

    @classmethod
    @abstractmethod
    def load(cls, run: Run) -> Self:
        """Read back what ``train`` left in ``run``. Raises RunError where it can't."""

    @abstractmethod
    def log_probs(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return natural log-probabilities of the next piece, [context, vocabulary].

        Each context is a whole one: it starts with ``<s>``. This is the
        reference that the exported graph must agree with.
        """

    @abstractmethod
    def graph(self) -> Graph:
        """Return this predictor as an ONNX model."""
