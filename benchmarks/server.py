"""Server: the real service in a process of its own, as ``nextword serve`` starts it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.client import Client, ServiceError
from benchmarks.console import last_words
from nextword.errors import ConfigError

COMMAND = (sys.executable, "-c", "from service.cli import main; main()", "serve")
"""What the script ``nextword`` runs, wherever that is installed."""

DEADLINE = 120.0
"""Seconds in which a service has to be ready; models load in far less."""

POLL = 0.005
"""Seconds between two questions whether it is ready, and so the error of ``startup``."""


@dataclass(frozen=True)
class Server:
    """A service that is ready, on ``port``, ``startup`` seconds after its process began."""

    port: int
    startup: float
    _process: subprocess.Popen[bytes]

    def resident_bytes(self) -> int:
        """Return how much memory the process holds."""
        return int(psutil.Process(self._process.pid).memory_info().rss)


def read_config(path: Path) -> dict[str, Any]:
    """Return the service's configuration, the paths of its models from where we stand.

    Raises ConfigError where it can't be read.
    """
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: is no configuration of the service: {error}") from error
    models = {name: str(path.parent / folder) for name, folder in config["models"].items()}
    return {**config, "models": models}


@contextmanager
def running(config: Path, core: int | None = None) -> Iterator[Server]:
    """Run the service while the block runs, on one core where ``core`` says which.

    Raises ServiceError where it isn't ready in time.
    """
    port = _free_port()
    with tempfile.TemporaryFile() as log:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [*COMMAND, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
            env=_plain_environment(),
        )
        try:
            if core is not None:
                # It has one thread still; those to come stay on the same core.
                os.sched_setaffinity(process.pid, {core})
            if not _becomes_ready(process, port, begun + DEADLINE):
                raise ServiceError(f"{config}: the service does not get ready: {last_words(log)}")
            yield Server(port, time.perf_counter() - begun, process)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _becomes_ready(process: subprocess.Popen[bytes], port: int, deadline: float) -> bool:
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            with Client(port) as client:
                client.get("/health/ready")
                return True
        except (OSError, ServiceError):
            time.sleep(POLL)
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _plain_environment() -> dict[str, str]:
    """Return the environment without Nextword's variables: the file alone says what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NEXTWORD_")}
