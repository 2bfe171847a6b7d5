"""Statistics: percentiles of samples, and how far a share is to be trusted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = {"p50": 500, "p95": 950, "p99": 990, "p99.9": 999}
"""By name, in thousandths: whole numbers, so that no rank is missed by a rounding."""

RESAMPLES = 2000
CONFIDENCE = 0.95
SEED = 1


def percentiles(samples: Sequence[float]) -> dict[str, float]:
    """Return p50, p95, p99, p99.9 and max.

    By nearest rank: each is a sample that was seen, never a value between two.
    """
    ordered = sorted(samples)
    named = {
        name: ordered[-(-len(ordered) * thousandths // 1000) - 1]
        for name, thousandths in PERCENTILES.items()
    }
    return {**named, "max": ordered[-1]}


def resample_shares(
    hits: NDArray[np.int64], counts: NDArray[np.int64], seed: int = SEED
) -> NDArray[np.float64]:
    """Return what sum(hits) / sum(counts) might have been, had other lines been drawn.

    hits    int64 [lines]
    counts  int64 [lines], not all zero
    result  float64 [RESAMPLES]

    The bootstrap draws whole lines, not words: the words of a line hang together.
    """
    lines = len(counts)
    random = np.random.default_rng(seed)
    # How often each resample has drawn each line, [RESAMPLES, lines].
    draws = random.multinomial(lines, np.full(lines, 1 / lines), size=RESAMPLES)
    # A resample of lines without words has no share to speak of.
    shares: NDArray[np.float64] = (draws @ hits) / np.maximum(draws @ counts, 1)
    return shares


def estimate(hits: NDArray[np.int64], counts: NDArray[np.int64]) -> dict[str, float]:
    """Return the share over all lines, and the ``low`` and ``high`` bounds of its interval."""
    return _with_bounds(hits.sum() / counts.sum(), resample_shares(hits, counts))


def macro_estimate(
    genres: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> dict[str, float]:
    """Return the mean of the shares of genres (hits, counts), each counting alike, and its bounds.

    They are resampled apart, with seeds of their own: their lines have nothing
    to do with each other.
    """
    mean = np.mean([hits.sum() / counts.sum() for hits, counts in genres])
    resampled = [
        resample_shares(hits, counts, SEED + number) for number, (hits, counts) in enumerate(genres)
    ]
    return _with_bounds(mean, np.mean(resampled, axis=0))


def _with_bounds(share: np.floating[Any], resampled: NDArray[np.float64]) -> dict[str, float]:
    """Return a share with the bounds between which CONFIDENCE of its resamples lie."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return {"share": float(share), "low": float(low), "high": float(high)}
