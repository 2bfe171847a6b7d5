"""Startup: how long the service takes to get ready, and how much memory it holds."""

from pathlib import Path
from statistics import median

from benchmarks.console import print_table, say, steps
from benchmarks.latency import LONGEST, describe_texts, type_through
from benchmarks.noise import Noise
from benchmarks.record import write_record
from benchmarks.server import read_config, running
from benchmarks.text import read_typing


def measure(
    config: Path, texts: Path | None, starts: int, keystrokes: int, label: str | None
) -> Path:
    """Start the service ``starts`` times, type in the last one, print and write the record.

    One start more comes first and isn't counted: it warms the disk's cache.
    """
    replay = read_typing(texts, keystrokes, LONGEST)
    noise = Noise()
    seconds, resident = [], []
    with running(config):
        pass
    for number in steps(range(1, starts + 1), "Starting"):
        noise.sample()
        with running(config) as server:
            seconds.append(server.startup)
            resident.append(server.resident_bytes())
            if number == starts:
                type_through(server, replay)
                after_typing = server.resident_bytes()
    noise.sample()
    figures = {
        "seconds_to_ready": median(seconds),
        "resident_bytes_ready": median(resident),
        "resident_bytes_after_typing": after_typing,
    }
    rows = [
        ("seconds to ready", f"{median(seconds):.2f}"),
        ("memory when ready, MB", f"{median(resident) / 1e6:.0f}"),
        (f"memory after {keystrokes} keystrokes per model, MB", f"{after_typing / 1e6:.0f}"),
    ]
    print_table(f"Starting the service, median of {starts}", ("", ""), rows)
    say(noise.verdict())
    settings = {
        "service": read_config(config),
        "starts": starts,
        "texts": describe_texts(texts, replay),
    }
    samples = {"seconds_to_ready": seconds, "resident_bytes_ready": resident}
    report = {**figures, "noise": noise.report()}
    return write_record("startup", label, settings, report, samples)
