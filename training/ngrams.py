"""A back-off n-gram model as arrays: what estimation makes, ARPA files hold, and graphs read.

The probability of a word w after a context h is that of the longest n-gram the
model knows that ends in w, times the backoff of every longer context::

    p(w | h) = p(hw)                      if the model holds hw
             = backoff(h) p(w | h')       otherwise, h' being h without its oldest word

A context that the model does not hold has backoff 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nextword.errors import RunError

UNKNOWN, BEGIN, END = 0, 1, 2
"""Ids of ``<unk>``, ``<s>`` and ``</s>``."""

NEVER = -99.0
"""The log10 probability of ``<s>``, which is never predicted; ARPA files use this number too."""

_WORD_BITS = np.uint64(16)


@dataclass(frozen=True)
class Order:
    """The n-grams of one order, sorted by context, then by last word.

    context        uint32 [n]: row of its context (all but its last word) one order lower
    word           uint16 [n]: its last word
    log10_prob     float32 [n]: log10 probability of the last word in that context
    log10_backoff  float32 [n]: log10 backoff of the n-gram as a context, 0 where it is none

    Order 1 holds every word of the vocabulary, in order, with context 0.
    """

    context: NDArray[np.uint32]
    word: NDArray[np.uint16]
    log10_prob: NDArray[np.float32]
    log10_backoff: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.word)

    @cached_property
    def keys(self) -> NDArray[np.uint64]:
        """Context and word as one number each, ascending."""
        return pack(self.context, self.word)


@dataclass(frozen=True)
class NgramModel:
    """The orders of a model, from 1 up."""

    orders: tuple[Order, ...]

    @property
    def vocabulary_size(self) -> int:
        """The number of words, special ones included."""
        return len(self.orders[0])

    def rows(self, ngrams: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the row of each n-gram in its order, -1 where the model does not hold it.

        ``ngrams`` [n, order] are word ids, oldest first.
        """
        found = ngrams[:, 0].astype(np.int64)
        for order, word in zip(self.orders[1 : ngrams.shape[1]], ngrams.T[1:], strict=True):
            wanted = pack(found, word)
            place = np.searchsorted(order.keys, wanted)
            held = place < len(order)
            held[held] = order.keys[place[held]] == wanted[held]
            found = np.where(held & (found >= 0), place, -1)
        return found

    def ngrams(self, order: int) -> NDArray[np.uint16]:
        """Return the words of an order's n-grams, [n, order], oldest first."""
        rows: NDArray[np.integer] = np.arange(len(self.orders[order - 1]))
        columns = []
        for level in reversed(self.orders[:order]):
            columns.append(level.word[rows])
            rows = level.context[rows]
        return np.stack(columns[::-1], axis=1)

    def log_probs(self, contexts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return natural log-probabilities of the next word, [context, vocabulary].

        Only the last ``order - 1`` words of a context count.
        """
        table = np.tile(self.orders[0].log10_prob, (len(contexts), 1))
        for length in range(1, len(self.orders)):
            lines = [number for number, context in enumerate(contexts) if len(context) >= length]
            if not lines:
                break
            rows = self.rows(np.array([contexts[number][-length:] for number in lines]))
            for number, row in zip(lines, rows.tolist(), strict=True):
                if row >= 0:
                    self._apply(table[number], length, row)
        return table * np.float32(np.log(10))

    def _apply(self, line: NDArray[np.float32], length: int, row: int) -> None:
        """Put what a context of ``length`` words knows over what shorter ones said."""
        line += self.orders[length - 1].log10_backoff[row]
        higher = self.orders[length]
        first, last = np.searchsorted(higher.context, np.array([row, row + 1], dtype=np.uint32))
        line[higher.word[first:last]] = higher.log10_prob[first:last]

    def save(self, path: Path) -> None:
        """Write the arrays as one ``.npz`` file, whole or not at all."""
        arrays = {
            f"{name}_{number}": getattr(order, name)
            for number, order in enumerate(self.orders, start=1)
            for name in Order.__dataclass_fields__
        }
        beside = path.with_name(path.name + ".part")
        try:
            with beside.open("wb") as stream:
                np.savez(stream, **arrays)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote. Raises RunError where it can't."""
        try:
            with np.load(path) as arrays:
                numbers = range(1, len(arrays.files) // len(Order.__dataclass_fields__) + 1)
                return cls(
                    tuple(
                        Order(*(arrays[f"{name}_{number}"] for name in Order.__dataclass_fields__))
                        for number in numbers
                    )
                )
        except FileNotFoundError as error:
            raise RunError(f"{path}: no n-grams here; train this run to its end first") from error
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"{path}: is damaged; delete it and train again") from error


def pack(context: NDArray[np.integer], word: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return contexts and words as one number each, ordered as they are."""
    return context.astype(np.uint64) << _WORD_BITS | word.astype(np.uint64)
