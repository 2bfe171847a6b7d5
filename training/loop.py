"""The one training loop of all neural predictors.

Everything that a step depends on (weights, optimisers, place in the text,
random numbers) is in the checkpoint, so a run that was killed goes on as if
it had not been.
"""

import contextlib
import math
import pickle
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextword.errors import RunError
from training.muon import Muon
from training.run import Run
from training.softmax import cross_entropy, sampled_cross_entropy
from training.text import Pieces, PreparedText

if TYPE_CHECKING:
    from training.predictors.neural import NeuralConfig, NeuralModel

CHECKPOINT_FILE = "checkpoint.pt"


class Batches:
    """The training text as rows [batch, length + 1], epoch after epoch.

    ``epoch`` and ``row`` say where the next batch starts; the rest follows from them.
    """

    def __init__(
        self, pieces: Pieces, weights: NDArray[np.float64], config: "NeuralConfig", seed: int
    ) -> None:
        self._pieces, self._weights, self._seed = pieces, weights, seed
        self._rows, self._length = config.batch, config.context_length
        self.epoch = self.row = 0
        self._stream = pieces.epoch(seed, weights)

    def next(self) -> Tensor:
        """Return the next batch, int64 [batch, length + 1]; a row's last piece starts the next."""
        needed = self._rows * self._length + 1
        while self.row * self._length + needed > len(self._stream):
            self.go_to(self.epoch + 1, 0)
        start = self.row * self._length
        self.row += self._rows
        ids = self._stream[start : start + needed].astype(np.int64)
        rows = np.lib.stride_tricks.sliding_window_view(ids, self._length + 1)[:: self._length]
        return torch.from_numpy(rows.copy())

    def go_to(self, epoch: int, row: int) -> None:
        """Set the place that the next batch is taken from."""
        if epoch != self.epoch:
            self._stream = self._pieces.epoch(self._seed + epoch, self._weights)
        self.epoch, self.row = epoch, row


class Trainer:
    """A network with all that its next step depends on."""

    def __init__(
        self, model: "NeuralModel", config: "NeuralConfig", text: PreparedText, run: Run
    ) -> None:
        self.model, self.config, self.run = model, config, run
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model.to(self.device)
        self.forward = torch.compile(model) if _compiles(config, self.device) else model
        self.autocast = _autocast(config, self.device)
        self.batches = Batches(text.train, run.source_weights(), config, run.config.seed)
        self.random = torch.Generator().manual_seed(run.config.seed)
        self.optimizers = _optimizers(model, config)
        self.step = 0

    def take_step(self) -> Tensor:
        """Learn from the next batch; return its loss, a scalar that is not yet waited for."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * schedule(self.step, self.config)
        rows = self.batches.next().to(self.device)
        with self.autocast():
            hidden = self.forward(rows[:, :-1]).flatten(0, 1)
            loss = self._loss(hidden, rows[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        return loss.detach()

    def _loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        weight, bias = self.model.embedding.weight, self.model.bias
        common = self.config.common_pieces
        if common == 0:
            return cross_entropy(hidden, weight, bias, targets)
        sample = torch.randint(
            common, len(bias), (self.config.sampled_pieces,), generator=self.random
        )
        return sampled_cross_entropy(hidden, weight, bias, targets, common, sample.to(self.device))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return perplexity per piece, and top-3 over pieces, of held-out text."""
        self.model.eval()
        length = self.config.context_length
        ids = torch.from_numpy(self.run.sample().astype(np.int64))
        loss, hits, count = 0.0, 0, 0
        for start in range(0, len(ids) - 1, 8 * length):
            part = ids[start : start + 8 * length + 1].to(self.device)
            rows = max(1, (len(part) - 1) // length)
            width = min(length, len(part) - 1)
            inputs, targets = part[: rows * width].view(rows, width), part[1 : rows * width + 1]
            log_probs = self.model.log_probs(self.model(inputs).flatten(0, 1).float())
            loss -= log_probs.gather(1, targets[:, None]).sum().item()
            hits += int((log_probs.topk(3).indices == targets[:, None]).sum().item())
            count += len(targets)
        self.model.train()
        return {"perplexity": math.exp(loss / count), "top3": hits / count}

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "epoch": self.batches.epoch,
            "row": self.batches.row,
            "random": self.random.get_state(),
        }
        save_whole(state, self.run.file(CHECKPOINT_FILE))

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one. Raises RunError where it is damaged."""
        path = self.run.file(CHECKPOINT_FILE)
        if not path.exists():
            return
        state = load_whole(path, self.device, "delete it to train from the start")
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.batches.go_to(state["epoch"], state["row"])
        self.random.set_state(state["random"].cpu())


def fit(model: "NeuralModel", config: "NeuralConfig", text: PreparedText, run: Run) -> None:
    """Train ``model`` for ``config.steps`` steps, from the run's checkpoint where it has one."""
    _start_from_frequencies(model, text)
    trainer = Trainer(model, config, text, run)
    trainer.resume()
    tokens = config.batch * config.context_length
    first, begun = trainer.step, time.perf_counter()
    with run.progress("Training", config.steps) as bar:
        bar.advance(trainer.step)
        while trainer.step < config.steps:
            loss = trainer.take_step()
            if trainer.step % config.validate_every == 0 or trainer.step == config.steps:
                rate = tokens * (trainer.step - first) / (time.perf_counter() - begun)
                figures = trainer.validate()
                run.log(
                    "step", step=trainer.step, loss=loss.item(), pieces_per_second=rate, **figures
                )
                run.record(step=trainer.step, **figures)
            if trainer.step % config.checkpoint_every == 0:
                trainer.save()
            bar.advance(note=f"loss {loss.item():.3f}")
    trainer.save()
    model.to("cpu")


def schedule(step: int, config: "NeuralConfig") -> float:
    """Return the share of the peak rate at ``step``: up over the warm-up, flat, down to zero."""
    rise = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    falling = config.steps * config.decay
    return min(rise, (config.steps - step) / falling) if falling else rise


def save_whole(state: object, path: Path) -> None:
    """Write a torch file whole or not at all. Raises RunError where the disk does not take it."""
    beside = path.with_name(path.name + ".part")
    try:
        torch.save(state, beside)
        beside.replace(path)
    except (OSError, RuntimeError) as error:
        beside.unlink(missing_ok=True)
        raise RunError(
            f"{path}: can't be written ({error}); free some space and start again"
        ) from error


def load_whole(path: Path, device: torch.device, remedy: str) -> Any:
    """Read a torch file. Raises RunError, with the remedy, where it is missing or damaged."""
    try:
        return torch.load(path, weights_only=True, map_location=device)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise RunError(f"{path}: is missing or damaged; {remedy}") from error


def _start_from_frequencies(model: "NeuralModel", text: PreparedText) -> None:
    """Let the network start from how often each piece occurs, which it need not learn."""
    counts = np.bincount(text.train.ids, minlength=len(model.bias)) + 1.0
    counts[text.tokenizer.special_ids.begin] = 1.0
    with torch.no_grad():
        model.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))


def _optimizers(model: "NeuralModel", config: "NeuralConfig") -> list[Any]:
    """Return Muon for the matrices between embedding and output, AdamW for all else."""
    inside = {
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim == 2 and name != "embedding.weight"
    }
    matrices = [parameter for name, parameter in model.named_parameters() if name in inside]
    others = [parameter for name, parameter in model.named_parameters() if name not in inside]
    optimizers: list[Any] = [
        torch.optim.AdamW(
            others, config.vector_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )
    ]
    if matrices:
        optimizers.append(Muon(matrices, config.matrix_rate, weight_decay=config.weight_decay))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers


def _autocast(config: "NeuralConfig", device: torch.device) -> Any:
    """Return a context in which matrix products run in the precision asked for."""
    wanted = config.precision == "bfloat16" or (
        config.precision == "auto" and _has_bfloat16(device)
    )

    @contextlib.contextmanager
    def context() -> Iterator[None]:
        with torch.autocast(device.type, torch.bfloat16, enabled=wanted):
            yield

    return context


def _compiles(config: "NeuralConfig", device: torch.device) -> bool:
    """Whether to compile the network: on a processor that takes a C++ compiler."""
    if config.compile != "auto":
        return config.compile
    return device.type == "cuda" or any(map(shutil.which, ("c++", "g++", "clang++")))


def _has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself; emulating it is far slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())
