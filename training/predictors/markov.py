"""The Markov predictor: what followed the last few pieces in the text, counted and smoothed."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from training.kneser_ney import OrderReport, estimate
from training.ngram_counts import split_sentences
from training.ngrams import BEGIN, END, NgramModel
from training.predictors import markov_graph
from training.predictors.base import Graph, Predictor, PredictorConfig
from training.run import Run
from training.text import Pieces, PreparedText

NGRAMS = "ngrams.npz"

CONTEXT_LENGTH = 64
"""Pieces that a caller may send; the model itself looks at ``order - 1``."""

_VALIDATION_PIECES = 20_000
_VALIDATION_BATCH = 500


class MarkovConfig(PredictorConfig):
    """The ``[predictor]`` table of a Markov predictor."""

    order: int = Field(default=5, ge=1, le=CONTEXT_LENGTH)
    """The longest n-grams: an order of 5 predicts from four pieces."""
    prune: tuple[int, ...] = (0, 0, 1, 1, 2)
    """N-grams of order 1, 2, ... go where they occur at most so often; the last number
    holds for all higher orders."""

    @field_validator("prune")
    @classmethod
    def _prune_grows(cls, prune: tuple[int, ...]) -> tuple[int, ...]:
        if not prune or prune[0] != 0:
            raise ValueError("the first threshold is for single pieces, which all stay: give 0")
        if any(number > following for number, following in pairwise(prune)):
            raise ValueError(
                "thresholds can't decrease: an n-gram can't stay where its context goes"
            )
        return prune

    @model_validator(mode="after")
    def _prune_fits(self) -> Self:
        if "prune" in self.model_fields_set and len(self.prune) > self.order:
            raise ValueError(f"prune has {len(self.prune)} thresholds for {self.order} orders")
        return self

    @property
    def thresholds(self) -> tuple[int, ...]:
        """One threshold for each order."""
        missing = self.order - len(self.prune)
        return self.prune[: self.order] + self.prune[-1:] * missing


class Markov(Predictor):
    """An n-gram model with interpolated modified Kneser-Ney smoothing."""

    Config: ClassVar[type[MarkovConfig]] = MarkovConfig

    def __init__(self, model: NgramModel) -> None:
        self.model = model

    @classmethod
    def train(cls, config: PredictorConfig, text: PreparedText, run: Run) -> Self:
        """Count the n-grams of the text and smooth them; takes a model that is there already."""
        assert isinstance(config, MarkovConfig)
        if run.file(NGRAMS).exists():
            return cls.load(run)
        with run.progress("Counting n-grams", config.order) as bar:

            def report(order: OrderReport) -> None:
                run.log(
                    f"order {order.order}",
                    distinct=order.distinct,
                    kept=order.kept,
                    discounts=list(order.discounts),
                    estimated=order.estimated,
                )
                bar.advance()

            model = estimate(
                split_sentences(_epoch(text.train, run)),
                text.tokenizer.vocabulary_size,
                config.thresholds,
                report,
            )
        predictor = cls(model)
        figures = predictor.validate(text.validation.sample(_VALIDATION_PIECES))
        run.log("validation", **figures)
        run.record(**figures)
        model.save(run.file(NGRAMS))
        return predictor

    @classmethod
    def load(cls, run: Run) -> Self:
        """Read the n-grams back."""
        return cls(NgramModel.load(run.file(NGRAMS)))

    def log_probs(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Look the contexts up in the tables of n-grams; after ``</s>`` a sentence begins."""
        return self.model.log_probs(
            [[BEGIN if piece == END else piece for piece in context] for context in contexts]
        )

    def validate(self, ids: NDArray[np.uint16]) -> dict[str, float]:
        """Return perplexity per piece and the share among the first three, over documents' ids."""
        sentences = split_sentences(ids)
        events = np.flatnonzero(sentences != BEGIN)
        memory = len(self.model.orders) - 1
        loss, hits = 0.0, 0
        for start in range(0, len(events), _VALIDATION_BATCH):
            places = events[start : start + _VALIDATION_BATCH]
            contexts = [sentences[max(0, place - memory) : place].tolist() for place in places]
            log_probs = self.log_probs(contexts)
            right = log_probs[np.arange(len(places)), sentences[places]]
            loss -= float(right.sum())
            hits += int(((log_probs > right[:, None]).sum(axis=1) < 3).sum())
        return {"perplexity": float(np.exp(loss / len(events))), "top3": hits / len(events)}

    def graph(self) -> Graph:
        """Draw the lookups with the one signature."""
        states = (markov_graph.state_tensor(self.model),)
        return Graph(markov_graph.draw(self.model), states, CONTEXT_LENGTH)


def _epoch(pieces: Pieces, run: Run) -> NDArray[np.uint16]:
    """Return the text, each source as often as the config says."""
    weights = run.source_weights()
    if (weights == 1).all():
        return pieces.ids
    return pieces.epoch(run.config.seed, weights)
