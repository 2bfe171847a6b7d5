from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ngram_texts import (
    DATA,
    REFERENCE,
    needs_reference,
    no_deadline,
    read_text,
    reference_text,
    small_model,
    small_text,
)
from training import ngram_counts
from training.arpa import read_arpa
from training.kneser_ney import FALLBACK, OrderReport, estimate, estimate_discounts
from training.ngram_counts import split_sentences
from training.ngrams import BEGIN, END, NgramModel

lines = st.lists(
    st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join), min_size=1, max_size=12
)
prunes = st.sampled_from(
    [(0,), (0, 0), (0, 1), (0, 0, 0), (0, 0, 1), (0, 1, 2, 2), (0, 0, 0, 0, 0)]
)


def probabilities(model: NgramModel, order: int) -> dict[tuple[int, ...], float]:
    rows = zip(model.ngrams(order).tolist(), model.orders[order - 1].log10_prob, strict=True)
    return {tuple(words): 10 ** float(log10_prob) for words, log10_prob in rows}


def backoffs(model: NgramModel, order: int) -> dict[tuple[int, ...], float]:
    rows = zip(model.ngrams(order).tolist(), model.orders[order - 1].log10_backoff, strict=True)
    return {tuple(words): 10 ** float(log10_backoff) for words, log10_backoff in rows}


def test_bigrams_worked_by_hand() -> None:
    # a: 3, b: 4, c: 5. Distinct words before: a 1, b 1, c 1, </s> 2; discounts 0.5, 1, 1.5.
    # Unigrams: total 5, given up 0.5 + 0.5 + 0.5 + 1 = 2.5, shared by five words: 0.1 each.
    sentences, vocabulary = read_text(["a b", "a c"])
    model = estimate(sentences, len(vocabulary), (0, 0))
    unigrams = probabilities(model, 1)
    assert unigrams[0,] == pytest.approx(0.1)  # <unk>
    assert unigrams[3,] == unigrams[4,] == unigrams[5,] == pytest.approx(0.2)
    assert unigrams[END,] == pytest.approx(0.3)
    assert probabilities(model, 2) == pytest.approx(
        {
            (BEGIN, 3): (2 - 1) / 2 + 0.5 * 0.2,
            (3, 4): (1 - 0.5) / 2 + 0.5 * 0.2,
            (3, 5): (1 - 0.5) / 2 + 0.5 * 0.2,
            (4, END): (1 - 0.5) / 1 + 0.5 * 0.3,
            (5, END): (1 - 0.5) / 1 + 0.5 * 0.3,
        }
    )
    contexts = {(0,): 1, (BEGIN,): 0.5, (END,): 1, (3,): 0.5, (4,): 0.5, (5,): 0.5}
    assert backoffs(model, 1) == pytest.approx(contexts)


def test_what_is_pruned_goes_to_the_backoff() -> None:
    sentences, vocabulary = read_text(["a b", "a c"])
    model = estimate(sentences, len(vocabulary), (0, 1))
    assert probabilities(model, 2) == pytest.approx({(BEGIN, 3): 0.6})
    assert backoffs(model, 1)[3,] == pytest.approx(1.0)


def test_discounts_follow_the_counts_of_counts() -> None:
    adjusted = np.repeat(np.arange(6, dtype=np.uint32), [7, 10, 5, 3, 2, 9])
    discounts, estimated = estimate_discounts(adjusted)
    assert estimated
    assert discounts == pytest.approx(
        (1 - 2 * 0.5 * 5 / 10, 2 - 3 * 0.5 * 3 / 5, 3 - 4 * 0.5 * 2 / 3)
    )


@pytest.mark.parametrize("counts", [[0, 5, 3, 2], [10, 0, 3, 2], [10, 5, 0, 2], [9, 1, 9, 1]])
def test_discounts_fall_back_where_they_cannot_be_estimated(counts: list[int]) -> None:
    adjusted = np.repeat(np.arange(1, 5, dtype=np.uint32), counts)
    assert estimate_discounts(adjusted) == (FALLBACK, False)


def test_every_order_is_reported() -> None:
    sentences, vocabulary = read_text(["a b", "a c"])
    reports: list[OrderReport] = []
    estimate(sentences, len(vocabulary), (0, 1), reports.append)
    assert reports == [OrderReport(1, 6, 6, FALLBACK, False), OrderReport(2, 5, 1, FALLBACK, False)]


def test_a_sentence_begins_after_every_line() -> None:
    documents = np.array([BEGIN, 5, END, 6, END, BEGIN, 7, END], dtype=np.uint16)
    expected = [BEGIN, 5, END, BEGIN, 6, END, BEGIN, 7, END]
    assert split_sentences(documents).tolist() == expected


@no_deadline
@given(lines, prunes)
def test_rows_sum_to_one(text: list[str], prune: tuple[int, ...]) -> None:
    sentences, vocabulary = read_text(text)
    model = estimate(sentences, len(vocabulary) + 1, prune)  # one word never occurs
    contexts = [(BEGIN,), (0,), (BEGIN, 3), (3, 3), (BEGIN, 3, 0, 3)]
    assert np.exp(model.log_probs(contexts)).sum(axis=1) == pytest.approx(1, abs=1e-5)


@no_deadline
@given(lines, prunes)
def test_agrees_with_the_definition(text: list[str], prune: tuple[int, ...]) -> None:
    sentences, vocabulary = read_text(text)
    model = estimate(sentences, len(vocabulary), prune)
    definition = Definition(sentences.tolist(), len(vocabulary), prune)
    for order in range(1, len(prune) + 1):
        found = probabilities(model, order)
        found.pop((BEGIN,), None)
        assert set(found) == definition.kept[order]
        for words, probability in found.items():
            assert probability == pytest.approx(definition.probability(words), rel=1e-5)


def test_the_size_of_slices_and_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = small_model((0, 0, 1, 1))
    monkeypatch.setattr(ngram_counts, "SLICES", 40)
    monkeypatch.setattr(ngram_counts, "_BLOCK", 100)
    sentences, vocabulary = small_text()
    assert_equal(estimate(sentences, len(vocabulary), (0, 0, 1, 1)), whole, within=0)


def test_agrees_with_the_verified_file() -> None:
    _, vocabulary = small_text()
    expected = read_arpa(DATA / "kneser_ney.arpa.gz", vocabulary)
    assert_equal(small_model((0, 0, 1, 1)), expected, within=1e-5)


@needs_reference
@pytest.mark.parametrize(
    ("name", "prune"), [("kn_o3.arpa.xz", (0, 0, 0)), ("kn_o5_pruned.arpa.xz", (0, 0, 1, 1, 2))]
)
def test_agrees_with_lmplz(name: str, prune: tuple[int, ...]) -> None:
    sentences, vocabulary = reference_text()
    expected = read_arpa(REFERENCE / name, vocabulary)
    assert_equal(estimate(sentences, len(vocabulary), prune), expected, within=1e-5)


def assert_equal(model: NgramModel, expected: NgramModel, within: float) -> None:
    """Assert that two models hold the same n-grams with the same log10 weights."""
    assert len(model.orders) == len(expected.orders)
    for found, wanted in zip(model.orders, expected.orders, strict=True):
        assert np.array_equal(found.keys, wanted.keys)
        np.testing.assert_allclose(found.log10_prob, wanted.log10_prob, rtol=0, atol=within)
        np.testing.assert_allclose(found.log10_backoff, wanted.log10_backoff, rtol=0, atol=within)


class Definition:
    """Kneser-Ney smoothing as it is written down, with dictionaries and recursion."""

    def __init__(self, stream: Sequence[int], vocabulary_size: int, prune: tuple[int, ...]) -> None:
        self.vocabulary_size = vocabulary_size
        highest = len(prune)
        raw = {order: self._count(stream, order) for order in range(1, highest + 1)}
        self.kept = {
            order: {words for words, count in raw[order].items() if count > prune[order - 1]}
            for order in raw
        }
        self.kept[1] = {(word,) for word in range(vocabulary_size) if word != BEGIN}
        self.adjusted = {highest: raw[highest]}
        for order in range(1, highest):
            before = Counter(words[1:] for words in raw[order + 1])
            starting = {words: n for words, n in raw[order].items() if words[0] == BEGIN}
            self.adjusted[order] = Counter({**before, **starting})
        self.discounts = {
            order: estimate_discounts(np.array(list(counts.values()), dtype=np.uint32))[0]
            for order, counts in self.adjusted.items()
        }
        self.successors: dict[tuple[int, ...], set[tuple[int, ...]]] = defaultdict(set)
        for counts in self.adjusted.values():
            for words in counts:
                self.successors[words[:-1]].add(words)

    @staticmethod
    def _count(stream: Sequence[int], order: int) -> Counter[tuple[int, ...]]:
        windows = (tuple(stream[end - order : end]) for end in range(order, len(stream) + 1))
        return Counter(words for words in windows if BEGIN not in words[1:] and words != (BEGIN,))

    def probability(self, words: tuple[int, ...]) -> float:
        if not words:
            return 1 / (self.vocabulary_size - 1)
        order = len(words)
        counts = self.adjusted[order]
        followers = self.successors[words[:-1]]
        total = sum(counts[follower] for follower in followers)
        freed = sum(self._given_up(follower) for follower in followers)
        share = (counts[words] - self._given_up(words)) / total
        return share + freed / total * self.probability(words[1:])

    def _given_up(self, words: tuple[int, ...]) -> float:
        count = self.adjusted[len(words)][words]
        if words not in self.kept[len(words)]:
            return count
        return (0.0, *self.discounts[len(words)])[min(count, 3)]
