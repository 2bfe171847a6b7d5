"""Training: what the training loop costs beside a bare PyTorch loop of the same model.

Both learn from random pieces, with the same optimisers, precision and
compilation; the bare loop has its batches ready and nothing else to do. They
take turns in one process, and each round gives a ratio of its own.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.console import print_table, say, steps
from benchmarks.noise import Noise
from benchmarks.record import write_record
from nextword.errors import ConfigError
from training.config import TrainingConfig, check, read_config
from training.loop import Trainer
from training.muon import Muon
from training.predictors import KINDS
from training.predictors.neural import NeuralConfig, NeuralModel, NeuralPredictor
from training.run import Run
from training.text import Pieces, PreparedText

BARE = "bare loop"
TARGET = 1.3
WARM_UP = 3
"""Steps that aren't counted: the first one compiles."""

Steps = Callable[[], None]


def measure(config: Path, rounds: int, turn: int, label: str | None) -> Path:
    """Let the loops take turns of ``turn`` steps, ``rounds`` times; print and write the record."""
    run = read_config(config)
    loops = _loops(run, f"{config}: predictor")
    for step in steps(list(loops.values()) * WARM_UP, "Compiling"):
        step()
    noise = Noise()
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in steps(range(rounds), "Taking turns"):
        noise.sample()
        for name, step in loops.items():
            seconds[name].append(_time(step, turn))
    noise.sample()
    shape = _shape(run, str(config))
    tokens = turn * shape.batch * shape.context_length
    figures = {
        name: {
            "microseconds_per_token": median(each) / tokens * 1e6,
            "ratio": median(ratios(each, seconds[BARE])),
        }
        for name, each in seconds.items()
    }
    _print(figures, noise)
    settings = {
        "config": str(config),
        "predictor": shape.model_dump(),
        "vocabulary_size": run.text.tokenizer.vocabulary_size,
        "steps_per_turn": turn,
        "threads": torch.get_num_threads(),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }
    report = {"loops": figures, "target_ratio": TARGET, "noise": noise.report()}
    return write_record("training", label, settings, report, {"seconds_per_turn": seconds})


def ratios(seconds: list[float], bare: list[float]) -> list[float]:
    """Return each round's time as a multiple of the bare loop's in the same round."""
    return [ours / theirs for ours, theirs in zip(seconds, bare, strict=True)]


def _loops(run: TrainingConfig, where: str) -> dict[str, Steps]:
    """Return one step of each loop, by name: ours with and without sampling, and the bare one."""
    shape = _shape(run, where)
    whole = shape.model_copy(update={"common_pieces": 0})
    trainer = _trainer(run, whole)
    loops = {BARE: _bare_step(run, whole, trainer), "our loop": _step_of(trainer)}
    if shape.common_pieces:
        loops["our loop, sampled softmax"] = _step_of(_trainer(run, shape))
    return loops


def _shape(run: TrainingConfig, where: str) -> NeuralConfig:
    table = {key: value for key, value in run.predictor.items() if key != "kind"}
    return check(_kind(run).Config, table, where)


def _kind(run: TrainingConfig) -> type[NeuralPredictor]:
    kind = KINDS.get(run.predictor["kind"])
    if kind is None or not issubclass(kind, NeuralPredictor):
        raise ConfigError(
            f"{run.name}: the training loop trains neural kinds; give a config of one"
        )
    return kind


def _model(run: TrainingConfig, shape: NeuralConfig) -> NeuralModel:
    torch.manual_seed(run.seed)
    build: Any = _kind(run).Model
    model: NeuralModel = build(shape, run.text.tokenizer.vocabulary_size)
    return model


def _trainer(run: TrainingConfig, shape: NeuralConfig) -> Trainer:
    # Of a prepared text the trainer reads the pieces to learn from, and there is no other text.
    text = cast(PreparedText, SimpleNamespace(train=_random_pieces(run, shape)))
    unweighted = run.model_copy(update={"weights": {}})
    return Trainer(_model(run, shape), shape, text, Run(Path(), unweighted))


def _random_pieces(run: TrainingConfig, shape: NeuralConfig) -> Pieces:
    """Return a document of random pieces, enough for some batches; then an epoch starts anew."""
    size = 20 * shape.batch * shape.context_length + 1
    ids = np.random.default_rng(run.seed).integers(run.text.tokenizer.vocabulary_size, size=size)
    return Pieces(ids.astype(np.uint16), np.array([0, size]), np.zeros(1, dtype=np.uint8))


def _step_of(trainer: Trainer) -> Steps:
    """Return a step of our loop, as ``fit`` takes it: it waits for the loss to show it."""

    def step() -> None:
        trainer.take_step().item()

    return step


def _bare_step(run: TrainingConfig, shape: NeuralConfig, trainer: Trainer) -> Steps:
    """Return a step of the plainest loop there is, on the trainer's device, in its precision."""
    model = _model(run, shape).to(trainer.device)
    forward = torch.compile(model) if shape.compile else model
    embedding = model.embedding.weight
    inside = [each for each in model.parameters() if each.ndim == 2 and each is not embedding]
    others = [each for each in model.parameters() if each.ndim != 2 or each is embedding]
    adam = torch.optim.AdamW(
        others, shape.vector_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
    )
    muon = Muon(inside, shape.matrix_rate, weight_decay=shape.weight_decay)
    batch = torch.randint(len(model.bias), (shape.batch, shape.context_length + 1)).to(
        trainer.device
    )

    def loss_of(rows: Tensor) -> Tensor:
        with trainer.autocast():
            hidden = forward(rows[:, :-1]).flatten(0, 1)
            logits = functional.linear(hidden, embedding, model.bias)
        return functional.cross_entropy(logits.float(), rows[:, 1:].flatten())

    def step() -> None:
        loss = loss_of(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        muon.step()
        adam.zero_grad()
        muon.zero_grad()
        loss.item()

    return step


def _time(step: Steps, turn: int) -> float:
    begun = time.perf_counter()
    for _ in range(turn):
        step()
    return time.perf_counter() - begun


def _print(figures: dict[str, dict[str, float]], noise: Noise) -> None:
    rows = [
        (name, f"{each['microseconds_per_token']:.1f}", f"{each['ratio']:.3f}")
        for name, each in figures.items()
    ]
    print_table("Learning from a token", ("", "microseconds", "ratio"), rows)
    say(f"The target is a ratio of at most {TARGET}. {noise.verdict()}")
