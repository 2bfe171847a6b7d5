"""Interpolated modified Kneser-Ney smoothing.

S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for
language modeling", Computer Speech and Language 13 (1999); with pruning by
count as K. Heafield et al., "Scalable modified Kneser-Ney language model
estimation", ACL 2013::

    p(w | h) = (a(hw) - D(a(hw))) / sum_v a(hv)  +  backoff(h) p(w | h')

where a is the adjusted count (``count_ngrams``), D the discount for that count,
h' the context h without its oldest word, and the chain ends in the uniform
distribution. What discounting and pruning take away from the successors of h
is exactly what backoff(h) hands down, so every row sums to one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.ngram_counts import OrderCounts, count_ngrams
from training.ngrams import BEGIN, NEVER, NgramModel, Order


class Discounts(NamedTuple):
    """What is taken from adjusted counts of one, two, and three or more."""

    one: float
    two: float
    more: float


FALLBACK = Discounts(0.5, 1.0, 1.5)
"""Discounts for an order that has too little text to estimate them from."""


_NO_CONTEXT = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class OrderReport:
    """What was found in one order: distinct n-grams, those kept, and the discounts.

    ``estimated`` is False where the discounts are FALLBACK.
    """

    order: int
    distinct: int
    kept: int
    discounts: Discounts
    estimated: bool


@dataclass(frozen=True)
class _Distributions:
    """The kept n-grams of one order, their numbers, contexts, last words and probabilities."""

    kept: NDArray[np.uint32]
    context: NDArray[np.uint32]
    word: NDArray[np.uint16]
    probability: NDArray[np.float64]

    def order(self, backoff: NDArray[np.float64]) -> Order:
        log10_prob = np.log10(self.probability).astype(np.float32)
        return Order(self.context, self.word, log10_prob, np.log10(backoff).astype(np.float32))


def estimate(
    sentences: NDArray[np.uint16],
    vocabulary_size: int,
    prune: tuple[int, ...],
    report: Callable[[OrderReport], None] = lambda _: None,
) -> NgramModel:
    """Return the model of order ``len(prune)`` of a text.

    ``sentences`` is a stream of ``<s> word ... </s>`` (see ``split_sentences``).
    An n-gram of order k is pruned where it occurs at most ``prune[k - 1]`` times;
    thresholds must start with 0 and not decrease. Every word of the vocabulary
    gets a probability, those that never occur what ``<unk>`` gets.
    """
    orders: list[Order] = []
    lower = _uniform(vocabulary_size)
    for number, counts in enumerate(count_ngrams(sentences, vocabulary_size, prune), start=1):
        discounts, estimated = estimate_discounts(counts.adjusted)
        report(OrderReport(number, len(counts.count), len(counts.kept), discounts, estimated))
        current, backoff = _interpolate(counts, discounts, lower)
        if number == 1:
            current.probability[BEGIN] = 10.0**NEVER
        else:
            orders.append(lower.order(backoff))
        lower = current
    return NgramModel((*orders, lower.order(np.ones(len(lower.kept)))))


def estimate_discounts(adjusted: NDArray[np.uint32]) -> tuple[Discounts, bool]:
    """Return the discounts for an order's adjusted counts, and whether they could be estimated.

    Chen & Goodman (1999), eq. 26; FALLBACK where a count of counts is zero or a
    discount is out of bounds.
    """
    ones, twos, threes, fours = np.bincount(np.minimum(adjusted, 5), minlength=6)[1:5].tolist()
    if 0 in (ones, twos, threes):
        return FALLBACK, False
    shrink = ones / (ones + 2 * twos)
    discounts = Discounts(
        1 - 2 * shrink * twos / ones,
        2 - 3 * shrink * threes / twos,
        3 - 4 * shrink * fours / threes,
    )
    if not all(0 < discount <= count for count, discount in enumerate(discounts, start=1)):
        return FALLBACK, False
    return discounts, True


def _uniform(vocabulary_size: int) -> _Distributions:
    """Return order 0: the empty context's distribution over every word but ``<s>``."""
    return _Distributions(
        kept=np.zeros(1, dtype=np.uint32),
        context=np.zeros(1, dtype=np.uint32),
        word=np.zeros(1, dtype=np.uint16),
        probability=np.array([1 / (vocabulary_size - 1)]),
    )


def _interpolate(
    counts: OrderCounts, discounts: Discounts, lower: _Distributions
) -> tuple[_Distributions, NDArray[np.float64]]:
    """Return the distributions of an order, and the backoffs of their contexts."""
    adjusted = counts.adjusted[counts.kept]
    discount = np.array([0.0, *discounts])[np.minimum(adjusted, 3)]
    freed = counts.adjusted.astype(np.float32)  # pruned n-grams give all they have,
    freed[counts.kept] = discount  # kept ones their discounts
    total, freed_total = _context_sums(counts.context, (counts.adjusted, freed), lower.kept)
    backoff = np.divide(freed_total, total, out=np.ones(len(total)), where=total > 0)

    context = np.searchsorted(lower.kept, counts.context[counts.kept])
    suffix = np.searchsorted(lower.kept, counts.suffix)
    share = (adjusted - discount) / total[context]
    probability = share + backoff[context] * lower.probability[suffix]
    return _Distributions(counts.kept, context.astype(np.uint32), counts.word, probability), backoff


def _context_sums(
    context: NDArray[np.uint32],
    values: tuple[NDArray[np.uint32], NDArray[np.float32]],
    wanted: NDArray[np.uint32],
) -> list[NDArray[np.float64]]:
    """Return the sum of each array over each wanted context, 0 where one has no n-gram.

    ``context`` and ``wanted`` ascend.
    """
    is_first = np.ones(len(context), dtype=bool)
    np.not_equal(context[1:], context[:-1], out=is_first[1:])
    first = np.flatnonzero(is_first)
    place = np.searchsorted(context[first], wanted)
    is_present = np.append(context[first], _NO_CONTEXT)[place] == wanted
    sums = (np.append(np.add.reduceat(array, first, dtype=np.float64), 0.0) for array in values)
    return [np.where(is_present, array[place], 0.0) for array in sums]
