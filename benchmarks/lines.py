"""Lines: judge bundles line by line, so that a figure comes with its interval."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.console import print_table, steps
from benchmarks.record import write_record
from benchmarks.statistics import estimate, macro_estimate
from benchmarks.text import read_genres
from nextword.bundle import Bundle
from nextword.suggester import Suggester

MACRO = ("chat", "sms", "tweets", "email")
"""The genres whose mean is the figure to compare by: what people type on phones."""

Judge = Callable[[Suggester, str], tuple[int, ...]]
"""Counts of a line: first the units that all else is a share of, then how many each measure has."""

Tally = NDArray[np.int64]
"""The counts of each line of a genre, [lines, 1 + measures]."""


@dataclass(frozen=True)
class Measurement:
    """What is counted: a ``command``, its ``measures``, the ``unit`` they are shares of."""

    command: str
    title: str
    unit: str
    measures: tuple[str, ...]
    judge: Judge


def measure(
    what: Measurement, bundles: Sequence[Path], folder: Path, lines: int, label: str | None
) -> Path:
    """Judge every bundle by every genre of a folder, print the shares, write the record."""
    genres = read_genres(folder, lines)
    versions = {str(bundle): Bundle.open(bundle).manifest.version for bundle in bundles}
    tallies = {str(bundle): _tally(what.judge, bundle, genres) for bundle in bundles}
    figures = {bundle: summarize(tally, what) for bundle, tally in tallies.items()}
    for bundle, shares in figures.items():
        print_table(f"{what.title}: {bundle}", ("", what.unit, *what.measures), _rows(shares, what))
    settings = {
        "bundles": versions,
        "folder": str(folder),
        "lines": lines,
    }
    samples = {
        "columns": [what.unit, *what.measures],
        "lines": {
            bundle: {genre: counts.T.tolist() for genre, counts in tally.items()}
            for bundle, tally in tallies.items()
        },
    }
    return write_record(what.command, label, settings, figures, samples)


def summarize(tally: Mapping[str, Tally], what: Measurement) -> dict[str, dict[str, Any]]:
    """Return each genre's shares with their bounds, and the mean over MACRO where all are there."""
    figures = {}
    for genre, counts in tally.items():
        figures[genre] = {what.unit: int(counts[:, 0].sum())} | {
            measure: estimate(counts[:, column], counts[:, 0])
            for column, measure in enumerate(what.measures, start=1)
        }
    if set(MACRO) <= set(tally):
        chosen = [tally[genre] for genre in MACRO]
        figures["macro"] = {what.unit: sum(int(counts[:, 0].sum()) for counts in chosen)} | {
            measure: macro_estimate([(counts[:, column], counts[:, 0]) for counts in chosen])
            for column, measure in enumerate(what.measures, start=1)
        }
    return figures


def _tally(judge: Judge, bundle: Path, genres: Mapping[str, Sequence[str]]) -> dict[str, Tally]:
    suggester = Suggester.open(bundle)
    return {
        genre: np.array(
            [judge(suggester, line) for line in steps(lines, f"{bundle.name}: {genre}")],
            dtype=np.int64,
        )
        for genre, lines in genres.items()
    }


def _rows(figures: dict[str, dict[str, Any]], what: Measurement) -> Iterator[Sequence[str]]:
    for genre, values in figures.items():
        shares = [_percent(values[measure]) for measure in what.measures]
        yield (genre, str(values[what.unit]), *shares)


def _percent(value: dict[str, float]) -> str:
    share, low, high = (value[key] * 100 for key in ("share", "low", "high"))
    return f"{share:.1f} % ({low:.1f} to {high:.1f})"
