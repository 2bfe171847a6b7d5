"""The schema of a training config: one TOML file says what a run is."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nextword.errors import ConfigError

PositiveInt = Annotated[int, Field(gt=0)]
Model = TypeVar("Model", bound=BaseModel)


class _Table(BaseModel):
    """A table of the config: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(_Table):
    """Text from one place, on one set of terms."""

    name: str
    files: tuple[str, ...] = Field(min_length=1)
    """Paths or globs, relative to the file that holds this table."""
    license: str = "not stated"
    origin: str = "not stated"


class TokenizerConfig(_Table):
    """The vocabulary of pieces: trained on the words of the text, or taken from elsewhere."""

    vocabulary_size: int = Field(default=8000, ge=64, le=65_000)
    words: PositiveInt = 50_000
    """So many of the commonest words are what the pieces are chosen by; more take longer."""
    character_coverage: float = Field(default=0.9999, gt=0.9, le=1.0)
    reuse: str | None = None
    """A run or bundle folder whose tokenizer and lexicon are taken as they are."""


class LexiconConfig(_Table):
    """Which words may be suggested."""

    min_count: PositiveInt = 5
    max_words: PositiveInt = 50_000


class TextConfig(_Table):
    """The text, and how it becomes pieces."""

    sources: tuple[SourceConfig, ...] = Field(min_length=1)
    language: str = "en"
    validation: float = Field(default=0.005, gt=0, lt=0.5)
    """Share of the documents that is held out."""
    document_lines: PositiveInt = 16
    """A longer document is cut: what starts one learns to do without earlier text."""
    tokenizer: TokenizerConfig = TokenizerConfig()
    lexicon: LexiconConfig = LexiconConfig()

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        names = [source.name for source in sources]
        if len(set(names)) < len(names):
            raise ValueError("two sources have the same name; give each its own")
        return sources


class TrainingConfig(_Table):
    """One run: its text, its predictor, and how often each source is read."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    text: TextConfig
    predictor: dict[str, Any]
    """``kind``, and what that kind's own schema knows."""
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Passes over a source in one epoch, by its name; 1 where it isn't named."""
    seed: int = 1

    @field_validator("predictor")
    @classmethod
    def _has_kind(cls, predictor: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(predictor.get("kind"), str):
            raise ValueError('needs a kind, such as kind = "markov"')
        return predictor


def read_config(path: Path) -> TrainingConfig:
    """Read a training config; ``text`` may name another TOML file that holds that table.

    Relative file names are taken from the folder of the file they stand in.
    Raises ConfigError with the key and the remedy.
    """
    table = _read_toml(path)
    folder = path.parent
    if isinstance(table.get("text"), str):
        text_path = folder / table["text"]
        table["text"], folder = _read_toml(text_path), text_path.parent
    config = check(TrainingConfig, table, path)
    unknown = set(config.weights) - {source.name for source in config.text.sources}
    if unknown:
        raise ConfigError(f"{path}: weights.{min(unknown)}: there is no source of this name")
    return config.model_copy(update={"text": _anchor(config.text, folder)})


def check(schema: type[Model], table: dict[str, Any], where: object) -> Model:
    """Return ``table`` as its schema. Raises ConfigError with the first wrong key."""
    try:
        return schema.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(schema.model_fields))
            hint = f"; the keys here are {known}" if len(first["loc"]) == 1 else ""
            raise ConfigError(f"{where}: {key}: there is no such key{hint}") from error
        raise ConfigError(f"{where}: {key}: {first['msg']}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error


def _anchor(text: TextConfig, folder: Path) -> TextConfig:
    """Return ``text`` with its file names made absolute."""
    sources = tuple(
        source.model_copy(
            update={"files": tuple(str(folder.resolve() / name) for name in source.files)}
        )
        for source in text.sources
    )
    tokenizer = text.tokenizer
    if tokenizer.reuse is not None:
        tokenizer = tokenizer.model_copy(update={"reuse": str(folder.resolve() / tokenizer.reuse)})
    return text.model_copy(update={"sources": sources, "tokenizer": tokenizer})
