"""Noise: a loop of fixed work, timed now and then, tells whether the machine was busy elsewhere."""

import os
import time
from dataclasses import dataclass, field
from typing import Any

LOOPS = 10
_WORK = 200_000
"""Additions in a loop: some milliseconds, long enough to be interrupted where others work."""


@dataclass
class Noise:
    """Timings of the loop in milliseconds, LOOPS for each time of sampling, by core."""

    samples: dict[int, list[float]] = field(
        default_factory=lambda: {core: [] for core in sorted(os.sched_getaffinity(0))}
    )

    def sample(self) -> None:
        """Time the loop on each core in turn."""
        allowed = os.sched_getaffinity(0)
        try:
            for core, samples in self.samples.items():
                os.sched_setaffinity(0, {core})
                samples.extend(_timed_loop() for _ in range(LOOPS))
        finally:
            os.sched_setaffinity(0, allowed)

    def slowdown(self) -> float:
        """Return the mean time of the loop as a multiple of its best, on the worst core."""
        return max(sum(each) / len(each) / min(each) for each in self.samples.values())

    def report(self) -> dict[str, Any]:
        """Return what a record keeps."""
        return {
            "slowdown": self.slowdown(),
            "loop_ms": {str(core): samples for core, samples in self.samples.items()},
        }

    def verdict(self) -> str:
        """Say in a line how far the figures can be trusted."""
        slowdown = self.slowdown()
        calm = "quiet" if slowdown < 1.1 else "busy elsewhere: measure again when it is quiet"
        return f"A loop of fixed work took {slowdown:.2f} times its best: the machine was {calm}."


def _timed_loop() -> float:
    begun = time.perf_counter()
    total = 0
    for number in range(_WORK):
        total += number
    return (time.perf_counter() - begun) * 1000
