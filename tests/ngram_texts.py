"""Texts for the tests of n-gram models."""

import functools
import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from training.kneser_ney import estimate
from training.ngram_counts import split_sentences
from training.ngrams import BEGIN, END, NgramModel

DATA = Path(__file__).parent / "data"
REFERENCE = Path(__file__).parents[2] / "shared" / "reference"

needs_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason=f"the reference files of lmplz are not at {REFERENCE}"
)

no_deadline = settings(deadline=None)
"""For properties: how long an example takes depends on what else the machine does."""

Text = tuple[NDArray[np.uint16], list[str]]
"""A stream of sentences, and the vocabulary."""


def read_text(lines: list[str]) -> Text:
    """Return lines as sentences over the vocabulary of the words they hold."""
    ids = {"<unk>": 0, "<s>": BEGIN, "</s>": END}
    stream = [BEGIN]
    for line in lines:
        stream += [ids.setdefault(word, len(ids)) for word in line.split()]
        stream.append(END)
    return split_sentences(np.array(stream, dtype=np.uint16)), list(ids)


@functools.cache
def small_text() -> Text:
    """Return 300 lines of chat (self_dialogue, BSD-3-Clause)."""
    return read_text((DATA / "kneser_ney.txt").read_text(encoding="utf-8").splitlines())


@functools.cache
def small_model(prune: tuple[int, ...]) -> NgramModel:
    """Return a model of the small text."""
    sentences, vocabulary = small_text()
    return estimate(sentences, len(vocabulary), prune)


@functools.cache
def reference_text() -> Text:
    """Return the 20,000 lines that lmplz was given."""
    with lzma.open(REFERENCE / "kn_text.txt.xz", "rt", encoding="utf-8") as stream:
        return read_text(stream.read().splitlines())
