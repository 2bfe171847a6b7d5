import json
from pathlib import Path

import pytest

from nextword.bundle import Bundle
from nextword.suggester import Suggester
from service import cli
from tests.service.fake_suggester import FakeSuggester, manifest


@pytest.fixture(autouse=True)
def two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration of two models that need no files."""
    monkeypatch.chdir(tmp_path)
    Path("nextword.toml").write_text('default = "a"\n[models]\na = "bundles/a"\nb = "bundles/b"\n')
    monkeypatch.setattr(Suggester, "open", lambda path: FakeSuggester(Path(path).name))
    monkeypatch.setattr(Bundle, "open", lambda path: FakeSuggester(Path(path).name))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line and return its exit code."""
    monkeypatch.setattr("sys.argv", ["nextword", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    code = exit_.value.code
    return code if isinstance(code, int) else 0


def test_suggest_prints_one_word_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "suggest", "I'll meet you at the ", "--count", "2") == 0
    assert capsys.readouterr().out == "office\nstation\n"


def test_suggest_shows_a_person_the_probabilities(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run(monkeypatch, "suggest", "at the ", "--count", "1") == 0
    assert capsys.readouterr().out.split() == ["office", "12.5%"]


def test_suggest_prints_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "suggest", "at th", "--count", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "prefix": "th",
        "suggestions": [{"text": "office", "probability": 0.125}],
    }


def test_suggest_takes_the_path_of_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def open_(path: Path) -> FakeSuggester:
        opened.append(path)
        return FakeSuggester()

    monkeypatch.setattr(Suggester, "open", open_)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "manifest.json").write_text(manifest("c").model_dump_json())
    assert run(monkeypatch, "suggest", "a", "--model", "c") == 0
    assert run(monkeypatch, "suggest", "a", "--model", "b") == 0
    assert run(monkeypatch, "suggest", "a") == 0
    assert opened == [Path("c"), Path("bundles/b"), Path("bundles/a")]


def test_an_unknown_model_is_one_line_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "suggest", "a", "--model", "c") == 1
    assert capsys.readouterr().err == (
        "nextword: c: neither a model in the configuration nor the folder of a bundle; "
        "use one of: a, b\n"
    )


def test_models_lists_the_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "models") == 0
    assert capsys.readouterr().out == "a\nb\n"


def test_models_prints_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "models", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["default"], row["version"]) for row in rows] == [
        ("a", True, "1.2.3"),
        ("b", False, "1.2.3"),
    ]
