"""Word search: log-probabilities of pieces to the best words of the lexicon.

A word's probability is the product of its pieces', so it is at most that of
its first ones. Best-first search uses this bound: it looks behind a piece only
while a word behind it could still be among the best, and what it returns is
exact within the lexicon.
"""

import heapq
import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nextword.lexicon import Lexicon
from nextword.text import fold
from nextword.tokenizer import Tokenizer

MAX_FORMS = 3
"""Written forms that a word may have in the lexicon: ``vs``, ``Vs``, ``VS``."""

BATCH = 8
"""So many beginnings are looked behind at once: one run of eight costs less than three of one."""

CACHED_PREFIXES = 1024
LONGEST_CACHED = 3

PiecePath = tuple[int, ...]
Rows = NDArray[np.int64]
Expand = Callable[[Sequence[PiecePath]], Sequence[NDArray[np.float32]]]


@dataclass(frozen=True)
class Found:
    """A word that was found, and its natural log-probability."""

    word: str
    log_prob: float


class WordIndex:
    """The lexicon's words in the order of their folded forms, with their pieces.

    pieces  int32 [words, most pieces], -1 behind a word's last piece
    length  int64 [words], pieces of each word
    """

    def __init__(self, lexicon: Lexicon, tokenizer: Tokenizer) -> None:
        encoded = zip(lexicon.words, tokenizer.encode_words(lexicon.words), strict=True)
        unknown = tokenizer.special_ids.unknown
        entries = sorted(
            (fold(word), word, pieces)
            for word, pieces in encoded
            if pieces and unknown not in pieces
        )
        self.words = [word for _, word, _ in entries]
        self.folded = [folded for folded, _, _ in entries]
        self.length = np.array([len(pieces) for _, _, pieces in entries], dtype=np.int64)
        self.pieces = np.full((len(entries), max(self.length, default=1)), -1, dtype=np.int32)
        places = np.arange(self.pieces.shape[1]) < self.length[:, None]
        self.pieces[places] = list(chain.from_iterable(pieces for _, _, pieces in entries))
        self.first = np.ascontiguousarray(self.pieces[:, 0])
        self._whole = np.flatnonzero(self.length == 1)
        self._parted = np.flatnonzero(self.length > 1)
        self._starting_with_cached = lru_cache(maxsize=CACHED_PREFIXES)(self._starting_with)

    def starting_with(self, prefix: str) -> "Candidates":
        """Return the words that start with ``prefix``, case aside."""
        # Short prefixes come again and again, and hold the most words. Longer ones are
        # cheap to look up, may be of any length, and are more than need be remembered.
        if len(prefix) <= LONGEST_CACHED:
            return self._starting_with_cached(prefix)
        return self._starting_with(prefix)

    def _starting_with(self, prefix: str) -> "Candidates":
        folded = fold(prefix)
        start = bisect_left(self.folded, folded)
        end = bisect_left(self.folded, folded + chr(0x10FFFF), lo=start)
        parted = _between(self._parted, start, end)
        whole = _between(self._whole, start, end)
        return Candidates(whole, self.first[whole], Groups(self.first[parted], parted))


def _between(rows: Rows, start: int, end: int) -> Rows:
    """Return those of sorted ``rows`` from ``start`` up to ``end``."""
    low, high = np.searchsorted(rows, (start, end))
    return rows[low:high]


@dataclass(frozen=True)
class Candidates:
    """Words to choose from: those of one piece with it, the others by their first."""

    whole: Rows
    pieces: NDArray[np.int32]
    parted: "Groups"


class Groups:
    """Words grouped by the piece that comes next: the distinct ``pieces``, and the rows of each."""

    def __init__(self, pieces: NDArray[np.int32], rows: Rows) -> None:
        order = np.argsort(pieces, kind="stable")
        self.pieces, starts = np.unique(pieces[order], return_index=True)
        self._rows = rows[order]
        self._edges = [*starts.tolist(), len(rows)]

    def rows(self, number: int) -> Rows:
        """Return the rows of the words with piece ``number``."""
        return self._rows[self._edges[number] : self._edges[number + 1]]


class _Best:
    """The best ``count`` words so far, each in its likeliest form."""

    def __init__(self, index: WordIndex, count: int) -> None:
        self._index, self._count = index, count
        self._found: dict[str, Found] = {}
        self.bar = -np.inf
        """What a word must exceed to come in."""

    def offer(self, rows: Rows, log_probs: NDArray[np.float32]) -> None:
        """Take in what is good enough of words at ``rows``."""
        keep = self._count * MAX_FORMS
        if len(rows) > keep:
            top = np.argpartition(log_probs, -keep)[-keep:]
            rows, log_probs = rows[top], log_probs[top]
        for row, log_prob in zip(rows.tolist(), log_probs.tolist(), strict=True):
            folded = self._index.folded[row]
            if folded not in self._found or log_prob > self._found[folded].log_prob:
                self._found[folded] = Found(self._index.words[row], log_prob)
        best = self.sorted()
        if len(best) == self._count:
            self._found = {fold(found.word): found for found in best}
            self.bar = best[-1].log_prob

    def sorted(self) -> list[Found]:
        """Return the best words, the likeliest first; of equals, the first in the alphabet."""
        ordered = sorted(self._found.values(), key=lambda found: (-found.log_prob, found.word))
        return ordered[: self._count]


def best_words(
    index: WordIndex, prefix: str, log_probs: NDArray[np.float32], expand: Expand, count: int
) -> tuple[list[Found], float]:
    """Return the ``count`` likeliest words that start with ``prefix``, and their kind's log mass.

    ``log_probs`` [V] is for the piece that comes first; ``expand`` gives it for
    the piece after each of some paths of equal length. The mass counts words
    that were not looked at by their bound, so it is never too small; without a
    prefix it is that of all text, one.
    """
    best = _Best(index, count)
    frontier = _Frontier(index)
    candidates = index.starting_with(prefix)
    scores = log_probs[candidates.pieces]
    best.offer(candidates.whole, scores)
    bounds = frontier.push((), candidates.parted, log_probs, best.bar)
    mass = _mass(scores) + _mass(bounds) if prefix else 1.0
    while batch := frontier.pop(best.bar):
        paths = [path for _, path, _ in batch]
        for (bound, path, rows), row in zip(batch, expand(paths), strict=True):
            following = np.float32(bound) + row
            ends = index.length[rows] == len(path) + 1
            scores = following[index.pieces[rows[ends], len(path)]]
            best.offer(rows[ends], scores)
            longer = rows[~ends]
            beginnings = Groups(index.pieces[longer, len(path)], longer)
            bounds = frontier.push(path, beginnings, following, best.bar)
            if prefix:
                mass += _mass(scores) + _mass(bounds) - math.exp(bound)
    return best.sorted(), math.log(mass) if mass > 0 else 0.0


def _mass(log_probs: NDArray[np.float32]) -> float:
    return float(np.exp(log_probs).sum(dtype=np.float64))


class _Frontier:
    """The beginnings of words still to be looked behind, the likeliest first."""

    def __init__(self, index: WordIndex) -> None:
        self._index = index
        self._heap: list[tuple[float, PiecePath, Rows]] = []

    def pop(self, bar: float) -> list[tuple[float, PiecePath, Rows]]:
        """Take off the likeliest beginnings above ``bar``: at most BATCH, all of one length.

        Each comes as its log-probability, its pieces and its words.
        """
        batch: list[tuple[float, PiecePath, Rows]] = []
        others = []
        while self._heap and -self._heap[0][0] > bar and len(batch) < BATCH:
            negative, path, rows = heapq.heappop(self._heap)
            if batch and len(path) != len(batch[0][1]):
                others.append((negative, path, rows))
            else:
                batch.append((-negative, path, rows))
        for entry in others:
            heapq.heappush(self._heap, entry)
        return batch

    def push(
        self, path: PiecePath, beginnings: Groups, log_probs: NDArray[np.float32], bar: float
    ) -> NDArray[np.float32]:
        """Put ``path`` with each of ``beginnings`` on the frontier; return the bounds of them all.

        ``log_probs`` [V] is of the path with the piece behind it. Beginnings
        that can't reach ``bar`` are left out.
        """
        bounds = log_probs[beginnings.pieces]
        for number in np.flatnonzero(bounds > bar).tolist():
            piece = int(beginnings.pieces[number])
            entry = (-float(bounds[number]), (*path, piece), beginnings.rows(number))
            heapq.heappush(self._heap, entry)
        return bounds
