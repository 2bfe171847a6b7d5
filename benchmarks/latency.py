"""Latency: what a keystroke costs through the service, and in the library alone.

One typist types texts; each key sends all that stands before the cursor, and
the next key waits for the answer. Every series types a text before any goes on
to the next one, so that what disturbs the machine disturbs them alike.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.client import Client, get_request, suggest_request
from benchmarks.console import print_table, say, steps
from benchmarks.noise import Noise
from benchmarks.record import write_record
from benchmarks.server import Server, read_config, running
from benchmarks.statistics import percentiles
from benchmarks.text import read_typing, typed
from nextword.errors import ConfigError
from nextword.suggester import Suggester

LONGEST = 160
"""Characters of a text at most: a short message's worth. Longer lines are cut there."""

WARM_UP = 300
"""Keystrokes of each series that aren't counted; of other texts, whose answers nobody remembers."""

ROUNDS = 4
"""Parts of the replay; noise is sampled before the first, between them, and after the last."""

BASELINE = "GET /health/live"

Series = dict[str, Callable[[str], float]]
"""By name, what answers one keystroke and says how many seconds that took."""


def measure(
    config: Path, texts: Path | None, keystrokes: int, pin: bool, label: str | None
) -> Path:
    """Replay ``keystrokes`` on every series, print the percentiles, write the record."""
    warm_up, counted = split_typing(read_typing(texts, WARM_UP + keystrokes, LONGEST), WARM_UP)
    if not counted:
        raise ConfigError(f"{texts}: is typed in less than the warm-up of {WARM_UP} keys; add text")
    service_core, client_core = _cores(pin)
    noise = Noise()
    with (
        running(config, service_core) as server,
        _pinned(client_core),
        Client(server.port) as client,
    ):
        series = _series(client, config)
        for text in warm_up:
            _type(series, text)
        samples = _take(series, counted, noise)
        resident = server.resident_bytes()
    figures = {name: _milliseconds(seconds) for name, seconds in samples.items()}
    _print(figures, noise)
    settings = {
        "service": read_config(config),
        "texts": describe_texts(texts, counted),
        "warm_up_keystrokes": sum(map(len, warm_up)),
        "service_core": service_core,
        "client_core": client_core,
    }
    report = {"milliseconds": figures, "resident_bytes": resident, "noise": noise.report()}
    microseconds = {
        name: [round(each * 1e6) for each in seconds] for name, seconds in samples.items()
    }
    return write_record("latency", label, settings, report, {"microseconds": microseconds})


def type_through(server: Server, texts: Sequence[str]) -> None:
    """Type texts once with every model of a service."""
    with Client(server.port) as client:
        series = _service_series(client)
        for text in steps(texts, "Typing"):
            _type(series, text)


def split_typing(texts: list[str], keystrokes: int) -> tuple[list[str], list[str]]:
    """Split off the first texts, as many as have at least so many characters altogether."""
    for place, _ in enumerate(texts, start=1):
        if sum(map(len, texts[:place])) >= keystrokes:
            return texts[:place], texts[place:]
    return texts, []


def describe_texts(path: Path | None, texts: list[str]) -> dict[str, Any]:
    """Return what a record says of texts, which are not ours to publish."""
    return {
        "file": str(path) if path else None,
        "texts": len(texts),
        "keystrokes": sum(map(len, texts)),
        "sha256": sha256("\n".join(texts).encode()).hexdigest(),
    }


def _series(client: Client, config: Path) -> Series:
    """Return the series: each model over HTTP and in the library, and HTTP with no model at all."""
    library = {
        f"library {name}": _in_process(suggester) for name, suggester in _suggesters(config).items()
    }
    live = get_request("/health/live")
    return {
        **_service_series(client),
        **library,
        BASELINE: lambda _: client.exchange(live)[0],
    }


def _service_series(client: Client) -> Series:
    return {
        f"service {model['name']}": _over_http(client, model["name"])
        for model in client.get("/v1/models")["models"]
    }


def _over_http(client: Client, model: str) -> Callable[[str], float]:
    return lambda text: client.exchange(suggest_request(text, model))[0]


def _in_process(suggester: Suggester) -> Callable[[str], float]:
    def suggest(text: str) -> float:
        begun = time.perf_counter()
        suggester.suggest(text, 3)
        return time.perf_counter() - begun

    return suggest


def _suggesters(config: Path) -> dict[str, Suggester]:
    """Open the service's bundles here, with the service's own settings."""
    settings = read_config(config)
    options = {key: settings[key] for key in ("threads", "cache_bytes") if key in settings}
    return {name: Suggester.open(path, **options) for name, path in settings["models"].items()}


def _type(series: Series, text: str) -> dict[str, list[float]]:
    """Type a text with each series in turn; return the seconds of its keystrokes."""
    return {name: [answer(before) for before in typed(text)] for name, answer in series.items()}


def _take(series: Series, texts: Sequence[str], noise: Noise) -> dict[str, list[float]]:
    """Type all texts, sampling noise in between; return the seconds of every keystroke."""
    samples: dict[str, list[float]] = {name: [] for name in series}
    part = -(-len(texts) // ROUNDS)
    for number, text in enumerate(steps(texts, "Typing")):
        if number % part == 0:
            noise.sample()
        for name, seconds in _type(series, text).items():
            samples[name] += seconds
    noise.sample()
    return samples


def _cores(pin: bool) -> tuple[int | None, int | None]:
    """Return a core for the service and one for the client, none where they aren't to be pinned."""
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if pin and len(cores) > 1 else (None, None)


@contextmanager
def _pinned(core: int | None) -> Iterator[None]:
    """Keep this process on a core while the block runs."""
    allowed = os.sched_getaffinity(0)
    try:
        if core is not None:
            os.sched_setaffinity(0, {core})
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    return {name: value * 1000 for name, value in percentiles(seconds).items()}


def _print(figures: dict[str, dict[str, float]], noise: Noise) -> None:
    names = list(figures[BASELINE])
    rows = [(name, *(f"{values[each]:.3f}" for each in names)) for name, values in figures.items()]
    print_table("Milliseconds per keystroke", ("", *names), rows)
    say(noise.verdict())
