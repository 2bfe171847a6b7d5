"""A run folder: what one training run was told, what it said, and what it made."""

import json
import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nextword.bundle import LEXICON, TOKENIZER
from nextword.errors import RunError
from training.config import TrainingConfig
from training.progress import Bar, progress, say
from training.text import WORDS, PreparedText

CONFIG = "config.json"
LOG = "log.jsonl"
METRICS = "metrics.json"
SAMPLE = "sample.npy"
SAMPLE_PIECES = 65_536


class Run:
    """A run's folder, ``path``, and its configuration, ``config``."""

    def __init__(self, path: Path, config: TrainingConfig) -> None:
        self.path = path
        self.config = config

    @classmethod
    def start(cls, path: Path, config: TrainingConfig) -> Self:
        """Make the folder, or go on in it where it holds the same configuration.

        Raises RunError where it holds another one, or can't be made.
        """
        if (path / CONFIG).exists():
            run = cls.open(path)
            if run.config != config:
                raise RunError(
                    f"{path}: holds a run with another configuration; "
                    "give this one another name, or delete that folder"
                )
            return run
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_whole(path / CONFIG, config.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise RunError(f"{path}: can't be written ({error.strerror})") from error
        return cls(path, config)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run that was started before. Raises RunError where there is none."""
        try:
            config = TrainingConfig.model_validate_json((path / CONFIG).read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(
                f"{path}: no run here ({CONFIG} is missing); "
                "give a folder made by `python -m training`"
            ) from error
        except ValidationError as error:
            raise RunError(
                f"{path / CONFIG}: is damaged; train again under another name"
            ) from error
        return cls(path, config)

    def adopt(self, text: PreparedText) -> None:
        """Keep what export needs of the text: tokenizer, lexicon, counts, held-out pieces."""
        for name in (TOKENIZER, LEXICON, WORDS):
            shutil.copyfile(text.folder / name, self.file(name))
        np.save(self.file(SAMPLE), text.validation.sample(SAMPLE_PIECES))

    def sample(self) -> NDArray[np.uint16]:
        """Return the held-out pieces that the run keeps. Raises RunError where it has none."""
        try:
            sample: NDArray[np.uint16] = np.load(self.file(SAMPLE))
        except OSError as error:
            raise RunError(f"{self.file(SAMPLE)}: can't be read; train the run first") from error
        return sample

    def words(self) -> list[int]:
        """Return how many words and marks each source has, in the config's order."""
        counts: list[int] = json.loads(self.file(WORDS).read_text(encoding="utf-8"))
        return counts

    def file(self, name: str) -> Path:
        """Return the path of one of the run's files."""
        return self.path / name

    def predictor_table(self) -> dict[str, Any]:
        """Return the config's ``[predictor]`` table less its kind."""
        return {key: value for key, value in self.config.predictor.items() if key != "kind"}

    def source_weights(self) -> NDArray[np.float64]:
        """Return how often each source is read in an epoch, in the config's order."""
        weights = self.config.weights
        return np.array([weights.get(source.name, 1.0) for source in self.config.text.sources])

    def log(self, event: str, **figures: Any) -> None:
        """Append a line to the log, and show it."""
        line = {"time": round(time.time(), 1), "event": event, **figures}
        with (self.path / LOG).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        shown = "  ".join(f"{name} {_short(value)}" for name, value in figures.items())
        say(f"{event}: {shown}")

    def record(self, **metrics: float) -> None:
        """Keep figures that export puts on the model card."""
        write_whole(self.path / METRICS, json.dumps({**self.metrics(), **metrics}, indent=2) + "\n")

    def metrics(self) -> dict[str, float]:
        """Return the figures kept so far."""
        path = self.path / METRICS
        if not path.exists():
            return {}
        figures: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
        return figures

    def progress(self, description: str, total: float | None) -> AbstractContextManager[Bar]:
        """Show a progress bar while the block runs."""
        return progress(description, total)


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all: beside, then renamed."""
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
