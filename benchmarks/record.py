"""Record: a measurement as a JSON file, with the circumstances it was made under."""

import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"
VERSIONS = ("nextword", "onnxruntime", "numpy")
_REPOSITORY = Path(__file__).parents[1]


def write_record(
    command: str, label: str | None, settings: dict[str, Any], figures: Any, samples: Any
) -> Path:
    """Write ``<command>-<label>.json`` into RESULTS, whole or not at all, and return its path.

    Without a label, the time stands in its place. ``figures`` are what is read
    off; ``samples`` are the raw measurements, from which they can be read anew.
    """
    now = datetime.now(UTC)
    record = {
        "command": command,
        "command_line": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "date": now.isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": _machine(),
        "versions": _versions(),
        "settings": settings,
        "figures": figures,
        "samples": samples,
    }
    path = RESULTS / f"{command}-{label or now.strftime('%Y%m%d-%H%M%S')}.json"
    _write_whole(path, render(round_off(record)) + "\n")
    return path


def round_off(value: Any) -> Any:
    """Return a record with its floats at five significant digits: no measurement here has more."""
    if isinstance(value, dict):
        return {key: round_off(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [round_off(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def render(value: Any, indent: str = "") -> str:
    """Return JSON to be read and compared: a line per key, lists of plain values on one line."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        items = [f"{deeper}{json.dumps(key)}: {render(value[key], deeper)}" for key in value]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        items = [deeper + render(each, deeper) for each in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _commit() -> dict[str, Any]:
    """Return the commit of the code, and whether the code differs from it; None outside of git."""
    return {
        "hash": _git("rev-parse", "--verify", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--", ".", ":!benchmarks/results")),
    }


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=_REPOSITORY, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "os": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "load_average": os.getloadavg(),
    }


def _cpu_model() -> str:
    """Return the processor's name; the architecture where the system doesn't tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match.group(1) if match else platform.machine()


def _versions() -> dict[str, str]:
    """Return the versions of what took part; torch only where it did."""
    names = [*VERSIONS, *(["torch"] if "torch" in sys.modules else [])]
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _write_whole(path: Path, text: str) -> None:
    """Write a file beside its place, then put it there in one go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=".", delete=False
    ) as stream:
        beside = Path(stream.name)
        stream.write(text)
    beside.chmod(0o644)
    beside.replace(path)
