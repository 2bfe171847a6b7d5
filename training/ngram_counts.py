"""Counting the n-grams of a corpus that fits in memory, order by order.

Every distinct n-gram of an order gets a number, and so does the place in the
text where it ends. An n-gram of order k is then a pair: the number of its
context (the k-1 words before its last) and its last word. Sorting such pairs,
packed into 64 bits with the place they came from, brings equal ones together:
that counts them, numbers them, and leaves them grouped by context. Whatever the
order, a pair has the same width.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BEGIN, END = 1, 2
"""Ids of ``<s>`` and ``</s>``."""

THREADS = 2
"""Sorting threads: numpy lets go of the interpreter lock; more only costs memory."""

SLICES = 12
"""Parts an order is sorted in, at least: small enough for their scratch memory not to matter."""

_BLOCK = 1 << 18
"""Places looked at together when a part is gathered: small enough for the processor's cache."""

_NOWHERE = np.uint32(0xFFFFFFFF)
"""The number of "no n-gram of this order ends here"."""


@dataclass
class OrderCounts:
    """The distinct n-grams of one order, sorted by context, then by last word.

    context   uint32 [n]: number of its context among the n-grams one order lower
    count     uint32 [n]: how often it occurs
    adjusted  uint32 [n]: its adjusted count (see ``count_ngrams``)
    kept      uint32 [m]: the numbers of those that survive pruning, ascending
    word      uint16 [m]: their last words
    suffix    uint32 [m]: number of each without its first word, one order lower
    """

    context: NDArray[np.uint32]
    count: NDArray[np.uint32]
    adjusted: NDArray[np.uint32]
    kept: NDArray[np.uint32]
    word: NDArray[np.uint16]
    suffix: NDArray[np.uint32]


def split_sentences(ids: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return documents as sentences: ``<s>`` put after every ``</s>`` that more text follows."""
    starts = np.flatnonzero((ids[:-1] == END) & (ids[1:] != BEGIN)) + 1
    return np.insert(ids, starts, BEGIN)


def count_ngrams(
    sentences: NDArray[np.uint16], vocabulary_size: int, prune: tuple[int, ...]
) -> Iterator[OrderCounts]:
    """Yield the counts of order 1, 2, ... ``len(prune)``.

    ``sentences`` is a stream of ``<s> word ... </s>``. An n-gram of order k is
    kept where it occurs more than ``prune[k - 1]`` times; every word is kept.

    The adjusted count is what Kneser-Ney smoothing estimates from. For the
    highest order, and for n-grams that begin with ``<s>``, it is the count; for
    all others it is the number of distinct words seen before the n-gram, since a
    lower order is asked only where the higher one knows nothing. ``<s>`` itself
    is never predicted and has none.
    """
    # Counts of an order stay open until the next order has been counted: only
    # then is it known how many different words come before each n-gram.
    numbers = sentences.astype(np.uint32)
    counts = _count_words(sentences, vocabulary_size)
    begins = np.arange(vocabulary_size) == BEGIN
    for order in range(2, len(prune) + 1):
        counter = _Counter(sentences, numbers, counts.count, vocabulary_size, prune[order - 1])
        higher, before, numbers = counter.run(renumber=order < len(prune))
        counts.adjusted = np.where(begins, counts.count, before)
        if order == 2:
            counts.adjusted[BEGIN] = 0
        yield counts
        begins = begins[higher.context]
        counts = higher
    yield counts


def _count_words(sentences: NDArray[np.uint16], vocabulary_size: int) -> OrderCounts:
    count = np.zeros(vocabulary_size, dtype=np.uint32)
    for start in range(0, len(sentences), _BLOCK):
        np.add.at(count, sentences[start : start + _BLOCK], np.uint32(1))
    adjusted = count.copy()
    adjusted[BEGIN] = 0
    return OrderCounts(
        context=np.zeros(vocabulary_size, dtype=np.uint32),
        count=count,
        adjusted=adjusted,
        kept=np.arange(vocabulary_size, dtype=np.uint32),
        word=np.arange(vocabulary_size, dtype=np.uint16),
        suffix=np.zeros(vocabulary_size, dtype=np.uint32),
    )


class _Slice(NamedTuple):
    """The n-grams whose contexts lie in one range, numbered from 0.

    suffix  uint32 [n]: number of each without its first word, one order lower
    ends    uint32 [place]: the places in the text where they end
    rank    uint32 [place]: which of them ends there
    """

    counts: OrderCounts
    suffix: NDArray[np.uint32]
    ends: NDArray[np.uint32]
    rank: NDArray[np.uint32]


class _Counter:
    """Counts one order, given the numbers of the n-grams one order lower.

    ``numbers`` uint32 [place]: which of them ends there; ``counts`` uint32 [n]:
    how often each occurs.
    """

    def __init__(
        self,
        sentences: NDArray[np.uint16],
        numbers: NDArray[np.uint32],
        counts: NDArray[np.uint32],
        vocabulary_size: int,
        threshold: int,
    ) -> None:
        self._sentences = sentences
        self._numbers = numbers
        self._counts = counts
        self._threshold = threshold
        self._place_bits = np.uint64(len(sentences).bit_length())
        self._word_bits = np.uint64(vocabulary_size.bit_length())

    def run(self, renumber: bool) -> tuple[OrderCounts, NDArray[np.uint32], NDArray[np.uint32]]:
        """Return the counts, the number of distinct n-grams per suffix, and the new numbers.

        The new numbers are left out (empty) unless ``renumber``.
        """
        numbers = np.full(len(self._numbers) if renumber else 0, _NOWHERE)
        before = np.zeros(len(self._counts), dtype=np.uint32)
        parts: list[OrderCounts] = []
        total = 0
        with ThreadPoolExecutor(THREADS) as pool:
            for counts, suffix, ends, rank in pool.map(self._count_slice, *self._ranges()):
                if renumber:
                    numbers[ends] = rank + np.uint32(total)
                np.add.at(before, suffix, np.uint32(1))
                counts.kept += np.uint32(total)
                parts.append(counts)
                total += len(counts.count)
        return _join(parts), before, numbers

    def _ranges(self) -> tuple[list[int], list[int]]:
        """Return starts and ends of context ranges of similar weight whose numbers fit in a key."""
        width = 1 << int(64 - self._place_bits - self._word_bits)
        running = np.cumsum(self._counts, dtype=np.int64)
        even = np.searchsorted(running, np.linspace(0, self._counts.sum(), SLICES + 1)[1:-1])
        fitting = np.arange(0, max(1, len(running)), width)
        first = np.unique(np.append(fitting, even))
        return first.tolist(), [*first[1:].tolist(), len(running)]

    def _count_slice(self, low: int, high: int) -> _Slice:
        keys = self._sorted_keys(low, high)
        ends = (keys & _low(self._place_bits)).astype(np.uint32)
        keys >>= self._place_bits
        is_first = np.ones(len(keys), dtype=bool)
        np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
        first = np.flatnonzero(is_first)
        count = np.diff(first, append=len(keys)).astype(np.uint32)
        grams = keys[first]
        kept = np.flatnonzero(count > self._threshold).astype(np.uint32)
        suffix = self._numbers[ends[first]]
        counts = OrderCounts(
            context=(grams >> self._word_bits).astype(np.uint32) + np.uint32(low),
            count=count,
            adjusted=count,
            kept=kept,
            word=(grams[kept] & _low(self._word_bits)).astype(np.uint16),
            suffix=suffix[kept],
        )
        rank = np.cumsum(is_first, dtype=np.uint32) - np.uint32(1)
        return _Slice(counts, suffix, ends, rank)

    def _sorted_keys(self, low: int, high: int) -> NDArray[np.uint64]:
        """Return (context - low, word, place) of every event in the range, packed and sorted."""
        blocks = range(0, len(self._sentences), _BLOCK)
        places = np.concatenate([self._places(start, low, high) for start in blocks])
        keys: NDArray[np.uint64] = self._numbers[places].astype(np.uint64)
        keys -= np.uint64(low)
        places += 1
        keys <<= self._word_bits
        keys |= self._sentences[places]
        keys <<= self._place_bits
        keys |= places.view(np.uint64)
        keys.sort()
        return keys

    def _places(self, start: int, low: int, high: int) -> NDArray[np.int64]:
        """Return where, in a block of text, contexts of the range end and a word follows."""
        contexts = self._numbers[start : start + _BLOCK]
        following = self._sentences[start + 1 : start + 1 + _BLOCK]
        # Below `low` the difference wraps round to something large.
        inside = contexts[: len(following)] - np.uint32(low) < np.uint32(high - low)
        inside &= following != BEGIN
        places = np.flatnonzero(inside)
        places += start
        return places


def _low(bits: np.uint64) -> np.uint64:
    """Return a mask of the lowest bits."""
    return (np.uint64(1) << bits) - np.uint64(1)


def _join(parts: list[OrderCounts]) -> OrderCounts:
    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    count = column("count")
    return OrderCounts(
        context=column("context"),
        count=count,
        adjusted=count,
        kept=column("kept"),
        word=column("word"),
        suffix=column("suffix"),
    )
