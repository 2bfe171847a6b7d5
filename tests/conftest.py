"""Fixtures: predictors trained on a little text, and whole bundles of them."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from export.bundle import make_bundle
from nextword.bundle import Bundle
from training.config import check, read_config
from training.predictors import KINDS
from training.predictors.base import Predictor
from training.run import Run
from training.text import PreparedText, prepare

CHATS = Path(__file__).parent / "data" / "chats.txt"
"""Some dialogues of the Self-dialogue Corpus (BSD-3-Clause)."""

TEXT = f"""
[text]
sources = [{{ name = "chats", files = ["{CHATS}"], license = "BSD-3-Clause" }}]
validation = 0.05
tokenizer = {{ vocabulary_size = 700 }}
lexicon = {{ min_count = 2 }}
"""

PREDICTORS = {
    "markov": 'kind = "markov"\norder = 3\nprune = [0, 0, 0]',
    "transformer": textwrap.dedent("""
        kind = "transformer"
        layers = 2
        heads = 2
        width = 32
        feedforward = 64
        context_length = 32
        batch = 8
        steps = 30
        warmup = 5
        compile = false
        validate_every = 10
        checkpoint_every = 10
    """),
}


@dataclass(frozen=True)
class Trained:
    """A predictor with the run it was trained in and the bundle that was made of it."""

    predictor: Predictor
    run: Run
    bundle: Bundle


def write_config(folder: Path, kind: str, name: str | None = None) -> Path:
    """Write a training config for the small text."""
    path = folder / f"{name or kind}.toml"
    path.write_text(f'name = "{name or kind}"\n{TEXT}\n[predictor]\n{PREDICTORS[kind]}\n')
    return path


def train(
    folder: Path, kind: str, name: str | None = None, **changes: object
) -> tuple[Predictor, Run]:
    """Train a predictor on the small text as the command does, some of its table changed."""
    config = read_config(write_config(folder, kind, name))
    config = config.model_copy(update={"predictor": {**config.predictor, **changes}})
    text = prepare(config.text, folder / "text")
    run = Run.start(folder / config.name, config)
    run.adopt(text)
    table = check(KINDS[kind].Config, run.predictor_table(), "test")
    return KINDS[kind].train(table, text, run), run


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for runs that share their prepared text."""
    return tmp_path_factory.mktemp("workshop")


@pytest.fixture(scope="session")
def small_text(workshop: Path) -> PreparedText:
    """The small text, prepared."""
    return prepare(
        read_config(write_config(workshop, "markov", "text-only")).text, workshop / "text"
    )


@pytest.fixture(scope="session", params=list(PREDICTORS))
def trained(request: pytest.FixtureRequest, workshop: Path) -> Trained:
    """Each kind of predictor, trained and exported."""
    kind: str = request.param
    predictor, run = train(workshop, kind)
    return Trained(predictor, run, make_bundle(run, workshop / "models" / kind, kind, 0.05))
