"""The command line: ``nextword suggest``, ``nextword models``, ``nextword serve``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from nextword import command
from nextword.bundle import MANIFEST, Bundle
from nextword.errors import ConfigError
from nextword.suggester import Suggester
from service.settings import load_settings

# Typer's own tracebacks can show local variables, and so what was typed.
app = typer.Typer(
    help="The brain behind a phone keyboard's suggestion strip.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration file, else ./nextword.toml.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run a command."""
    command.run(app, "nextword")


@app.command()
def suggest(
    text: Annotated[str, typer.Argument(help="Everything before the cursor.")],
    count: Annotated[int, typer.Option(min=1, help="How many words.")] = 3,
    model: Annotated[
        str | None, typer.Option(help="A model's name, or the path of a bundle.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Print the words that are most likely wanted next, best first."""
    found = Suggester.open(_bundle(model, config)).suggest(text, count)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
        return
    _print_rows([(each.text, f"{each.probability:.1%}") for each in found.suggestions])


@app.command()
def models(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the configured models, after checking their files."""
    settings = load_settings(config)
    manifests = {name: Bundle.open(path).manifest for name, path in settings.models.items()}
    if as_json:
        rows = [
            {"name": name, "default": name == settings.default, **manifest.model_dump(mode="json")}
            for name, manifest in manifests.items()
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return
    _print_rows(
        [
            (
                name,
                manifest.version,
                manifest.kind,
                manifest.language,
                f"{manifest.vocabulary_size} pieces",
                "default" if name == settings.default else "",
            )
            for name, manifest in manifests.items()
        ]
    )


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port to listen on; 0 is a free one.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Serve suggestions over HTTP until told to stop."""
    # Here, because the other commands need no web framework and should start at once.
    from service.server import serve as serve_http

    settings = load_settings(config)
    given = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    serve_http(settings.model_copy(update=given))


def _bundle(model: str | None, config: Path | None) -> Path:
    """Return the folder of the model of that name, or at that path, or of the default one."""
    if model is not None and (Path(model) / MANIFEST).is_file():
        return Path(model)
    settings = load_settings(config)
    name = settings.default if model is None else model
    if name not in settings.models:
        raise ConfigError(
            f"{name}: neither a model in the configuration nor the folder of a bundle; "
            f"use one of: {', '.join(settings.models)}"
        )
    return settings.models[name]


def _print_rows(rows: list[tuple[str, ...]]) -> None:
    """Print a table to a person, the first column to a program."""
    console = Console()
    if not console.is_terminal:
        for first, *_ in rows:
            print(first)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)
