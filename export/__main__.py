"""``python -m export RUN models/NAME``: a run folder in, a bundle out."""

from pathlib import Path
from typing import Annotated

import typer

from export.bundle import make_bundle
from nextword import command
from training.progress import say
from training.run import Run


def export(
    run: Annotated[Path, typer.Argument(help="A run folder, made by python -m training.")],
    bundle: Annotated[
        Path, typer.Argument(help="Where the bundle goes; its last part is its name.")
    ],
    max_int8_loss: Annotated[
        float,
        typer.Option(help="Take int8 weights where they raise perplexity by at most this share."),
    ] = 0.01,
) -> None:
    """Make a bundle of a trained predictor, whole or not at all."""
    made = make_bundle(Run.open(run), bundle, bundle.name, max_int8_loss)
    for name, figure in made.manifest.figures.items():
        say(f"{name}: {figure:.6g}")
    say(f"{bundle} is ready; serve it by naming it in nextword.toml")


def main() -> None:
    """Run the command."""
    command.run(lambda: typer.run(export), "export")


if __name__ == "__main__":
    main()
