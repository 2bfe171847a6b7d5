"""Console: progress while a measurement runs, a table when it is done."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, track
from rich.table import Table

Step = TypeVar("Step")

# Progress is for who waits, tables are the result: they can be piped apart.
_progress_console = Console(stderr=True)
_console = Console()


def steps(sequence: Iterable[Step], description: str, total: int | None = None) -> Iterator[Step]:
    """Go through a sequence behind a progress bar, which is shown to people only.

    It is drawn between steps: a thread that draws would be measured with them.
    """
    yield from track(
        sequence,
        description,
        total,
        auto_refresh=False,
        console=_progress_console,
        disable=not _progress_console.is_terminal,
    )


@contextmanager
def waiting(description: str) -> Iterator[Callable[[str], None]]:
    """Show a bar without an end while the block runs; what it yields puts a note behind it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    hidden = not _progress_console.is_terminal
    with Progress(*columns, console=_progress_console, disable=hidden) as progress:
        task = progress.add_task(description, total=None, note="")
        yield lambda note: progress.update(task, note=note)


def last_words(log: IO[bytes]) -> str:
    """Return the end of what a process wrote, for the message that it failed."""
    log.seek(0)
    return log.read().decode(errors="replace").strip()[-2000:]


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, its first column to the left, figures to the right."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    _console.print(table)


def say(line: str) -> None:
    """Print a line under the table."""
    _console.print(line, highlight=False, soft_wrap=True)
