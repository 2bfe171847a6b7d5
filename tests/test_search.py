"""Word search against brute force over a whole small lexicon."""

import math
from pathlib import Path

import numpy as np
import pytest

from nextword.bundle import LEXICON, TOKENIZER
from nextword.lexicon import Lexicon
from nextword.search import WordIndex, best_words
from nextword.suggester import Suggester
from nextword.text import fold
from nextword.tokenizer import Tokenizer
from tests.conftest import Trained

TEXTS = ["", "I love", "have you seen the", "what is your favorite", "I think it was a really good"]
PREFIXES = ["", "t", "st", "fav", "mov", "I", "b", "zzz"]


class Scorer:
    """Every word's log-probability by the definition: the sum over its pieces."""

    def __init__(self, trained: Trained) -> None:
        self.suggester = Suggester.open(trained.bundle.path)
        self.lexicon = Lexicon.read(trained.bundle.file(LEXICON))
        self.tokenizer = Tokenizer(trained.bundle.file(TOKENIZER), self.lexicon)
        self.index = WordIndex(self.lexicon, self.tokenizer)
        self.predictor = self.suggester._predictor

    def log_prob(self, context: list[int], word: str) -> float:
        pieces = self.tokenizer.encode_words([word])[0]
        first = float(self.predictor.log_probs(context)[pieces[0]])
        return first + sum(
            float(self.predictor.log_probs_after(context, [pieces[:depth]])[0][pieces[depth]])
            for depth in range(1, len(pieces))
        )


@pytest.fixture(scope="module")
def scorer(trained: Trained) -> Scorer:
    return Scorer(trained)


@pytest.mark.parametrize("text", TEXTS)
def test_best_words_are_those_of_brute_force(scorer: Scorer, text: str) -> None:
    context = scorer.tokenizer.encode_context([scorer.tokenizer.words(text)])
    scores = {word: scorer.log_prob(context, word) for word in scorer.index.words}
    for prefix in PREFIXES:
        found, mass = best_words(
            scorer.index,
            prefix,
            scorer.predictor.log_probs(context),
            lambda paths: scorer.predictor.log_probs_after(context, paths),
            5,
        )
        fitting = {
            word: score for word, score in scores.items() if fold(word).startswith(fold(prefix))
        }
        expected = _best_of_each_word(fitting)[:5]
        assert [each.log_prob for each in found] == pytest.approx(expected, abs=1e-5)
        assert all(each.log_prob == pytest.approx(scores[each.word], abs=1e-5) for each in found)
        if prefix and fitting:
            assert mass >= math.log(sum(math.exp(score) for score in fitting.values())) - 1e-5


def _best_of_each_word(scores: dict[str, float]) -> list[float]:
    best: dict[str, float] = {}
    for word, score in scores.items():
        best[fold(word)] = max(score, best.get(fold(word), -math.inf))
    return sorted(best.values(), reverse=True)


def test_words_with_unknown_pieces_are_left_out(scorer: Scorer) -> None:
    index = WordIndex(Lexicon([("the", 3), ("日本", 2)]), scorer.tokenizer)
    assert index.words == ["the"]


def test_prefix_ranges_hold_all_words_and_no_others(scorer: Scorer) -> None:
    for prefix in ["a", "th", "WH", "i'"]:
        candidates = scorer.index.starting_with(prefix)
        parted = candidates.parted
        groups = [parted.rows(number) for number in range(len(parted.pieces))]
        rows = np.concatenate([candidates.whole, *groups]).tolist()
        expected = [
            row
            for row, word in enumerate(scorer.index.words)
            if fold(word).startswith(fold(prefix))
        ]
        assert sorted(rows) == expected


def test_empty_lexicon_gives_no_words(scorer: Scorer, tmp_path: Path) -> None:
    index = WordIndex(Lexicon([]), scorer.tokenizer)
    row = scorer.predictor.log_probs([1])
    assert best_words(index, "", row, lambda paths: [row for _ in paths], 3)[0] == []
