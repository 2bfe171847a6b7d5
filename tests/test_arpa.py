import gzip
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import kenlm
import numpy as np
import pytest

from nextword.errors import InputError
from nextword.lexicon import Lexicon
from tests.ngram_texts import small_model, small_text
from training import arpa
from training.arpa import read_arpa, write_arpa
from training.ngrams import BEGIN, NEVER, NgramModel
from training.run import Run

WORDS = ["<unk>", "<s>", "</s>", "a", "b"]

ARPA = """\
\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-1.5\t<unk>\t0
0\t<s>\t-0.5
-0.5\t</s>\t0
-0.75\ta\t-0.25
-1.25\tb\t0

\\2-grams:
-0.125\t<s> a
-0.375\ta </s>

\\end\\
"""


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz", "model.arpa.xz"])
def test_what_is_written_reads_back_the_same(tmp_path: Path, name: str) -> None:
    model, (_, vocabulary) = small_model((0, 0, 1, 1)), small_text()
    write_arpa(tmp_path / name, model, vocabulary)
    back = read_arpa(tmp_path / name, vocabulary)
    for found, wanted in zip(back.orders, model.orders, strict=True):
        assert np.array_equal(found.keys, wanted.keys)
        assert np.array_equal(found.log10_prob, wanted.log10_prob)
        assert np.array_equal(found.log10_backoff, wanted.log10_backoff)


def test_kenlm_reads_what_is_written(tmp_path: Path) -> None:
    model, (_, vocabulary) = small_model((0, 0, 1, 1)), small_text()
    write_arpa(tmp_path / "model.arpa", model, vocabulary)
    reader = kenlm.Model(str(tmp_path / "model.arpa"))
    sentence = ["do", "you", "think", "qwertyuiop", "do", "you", "like", "the", "movie", "?"]
    ids = [vocabulary.index(word) if word in vocabulary else 0 for word in [*sentence, "</s>"]]
    contexts = [[BEGIN, *ids[:length]] for length in range(len(ids))]
    found = model.log_probs(contexts)[np.arange(len(ids)), ids] / np.log(10)
    wanted = [score for score, _, _ in reader.full_scores(" ".join(sentence))]
    assert found == pytest.approx(wanted, abs=1e-5)


def test_the_format_is_read(tmp_path: Path) -> None:
    model = read(tmp_path, ARPA)
    assert [len(order) for order in model.orders] == [5, 2]
    assert model.orders[0].log10_prob.tolist() == [-1.5, NEVER, -0.5, -0.75, -1.25]
    assert model.orders[0].log10_backoff.tolist() == [0, -0.5, 0, -0.25, 0]
    assert model.ngrams(2).tolist() == [[1, 3], [3, 2]]
    assert model.orders[1].log10_prob.tolist() == [-0.125, -0.375]


def test_words_left_out_share_the_probability_of_unknown_ones(tmp_path: Path) -> None:
    model = read(tmp_path, ARPA, [*WORDS, "c"])
    assert model.orders[0].log10_prob[[0, 5]] == pytest.approx(-1.5 - np.log10(2))


def test_words_left_out_are_impossible_without_unknown_ones(tmp_path: Path) -> None:
    without = ARPA.replace("1=5", "1=4").replace("-1.5\t<unk>\t0\n", "")
    assert read(tmp_path, without).orders[0].log10_prob[0] == NEVER


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\\data\\", "data", ":16: the file ends too early"),
        ("ngram 2=2", "ngram 3=2", ":3: order 2 should come here"),
        ("\\1-grams:", "\\2-grams:", ":5: the counts of n-grams"),
        ("1=5", "1=6", ":12: a probability, 1 words"),
        ("2=2", "2=1", ":14: \\\\end\\\\ should stand here"),
        ("-0.125", "much", ":13: a number should stand here"),
        ("-0.125", "0.125", ":13: a log10 probability can't be above 0"),
        ("-0.125", "nan", ":13: a log10 probability can't be above 0"),
        ("<s> a", "<s> z", ":13: 'z' is no piece of the tokenizer"),
        ("<s> a", "a </s>", ": an n-gram stands twice among those of order 2"),
        ("-0.75\ta", "-0.75\tb", ": an n-gram stands twice among those of order 1"),
        ("\\end\\\n", "", ":15: the file ends too early"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "model.arpa")) + ".*" + message):
        read(tmp_path, ARPA.replace(old, new, 1))


def test_an_ngram_needs_its_context(tmp_path: Path) -> None:
    text = ARPA.replace("ngram 2=2", "ngram 2=2\nngram 3=1")
    text = text.replace("\\end\\", "\\3-grams:\n-0.1\tb a b\n\n\\end\\")
    with pytest.raises(InputError, match=":18: 'b a b' stands here, but its context"):
        read(tmp_path, text)


def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model.arpa.gz"
    path.write_bytes(gzip.compress(ARPA.encode())[:-20])
    with pytest.raises(InputError, match="can't be read"):
        read_arpa(path, WORDS)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_arpa(tmp_path / "none.arpa", WORDS)


def test_nothing_is_left_behind_where_writing_fails(tmp_path: Path) -> None:
    taken = tmp_path / "out.arpa"
    taken.mkdir()
    with pytest.raises(InputError, match="can't be written"):
        write_arpa(taken, read(tmp_path, ARPA), WORDS)
    assert list(tmp_path.glob("*out.arpa*")) == [taken]


def test_words_with_spaces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'a b' can't stand in an ARPA file"):
        write_arpa(tmp_path / "out.arpa", read(tmp_path, ARPA), [*WORDS[:4], "a b"])


def test_the_command_takes_models_out_of_runs_and_into_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SimpleNamespace(file=lambda name: tmp_path / name)
    tokenizer = SimpleNamespace(vocabulary_size=len(WORDS), piece=WORDS.__getitem__)
    monkeypatch.setattr(Run, "open", lambda _: run)
    monkeypatch.setattr(Lexicon, "read", lambda _: None)
    monkeypatch.setattr(arpa, "Tokenizer", lambda *_: tokenizer)
    (tmp_path / "in.arpa").write_text(ARPA)
    arpa.transfer(tmp_path / "in.arpa", tmp_path, to_run=True)
    arpa.transfer(tmp_path, tmp_path / "out.arpa")
    assert (tmp_path / "out.arpa").read_text().count("\n") == ARPA.count("\n")


def test_the_command_prints_one_line_for_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["arpa", str(tmp_path / "none"), "out.arpa"])
    with pytest.raises(SystemExit, match="1"):
        arpa.main()
    assert "no run here" in capsys.readouterr().err


def read(folder: Path, text: str, vocabulary: list[str] = WORDS) -> NgramModel:
    path = folder / "model.arpa"
    path.write_text(text, encoding="utf-8")
    return read_arpa(path, vocabulary)
