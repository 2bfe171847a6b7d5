import re
import tomllib
from pathlib import Path

import pytest

from nextword.errors import ConfigError
from service.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = 'default = "a"\n[models]\na = "bundles/a"\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small configuration file, which is the one of the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "nextword.toml"
    path.write_text(MINIMAL)
    return path


def test_reads_the_file_of_the_working_directory(config: Path) -> None:
    settings = load_settings()
    assert settings.default == "a"
    assert (settings.host, settings.port, settings.max_text) == ("127.0.0.1", 8000, 200_000)


def test_paths_start_in_the_folder_of_the_file(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("NEXTWORD_CONFIG", str(config))
    assert load_settings().models == {"a": tmp_path / "bundles" / "a"}


def test_absolute_paths_stay(config: Path) -> None:
    config.write_text(MINIMAL.replace("bundles/a", "/srv/a"))
    assert load_settings().models == {"a": Path("/srv/a")}


def test_the_environment_goes_before_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("port = 1\nthreads = 2\n" + MINIMAL)
    monkeypatch.setenv("NEXTWORD_PORT", "9000")
    monkeypatch.setenv("NEXTWORD_MODELS__B", "/srv/b")
    monkeypatch.setenv("NEXTWORD_DEFAULT", "b")
    settings = load_settings()
    assert (settings.port, settings.threads, settings.default) == (9000, 2, "b")
    assert list(settings.models) == ["a", "b"]


def test_a_file_that_is_named_goes_before_the_usual_one(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(MINIMAL.replace('"a"', '"b"').replace("a =", "b ="))
    assert load_settings(other).default == "b"


def test_without_a_file_the_shipped_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings().models["markov"] == ROOT / "models" / "markov"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1\n" + MINIMAL, "prot: there is no such key; remove it, or use one of: host,"),
        ("port = 99999\n" + MINIMAL, "port: should be less than or equal to 65535"),
        ('port = "x"\n' + MINIMAL, "port: should be a valid integer"),
        ("threads = 0\n" + MINIMAL, "threads: should be greater than or equal to 1"),
        ('log_level = "loud"\n' + MINIMAL, "log_level: should be 'critical', 'error'"),
        ('default = "a"', "models is missing; add it, or set NEXTWORD_MODELS"),
        ('[models]\na = "a"', "default is missing; add it, or set NEXTWORD_DEFAULT"),
        ('default = "b"\n[models]\na = "a"', "default: 'b' is not in models; add it there, or"),
        ('default = "a"\n[models]\n"A b" = "a"', "models.A b.[key]: String should match pattern"),
        ('default = "a', "is not TOML: "),
    ],
)
def test_a_wrong_file_is_refused_with_the_key_and_the_remedy(
    config: Path, text: str, message: str
) -> None:
    config.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_settings()
    assert str(error.value).startswith(f"nextword.toml: {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("NEXTWORD_PORT", "x", "NEXTWORD_PORT: should be a valid integer"),
        ("NEXTWORD_PROT", "1", "NEXTWORD_PROT: there is no such setting; unset it, or use one of"),
        ("NEXTWORD_MODELS", "a", "the environment: error parsing value for field"),
        ("NEXTWORD_CONFIG", "gone.toml", "gone.toml: can't be read (No such file or directory);"),
    ],
)
def test_a_wrong_variable_is_refused_with_its_name(
    config: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as error:
        load_settings()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_the_shipped_file_shows_every_key_with_its_default() -> None:
    text = (ROOT / "nextword.toml").read_text()
    lines = re.findall(r"^(?:# )?(\w+ = .+|\[\w+\])$", text, re.MULTILINE)
    shown = tomllib.loads("\n".join(lines))
    assert set(shown) == set(Settings.model_fields)
    for key, field in Settings.model_fields.items():
        if not field.is_required():
            assert shown[key] == field.default
