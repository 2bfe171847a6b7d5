"""Progress bars for people who wait, nothing where nobody looks."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console(stderr=True)


def say(line: str) -> None:
    """Print a line as it is, above a running progress bar where there is one."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep tools from warning of their own insides, where what they make is checked afterwards."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


@dataclass
class Bar:
    """A running progress bar."""

    _progress: Progress
    _task: TaskID

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Move on by ``amount``; ``note`` stands behind the bar."""
        self._progress.update(self._task, advance=amount, note=note)


@contextmanager
def progress(description: str, total: float | None) -> Iterator[Bar]:
    """Show a bar while the block runs; ``total`` None where the end isn't known."""
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        yield Bar(shown, shown.add_task(description, total=total, note=""))
