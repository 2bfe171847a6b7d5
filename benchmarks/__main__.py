"""The command line: ``python -m benchmarks COMMAND``, one command for each measurement.

Each prints a table and leaves a record in ``benchmarks/results/``. Commands
import what they need when they run, so that measuring the service takes no torch.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.text import DEV
from nextword import command

app = typer.Typer(
    help="Measure Nextword, and keep what was measured.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Label = Annotated[
    str | None, typer.Option(help="The record's name behind the command's, else the time.")
]
Service = Annotated[Path, typer.Option("--config", help="The service's configuration.")]
Texts = Annotated[
    Path | None,
    typer.Option(help="A file with a text per line, else the corpus's dev set, else a sample."),
]
Bundles = Annotated[list[Path], typer.Argument(help="The bundles to judge.")]
Genres = Annotated[Path, typer.Option(help="A folder with a .txt file for each genre.")]
Lines = Annotated[int, typer.Option(min=1, help="So many lines of each genre, the first ones.")]
TrainingFile = Annotated[Path, typer.Option("--config", help="A training config.")]


def main() -> None:
    """Run a command."""
    command.run(app, "benchmarks")


@app.command()
def latency(
    config: Service = Path("nextword.toml"),
    texts: Texts = None,
    keystrokes: Annotated[int, typer.Option(min=1, help="Keystrokes for each model.")] = 5000,
    pin: Annotated[
        bool, typer.Option(help="Keep the service on one core and the client on another.")
    ] = True,
    label: Label = None,
) -> None:
    """Measure what a keystroke costs: over HTTP, in the library, and HTTP without a model."""
    from benchmarks.latency import measure

    _wrote(measure(config, texts, keystrokes, pin, label))


@app.command()
def startup(
    config: Service = Path("nextword.toml"),
    texts: Texts = None,
    starts: Annotated[int, typer.Option(min=1, help="How often to start the service.")] = 5,
    keystrokes: Annotated[
        int, typer.Option(min=1, help="Keystrokes for each model before memory is read again.")
    ] = 2000,
    label: Label = None,
) -> None:
    """Measure how long the service takes to get ready, and the memory it holds."""
    from benchmarks.startup import measure

    _wrote(measure(config, texts, starts, keystrokes, label))


@app.command()
def accuracy(
    bundles: Bundles, folder: Genres = DEV, lines: Lines = 300, label: Label = None
) -> None:
    """Measure how often the next word is among the first one and three suggestions."""
    from benchmarks.accuracy import MEASUREMENT
    from benchmarks.lines import measure

    _wrote(measure(MEASUREMENT, bundles, folder, lines, label))


@app.command()
def keystrokes(
    bundles: Bundles, folder: Genres = DEV, lines: Lines = 300, label: Label = None
) -> None:
    """Measure how many keystrokes a strip of three words saves."""
    from benchmarks.keystrokes import MEASUREMENT
    from benchmarks.lines import measure

    _wrote(measure(MEASUREMENT, bundles, folder, lines, label))


@app.command()
def training(
    config: TrainingFile = Path("training/configs/transformer.toml"),
    rounds: Annotated[int, typer.Option(min=1, help="How often each loop takes its turn.")] = 10,
    turn: Annotated[int, typer.Option(min=1, help="Steps in a turn.")] = 2,
    label: Label = None,
) -> None:
    """Measure what the training loop costs beside a bare PyTorch loop of the same model."""
    from benchmarks.training import measure

    _wrote(measure(config, rounds, turn, label))


@app.command()
def markov(
    config: TrainingFile = Path("benchmarks/configs/markov-whole.toml"), label: Label = None
) -> None:
    """Measure how long a Markov model of the whole corpus takes, from text to bundle."""
    from benchmarks.markov import measure

    _wrote(measure(config, label))


def _wrote(path: Path) -> None:
    print(f"{path} holds the record")


if __name__ == "__main__":
    main()
