"""``python -m training CONFIG.toml``: text in, a run folder out."""

from pathlib import Path
from typing import Annotated

import typer

from nextword import command
from nextword.errors import ConfigError
from training.config import check, read_config
from training.predictors import KINDS
from training.progress import say
from training.run import Run
from training.text import prepare


def train(
    config: Annotated[Path, typer.Argument(help="The training config, a TOML file.")],
    runs: Annotated[Path, typer.Option(help="Where run folders are made.")] = Path("runs"),
) -> None:
    """Train a predictor on text. Stopped and started again, it goes on where it was."""
    settings = read_config(config)
    kind = KINDS.get(settings.predictor["kind"])
    if kind is None:
        wrong, known = settings.predictor["kind"], ", ".join(KINDS)
        raise ConfigError(f"{config}: predictor.kind: {wrong!r} is none of {known}")
    table = {key: value for key, value in settings.predictor.items() if key != "kind"}
    predictor_config = check(kind.Config, table, f"{config}: predictor")
    text = prepare(settings.text, runs / ".text")
    run = Run.start(runs / settings.name, settings)
    run.adopt(text)
    kind.train(predictor_config, text, run)
    say(f"{run.path} is ready; make a bundle of it with: python -m export {run.path} models/NAME")


def main() -> None:
    """Run the command."""
    command.run(lambda: typer.run(train), "training")


if __name__ == "__main__":
    main()
