"""The pipeline as its users run it: text preparation, the loop, the commands."""

import gzip
import json
import lzma
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import zstandard

from export.bundle import make_bundle
from nextword.errors import ConfigError, CorpusError, RunError
from tests.conftest import CHATS, train, write_config
from training import loop
from training.config import check, read_config
from training.corpus import is_held_out, read_documents
from training.muon import orthogonalize
from training.predictors import KINDS
from training.predictors.neural import MODEL_FILE, NeuralConfig
from training.run import Run
from training.softmax import cross_entropy, sampled_cross_entropy
from training.text import Pieces, PreparedText, prepare


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# Corpus


PACK = {"": bytes, ".xz": lzma.compress, ".gz": gzip.compress, ".zst": zstandard.compress}


@pytest.mark.parametrize("suffix", PACK)
def test_packed_files_read_like_plain_ones(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"text.txt{suffix}"
    path.write_bytes(PACK[suffix]("a b\nc\n\n\nd é\n".encode()))
    assert list(read_documents(path, 16)) == [["a b", "c"], ["d é"]]


def test_long_documents_are_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "text", "1\n2\n3\n\n4\n")
    assert list(read_documents(path, 2)) == [["1", "2"], ["3"], ["4"]]


def test_without_blank_lines_every_line_stands_alone(tmp_path: Path) -> None:
    assert list(read_documents(write(tmp_path / "text", "1\n2\n"), 16)) == [["1"], ["2"]]


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.xz", b"not xz"), ("a.gz", b"not gz"), ("a.zst", b"no"), ("a.txt", b"\xff\xfe")],
)
def test_damaged_file_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError, match=name):
        list(read_documents(tmp_path / name, 16))


def test_held_out_share() -> None:
    documents = [[f"line {number}"] for number in range(5000)]
    held = [document for document in documents if is_held_out(document, 0.1)]
    assert 400 < len(held) < 600
    assert held == [document for document in documents if is_held_out(document, 0.1)]


# Prepared text


def test_documents_are_framed_and_split(small_text: PreparedText) -> None:
    special = small_text.tokenizer.special_ids
    for pieces in (small_text.train, small_text.validation):
        starts, ends = pieces.documents[:-1], pieces.documents[1:]
        assert (pieces.ids[starts] == special.begin).all()
        assert (pieces.ids[ends - 1] == special.end).all()
        assert (pieces.ids == special.begin).sum() == len(starts)
    assert len(small_text.validation.documents) > 1


def test_prepared_text_is_reused(small_text: PreparedText, workshop: Path) -> None:
    config = read_config(write_config(workshop, "transformer", "again"))
    assert prepare(config.text, workshop / "text").folder == small_text.folder


def test_pieces_spell_the_text(small_text: PreparedText) -> None:
    tokenizer = small_text.tokenizer
    words = tokenizer.words("I love “The Matrix”, don’t you?")
    context = tokenizer.encode_context([words])
    spelled = "".join(tokenizer.piece(piece) for piece in context[1:]).replace("▁", " ")
    assert spelled.strip() == " ".join(words)
    assert words[-4:] == [",", "don't", "you", "?"]


def test_epoch_repeats_and_leaves_out_by_weight() -> None:
    pieces = Pieces(
        np.array([1, 10, 2, 1, 20, 2, 1, 30, 2], dtype=np.uint16),
        np.array([0, 3, 6, 9]),
        np.array([0, 1, 2], dtype=np.uint8),
    )
    stream = pieces.epoch(3, np.array([2.0, 0.0, 1.0]))
    assert sorted(stream.tolist()) == sorted([1, 10, 2, 1, 10, 2, 1, 30, 2])
    assert stream.reshape(3, 3)[:, 0].tolist() == [1, 1, 1]
    assert np.array_equal(stream, pieces.epoch(3, np.array([2.0, 0.0, 1.0])))
    many = sum((pieces.epoch(seed, np.array([0.5, 0, 0])) == 10).sum() for seed in range(400))
    assert 150 < many < 250


def test_reused_tokenizer_is_taken_as_it_is(small_text: PreparedText, tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path, "markov"))
    tokenizer = config.text.tokenizer.model_copy(update={"reuse": str(small_text.folder)})
    text = prepare(config.text.model_copy(update={"tokenizer": tokenizer}), tmp_path / "text")
    for name in ("tokenizer.model", "lexicon.tsv"):
        assert (text.folder / name).read_bytes() == (small_text.folder / name).read_bytes()


# The loop


class Killed(Exception):
    pass


def test_resumed_run_ends_as_an_unbroken_one(
    workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole = train(workshop, "transformer", "whole")
    take_step = loop.Trainer.take_step

    def killed_at(step: int) -> None:
        def take(self: loop.Trainer) -> torch.Tensor:
            if self.step == step:
                raise Killed
            return take_step(self)

        monkeypatch.setattr(loop.Trainer, "take_step", take)

    for step in (7, 14, 25):
        killed_at(step)
        with pytest.raises(Killed):
            train(workshop, "transformer", "broken")
    monkeypatch.setattr(loop.Trainer, "take_step", take_step)
    _, broken = train(workshop, "transformer", "broken")
    expected = torch.load(whole.file(MODEL_FILE), weights_only=True)
    found = torch.load(broken.file(MODEL_FILE), weights_only=True)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert broken.metrics() == whole.metrics()


@pytest.mark.parametrize(
    "changes",
    [{"precision": "bfloat16"}, {"common_pieces": 300, "sampled_pieces": 100}, {"decay": 0}],
    ids=["bfloat16", "sampled", "no-decay"],
)
def test_every_way_of_training_learns(workshop: Path, changes: dict[str, object]) -> None:
    _, run = train(
        workshop, "transformer", f"way-{next(iter(changes))}".replace("_", "-"), **changes
    )
    steps = [json.loads(line) for line in run.file("log.jsonl").read_text().splitlines()]
    perplexities = [step["perplexity"] for step in steps if step["event"] == "step"]
    assert len(perplexities) == 3
    assert perplexities[-1] < perplexities[0] < 700


def test_damaged_checkpoint_is_named(workshop: Path, tmp_path: Path) -> None:
    _, run = train(workshop, "transformer", "damaged")
    run.file(MODEL_FILE).unlink()
    run.file(loop.CHECKPOINT_FILE).write_bytes(b"no checkpoint")
    with pytest.raises(RunError, match=loop.CHECKPOINT_FILE):
        train(workshop, "transformer", "damaged")


def test_schedule_rises_holds_and_falls() -> None:
    config = NeuralConfig(steps=100, warmup=10, decay=0.5)
    rates = [loop.schedule(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10:51] == [1.0] * 41
    assert rates[75] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.02)


def test_sampled_softmax_of_everything_is_the_whole_one() -> None:
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(50, 8), torch.randn(40, 8), torch.randn(40)
    targets = torch.randint(0, 40, (50,))
    whole = cross_entropy(hidden, weight, bias, targets)
    sampled = sampled_cross_entropy(hidden, weight, bias, targets, 10, torch.arange(10, 40))
    common = targets < 10
    # All rest sampled: exact for common targets; a rare one's own copy is left out of 30.
    assert sampled == pytest.approx(whole.item(), abs=0.02)
    exact = sampled_cross_entropy(
        hidden[common], weight, bias, targets[common], 10, torch.arange(10, 40)
    )
    assert exact == pytest.approx(
        cross_entropy(hidden[common], weight, bias, targets[common]).item(), rel=1e-5
    )


def test_orthogonalized_matrices_have_singular_values_about_one() -> None:
    torch.manual_seed(0)
    matrices = torch.randn(3, 24, 16)
    values = torch.linalg.svdvals(orthogonalize(matrices, 5))
    assert values.min() > 0.6
    assert values.max() < 1.3


# Commands


def command(module: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_text_to_bundle_by_the_commands(tmp_path: Path) -> None:
    config = write_config(tmp_path, "markov")
    done = command("training", config, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = command("training.arpa", "runs/markov", "model.arpa", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.arpa").read_text().startswith("\\data\\")
    done = command("export", "runs/markov", "models/mine", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "models" / "mine").iterdir()) == [
        "README.md",
        "lexicon.tsv",
        "manifest.json",
        "model.onnx",
        "tokenizer.model",
    ]


def test_arpa_goes_into_a_run_and_serves(tmp_path: Path) -> None:
    _, run = train(tmp_path, "markov")
    done = command("training.arpa", run.path, "model.arpa.gz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before = make_bundle(run, tmp_path / "before", "before", 0).manifest.self_test
    done = command("training.arpa", "model.arpa.gz", run.path, "--to-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = make_bundle(run, tmp_path / "after", "after", 0).manifest.self_test
    for old, new in zip(before, after, strict=True):
        assert old.words == new.words
        assert old.log_probabilities == pytest.approx(new.log_probabilities, abs=1e-4)


CHATS_SOURCE = f'sources = [{{ name = "chats", files = ["{CHATS}"] }}]'
MARKOV = '[predictor]\nkind = "markov"'

WRONG_CONFIGS = {
    "missing file": (
        f'name = "x"\n[text]\nsources = [{{ name = "a", files = ["nothing.txt"] }}]\n{MARKOV}',
        "nothing.txt: no such file",
    ),
    "unknown key": (
        f'name = "x"\ncolour = 1\n[text]\n{CHATS_SOURCE}\n{MARKOV}',
        "colour: there is no such key",
    ),
    "unknown deep key": (
        f'name = "x"\n[text]\n{CHATS_SOURCE}\ntokenizer = {{ size = 3 }}\n{MARKOV}',
        "text.tokenizer.size: there is no such key",
    ),
    "unknown predictor key": (
        f'name = "x"\n[text]\n{CHATS_SOURCE}\n{MARKOV}\nlayers = 3',
        "layers: there is no such key",
    ),
    "unknown kind": (
        f'name = "x"\n[text]\n{CHATS_SOURCE}\n[predictor]\nkind = "oracle"',
        "'oracle' is none of markov",
    ),
    "unknown weight": (
        f'name = "x"\n[text]\n{CHATS_SOURCE}\n[weights]\nnews = 2\n{MARKOV}',
        "weights.news: there is no source",
    ),
    "vocabulary too large": (
        f'name = "x"\n[text]\n{CHATS_SOURCE}\ntokenizer = {{ vocabulary_size = 60000 }}\n{MARKOV}',
        "text.tokenizer.vocabulary_size: 60000 pieces are not to be had",
    ),
    "not TOML": ("name = ", "is not TOML"),
}


@pytest.mark.parametrize(("config", "message"), WRONG_CONFIGS.values(), ids=WRONG_CONFIGS)
def test_wrong_config_is_one_clear_line(tmp_path: Path, config: str, message: str) -> None:
    path = write(tmp_path / "wrong.toml", config)
    done = command("training", path, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs" / "x").exists()


def test_empty_corpus_is_one_clear_line(tmp_path: Path) -> None:
    write(tmp_path / "empty.txt", "\n\n")
    source = 'sources = [{ name = "a", files = ["empty.txt"] }]'
    path = write(tmp_path / "empty.toml", f'name = "x"\n[text]\n{source}\n{MARKOV}')
    done = command("training", path, cwd=tmp_path)
    assert done.returncode == 1
    assert "no text in there" in done.stderr
    assert [each.name for each in (tmp_path / "runs" / ".text").iterdir()] == []


def test_other_configuration_does_not_overwrite_a_run(workshop: Path) -> None:
    _, run = train(workshop, "markov", "kept")
    changed = run.config.model_copy(update={"seed": 2})
    with pytest.raises(RunError, match="another configuration"):
        Run.start(run.path, changed)


def test_export_of_an_unfinished_run_names_what_is_missing(tmp_path: Path) -> None:
    done = command("export", tmp_path, "models/x", cwd=tmp_path)
    assert done.returncode == 1
    assert "no run here" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "models").exists()


def test_killed_command_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    """A real process, killed at its first checkpoint."""
    path = write_config(tmp_path, "transformer")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-m", "training", path],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "step 10" in line:
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    done = command("training", path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole, _ = train(tmp_path, "transformer", "unbroken")
    run = Run.open(tmp_path / "runs" / "transformer")
    table = run.predictor_table()
    assert check(KINDS["transformer"].Config, table, "") == whole.config  # type: ignore[attr-defined]
    found = torch.load(run.file(MODEL_FILE), weights_only=True)
    expected = whole.model.state_dict()  # type: ignore[attr-defined]
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=1e-4)


def test_config_error_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        read_config(tmp_path / "nowhere.toml")


def test_full_disk_is_one_clear_line_and_nothing_half_written(tmp_path: Path) -> None:
    """Files may grow no further than this process is allowed: what a full disk looks like."""
    config = write_config(tmp_path, "markov")
    script = (
        "import resource, runpy, signal, sys;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000));"
        f"sys.argv = ['training', {str(config)!r}];"
        "runpy.run_module('training', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert [each.name for each in (tmp_path / "runs" / ".text").iterdir()] == []
