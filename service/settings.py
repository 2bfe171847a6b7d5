"""Settings: one file, ``nextword.toml``, and an environment variable for each key.

The file is the one that ``NEXTWORD_CONFIG`` names; without it, the
``nextword.toml`` of the working directory; without that, the one that stands
beside this package, which serves the bundles that ship.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from nextword.errors import ConfigError

FILE = "nextword.toml"
PREFIX = "NEXTWORD_"
CONFIG_VARIABLE = "NEXTWORD_CONFIG"

ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class Settings(BaseSettings):
    """What an operator can set. The environment goes before the file.

    A key's variable is its name in capitals after ``NEXTWORD_``, such as
    ``NEXTWORD_PORT``. A model's is ``NEXTWORD_MODELS__<NAME>``; all of them at
    once are ``NEXTWORD_MODELS``, as JSON.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    host: str = Field("127.0.0.1", min_length=1)
    """The address to listen on; ``0.0.0.0`` is every IPv4 address of the machine, ``::`` IPv6."""

    port: int = Field(8000, ge=0, le=65535)
    """The port to listen on; 0 is any free one, and the log says which."""

    default: ModelName
    """Which of ``models`` answers a request that names none."""

    models: dict[ModelName, Path] = Field(min_length=1)
    """The bundles to serve, name = "path". Names are part of addresses: small letters, digits
    and ``. _ -``. Relative paths start in the folder of the configuration file."""

    threads: int = Field(1, ge=1)
    """onnxruntime's threads for one request. These models are small: more rarely pay."""

    cache_bytes: int = Field(64 << 20, ge=0)
    """How many bytes each model may spend on remembering the contexts it has just seen."""

    max_text: int = Field(200_000, ge=1)
    """The most characters a request's ``text`` may have; more are answered with a 413."""

    log_level: Literal["critical", "error", "warning", "info", "debug"] = "info"
    """How much is logged, to standard error. ``warning`` also leaves out the line per request."""

    @model_validator(mode="after")
    def _default_is_a_model(self) -> Self:
        if self.default not in self.models:
            raise ValueError(
                f"default: {self.default!r} is not in models; "
                f"add it there, or use one of: {', '.join(self.models)}"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment before the arguments, which are what the file says."""
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Return the settings of the environment and of the file at ``path``, or of the usual one.

    Raises ConfigError where the file can't be read or a key is wrong.
    """
    path = path or _find_file()
    _refuse_unknown_variables()
    try:
        settings = Settings(**_read(path))
    except SettingsError as error:
        raise ConfigError(f"the environment: {error}; write its value as JSON") from error
    except ValidationError as error:
        raise ConfigError(_describe(error.errors(include_url=False)[0], path)) from error
    models = {name: path.parent / folder for name, folder in settings.models.items()}
    return settings.model_copy(update={"models": models})


def _find_file() -> Path:
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    here, shipped = Path(FILE), Path(__file__).resolve().parents[1] / FILE
    for path in (here, shipped):
        if path.is_file():
            return path
    raise ConfigError(
        f"{here.resolve()}: there is no such file; "
        f"start where it stands, or name one with --config or {CONFIG_VARIABLE}"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise ConfigError(
            f"{path}: can't be read ({error.strerror}); "
            f"name another file with --config or {CONFIG_VARIABLE}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error


def _refuse_unknown_variables() -> None:
    """Refuse a variable that sets nothing: it is a key spelled wrong."""
    known = {f"{PREFIX}{key.upper()}" for key in Settings.model_fields} | {CONFIG_VARIABLE}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable.partition("__")[0] not in known:
            raise ConfigError(
                f"{variable}: there is no such setting; "
                f"unset it, or use one of: {', '.join(sorted(known))}"
            )


def _describe(error: Any, path: Path) -> str:
    """Return one line that says where the wrong key stands and what to do."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        keys = ", ".join(Settings.model_fields)
        return f"{path}: {key}: there is no such key; remove it, or use one of: {keys}"
    if error["type"] == "missing":
        return f"{path}: {key} is missing; add it, or set {PREFIX}{key.upper()}"
    if error["type"] == "value_error":
        return f"{path}: {error['ctx']['error']}"
    variable = f"{PREFIX}{'__'.join(str(part) for part in error['loc']).upper()}"
    source = variable if variable in os.environ else f"{path}: {key}"
    return f"{source}: {error['msg'].removeprefix('Input ')}"
