"""The contexts of an n-gram model laid out for lookup by the words that stand before the cursor.

Every context is a node. Those of one word stand first, each at the place of its
word; longer ones stand in the slots of a perfect hash table behind them. A slot
names its node's parent (the context without its oldest word) and that oldest
word: a context is found only where both agree all the way down to its newest
word, so there are no false hits, and all lengths can be looked up at once.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from training import perfect_hash
from training.ngrams import NgramModel
from training.perfect_hash import PerfectHash

_COMMON = 1 / 16
"""Share of the vocabulary seen after a word from which on it gets a row of its own."""

_LN10 = np.log(10)


@dataclass(frozen=True)
class ContextTable:
    """Nodes, what they hand down, and what may follow them.

    hash       slots of the contexts of two words and more (see ``hash_keys``)
    parent     int32 [slot]: the parent's node, -1 where the slot is empty
    oldest     uint16 [slot]: the oldest word
    backoff    float32 [node]: natural log; the last node is ``nothing``
    start      int32 [node + 1]: where each node's successors start, and the end
    successor  uint16 [n]: words that may follow, node by node
    log_prob   float32 [n]: their natural log-probabilities
    rows       float32 [row, vocabulary]: natural log-probabilities of every word; row 0 are the
               unigrams, the others stand for a word after which a large part of the vocabulary
               was seen: copying a row is faster than putting thousands of words into one.
               What such a node hands down is in its row; it has backoff 0 and no successors
    row        int32 [vocabulary]: which row to start from after a word
    """

    hash: PerfectHash
    parent: NDArray[np.int32]
    oldest: NDArray[np.uint16]
    backoff: NDArray[np.float32]
    start: NDArray[np.int32]
    successor: NDArray[np.uint16]
    log_prob: NDArray[np.float32]
    rows: NDArray[np.float32]
    row: NDArray[np.int32]

    @property
    def nothing(self) -> int:
        """The node that hands everything down: no backoff and no successors."""
        return len(self.backoff) - 1

    @classmethod
    def build(cls, model: NgramModel) -> Self:
        """Lay out a model's contexts; those that know nothing are left out."""
        contexts = _contexts(model)
        width = len(contexts)
        table = perfect_hash.build(
            np.concatenate(
                [
                    np.zeros((0, width), np.int64),
                    *(hash_keys(words, width) for words in contexts[1:]),
                ]
            )
        )
        finder = _Finder(table, width, model.vocabulary_size)
        nodes = [finder.nodes(words) for words in contexts]
        parent = np.full(table.size, -1, dtype=np.int32)
        oldest = np.zeros(table.size, dtype=np.uint16)
        for node, words in zip(nodes[1:], contexts[1:], strict=True):
            slot = node - model.vocabulary_size
            parent[slot] = finder.nodes(words[:, 1:])
            oldest[slot] = words[:, 0]
        common = _common_words(model)
        held = [model.rows(words) for words in contexts]
        if held:
            held[0] = np.where(np.isin(held[0], common), -1, held[0])
        count = model.vocabulary_size + table.size + 1
        return cls(
            table,
            parent,
            oldest,
            _backoffs(model, nodes, held, count),
            *_successors(model, nodes, held, count),
            model.log_probs([(), *common[:, None].tolist()]),
            _numbered(common, model.vocabulary_size),
        )


def hash_keys(words: NDArray[np.uint16], width: int) -> NDArray[np.int64]:
    """Return contexts [n, length] as keys [n, width]: ids plus one, zeros before the oldest."""
    keys = np.zeros((len(words), width), dtype=np.int64)
    keys[:, width - words.shape[1] :] = words
    keys[:, width - words.shape[1] :] += 1
    return keys


def _contexts(model: NgramModel) -> list[NDArray[np.uint16]]:
    """Return the contexts of one word, of two, ...: arrays [n, length] of words, oldest first.

    Every word is one; of the longer ones, those that have successors or a backoff, and
    whatever stands on the way to a longer one.
    """
    contexts: list[NDArray[np.uint16]] = []
    ways = np.zeros((0, len(model.orders) - 1), dtype=np.uint16)
    for length in range(len(model.orders) - 1, 1, -1):
        knows = model.orders[length - 1].log10_backoff != 0
        knows[model.orders[length].context] = True
        rows = model.rows(ways)
        knows[rows[rows >= 0]] = True
        blanks = np.unique(ways[rows < 0], axis=0)
        contexts.append(np.concatenate([model.ngrams(length)[knows], blanks]))
        ways = contexts[-1][:, 1:]
    if len(model.orders) > 1:
        contexts.append(model.ngrams(1))
    return contexts[::-1]


@dataclass(frozen=True)
class _Finder:
    """Says at which node a context stands."""

    table: PerfectHash
    width: int
    vocabulary_size: int

    def nodes(self, words: NDArray[np.uint16]) -> NDArray[np.int64]:
        """Return the node of each context [n, length] of the table."""
        if words.shape[1] == 1:
            return words[:, 0].astype(np.int64)
        return self.vocabulary_size + self.table.slots(hash_keys(words, self.width))


def _common_words(model: NgramModel) -> NDArray[np.int64]:
    """Return the words after which more than a fixed share of the vocabulary was seen."""
    if len(model.orders) == 1:
        return np.zeros(0, dtype=np.int64)
    seen_after = np.bincount(model.orders[1].context, minlength=model.vocabulary_size)
    return np.flatnonzero(seen_after > model.vocabulary_size * _COMMON)


def _numbered(words: NDArray[np.int64], vocabulary_size: int) -> NDArray[np.int32]:
    """Return 1, 2, ... at the places of ``words``, 0 elsewhere."""
    numbers = np.zeros(vocabulary_size, dtype=np.int32)
    numbers[words] = np.arange(1, len(words) + 1)
    return numbers


def _backoffs(
    model: NgramModel, nodes: list[NDArray[np.int64]], rows: list[NDArray[np.int64]], count: int
) -> NDArray[np.float32]:
    backoff = np.zeros(count)
    for order, node, row in zip(model.orders, nodes, rows, strict=False):
        held = row >= 0
        backoff[node[held]] = order.log10_backoff[row[held]] * _LN10
    return backoff.astype(np.float32)


def _successors(
    model: NgramModel, nodes: list[NDArray[np.int64]], rows: list[NDArray[np.int64]], count: int
) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.float32]]:
    """Return where each node's successors start, their words, and their log-probabilities."""
    owner = np.zeros(0, dtype=np.int64)
    word = np.zeros(0, dtype=np.uint16)
    log10_prob = np.zeros(0, dtype=np.float32)
    for lower, higher, node, row in zip(model.orders, model.orders[1:], nodes, rows, strict=False):
        node_of_row = np.full(len(lower), -1)
        node_of_row[row[row >= 0]] = node[row >= 0]
        owners = node_of_row[higher.context]
        owner = np.append(owner, owners[owners >= 0])
        word = np.append(word, higher.word[owners >= 0])
        log10_prob = np.append(log10_prob, higher.log10_prob[owners >= 0])
    by_owner = np.argsort(owner, kind="stable")
    start = np.append(0, np.cumsum(np.bincount(owner, minlength=count))).astype(np.int32)
    return start, word[by_owner], (log10_prob[by_owner] * _LN10).astype(np.float32)
