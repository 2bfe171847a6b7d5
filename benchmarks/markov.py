"""Markov: from text to a bundle of the kind that counts, step by step as a user makes one."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.console import last_words, print_table, waiting
from benchmarks.record import write_record
from nextword.bundle import Bundle
from nextword.errors import NextwordError
from training.config import TrainingConfig, read_config
from training.corpus import find_files
from training.run import CONFIG

SAMPLING = 0.1
"""Seconds between two looks at how much memory is held."""

LMPLZ_SECONDS = 92.0
"""What KenLM's estimator was timed at for the whole corpus: quoted, not measured here."""


class CommandFailed(NextwordError):
    """A command under measurement did not do its work."""


@dataclass(frozen=True)
class Timing:
    """A command's seconds, and the most memory that it and its children held at once, in bytes."""

    seconds: float
    peak_bytes: int


def measure(config: Path, label: str | None) -> Path:
    """Train and export in a temporary folder, print what each stage took, write the record."""
    run = read_config(config)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.time()
        training = timed(["-m", "training", str(config), "--runs", str(folder / "runs")])
        made = folder / "runs" / run.name
        # The run's folder is made when the text is ready, and this file with it.
        text = (made / CONFIG).stat().st_mtime - begun
        export = timed(["-m", "export", str(made), str(folder / run.name)])
        manifest = Bundle.open(folder / run.name).manifest
    seconds = {
        "text": text,
        "counting": training.seconds - text,
        "export": export.seconds,
        "all": training.seconds + export.seconds,
    }
    peaks = {"training": training.peak_bytes, "export": export.peak_bytes}
    bundle_bytes = sum(record.bytes for record in manifest.files.values())
    _print(seconds, peaks, bundle_bytes)
    figures = {
        "seconds": seconds,
        "lmplz_quoted_seconds": LMPLZ_SECONDS,
        "peak_bytes": peaks,
        "bundle_bytes": bundle_bytes,
        "words": sum(source.words for source in manifest.sources),
        "manifest": manifest.figures,
    }
    return write_record("markov", label, _settings(config, run), figures, {})


def timed(arguments: Sequence[str]) -> Timing:
    """Run Python with ``arguments``, watching it and its children.

    Raises CommandFailed with what it said last where it fails. Memory that
    processes share counts once for each of them, so the peak is an upper bound.
    """
    begun, peak = time.perf_counter(), 0
    with (
        tempfile.TemporaryFile() as log,
        waiting(f"python {' '.join(arguments[:2])}") as note,
        subprocess.Popen([sys.executable, *arguments], stdout=log, stderr=log) as process,
    ):
        while not _ends(process):
            peak = max(peak, held_bytes(process.pid))
            note(f"{peak / 1e9:.2f} GB")
        seconds = time.perf_counter() - begun
        if process.returncode:
            raise CommandFailed(f"python {' '.join(arguments)}: {last_words(log)}")
    return Timing(seconds, peak)


def _ends(process: subprocess.Popen[bytes]) -> bool:
    """Wait a little; return whether the process has ended."""
    try:
        process.wait(SAMPLING)
    except subprocess.TimeoutExpired:
        return False
    return True


def held_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children; what has just ended holds none."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
    return total


def _settings(config: Path, run: TrainingConfig) -> dict[str, Any]:
    """Return what was trained on what, less whose text it is: the manifest's matter."""
    return {
        "config": str(config),
        "predictor": run.predictor,
        "tokenizer": run.text.tokenizer.model_dump(),
        "lexicon": run.text.lexicon.model_dump(),
        "sources": {source.name: len(find_files(source)) for source in run.text.sources},
    }


def _print(seconds: dict[str, float], peaks: dict[str, int], bundle_bytes: int) -> None:
    rows = [(f"{stage}, seconds", f"{each:.1f}") for stage, each in seconds.items()]
    rows.append(("lmplz on the whole corpus, seconds (quoted)", f"{LMPLZ_SECONDS:.1f}"))
    rows += [(f"peak memory of {stage}, MB", f"{peak / 1e6:.0f}") for stage, peak in peaks.items()]
    rows.append(("bundle, MB", f"{bundle_bytes / 1e6:.1f}"))
    print_table("From text to a bundle", ("", ""), rows)
