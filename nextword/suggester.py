"""Suggester: text before the cursor in, the words its typist most likely wants out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nextword.bundle import LEXICON, MODEL, TOKENIZER, Bundle, SelfTest
from nextword.errors import BundleSelfTestFailed, InputError
from nextword.lexicon import Lexicon
from nextword.predictor import Predictor
from nextword.search import Found, WordIndex, best_words
from nextword.text import (
    capitalize,
    match_case,
    recent,
    sentence_starts,
    split_messages,
    split_partial,
)
from nextword.tokenizer import Tokenizer

CHARACTERS_PER_PIECE = 16
"""Generous: so many characters hold at least as many pieces as a predictor looks back on."""


@dataclass(frozen=True)
class Suggestion:
    """A word for the strip, and how probable it is that it is the one wanted."""

    text: str
    probability: float


@dataclass(frozen=True)
class Suggestions:
    """The words for the strip, best first, all of them for the word begun with ``prefix``."""

    prefix: str
    suggestions: tuple[Suggestion, ...]


class Suggester:
    """A bundle at work. Attribute: its ``manifest``."""

    def __init__(self, bundle: Bundle, *, threads: int = 1, cache_bytes: int = 64 << 20) -> None:
        """Load a verified bundle; ``open`` also makes sure that it answers as it should."""
        self.manifest = bundle.manifest
        lexicon = Lexicon.read(bundle.file(LEXICON))
        self._tokenizer = Tokenizer(bundle.file(TOKENIZER), lexicon)
        self._index = WordIndex(lexicon, self._tokenizer)
        self._predictor = Predictor(
            bundle.file(MODEL),
            bundle.manifest.states,
            bundle.manifest.context_length,
            threads=threads,
            cache_bytes=cache_bytes,
        )
        self._characters = CHARACTERS_PER_PIECE * bundle.manifest.context_length

    @classmethod
    def open(cls, path: Path | str, *, threads: int = 1, cache_bytes: int = 64 << 20) -> Self:
        """Open the bundle at ``path``: checksums first, its self-test last.

        ``threads`` are onnxruntime's for one request, ``cache_bytes`` bounds
        what is remembered of recent contexts. Raises BundleError.
        """
        suggester = cls(Bundle.open(path), threads=threads, cache_bytes=cache_bytes)
        for test in suggester.manifest.self_test:
            suggester._check(test, path)
        return suggester

    def suggest(self, text: str, count: int = 3) -> Suggestions:
        """Return the ``count`` likeliest words at the end of ``text``.

        Where ``text`` ends inside a word, they are words that it begins;
        elsewhere, next words. The probabilities are of the word being the
        one wanted, given what of it was typed. Raises InputError where
        ``count`` is less than one.
        """
        if count < 1:
            raise InputError(f"count: {count} is less than 1; ask for at least one suggestion")
        context, prefix, starts_sentence = self._read(text)
        found, mass = self._find(context, prefix, count)
        return Suggestions(
            prefix,
            tuple(
                Suggestion(
                    _present(each.word, prefix, starts_sentence), math.exp(each.log_prob - mass)
                )
                for each in found
            ),
        )

    def next_words(self, text: str, count: int) -> list[Found]:
        """Return the likeliest words after finished ``text``, in the lexicon's case."""
        messages = [self._tokenizer.words(message) for message in split_messages(text)]
        return self._find(self._tokenizer.encode_context(messages), "", count)[0]

    def _read(self, text: str) -> tuple[list[int], str, bool]:
        """Return the pieces of what is finished, the partial word, whether it starts a sentence."""
        *earlier, current = split_messages(recent(text, self._characters))
        finished, partial = split_partial(current)
        messages = [self._tokenizer.words(message) for message in (*earlier, finished)]
        starts_sentence = sentence_starts(messages[-1])[-1:] == [len(messages[-1])]
        context = self._tokenizer.encode_context(messages)
        return context, self._tokenizer.normalize(partial), starts_sentence

    def _find(self, context: Sequence[int], prefix: str, count: int) -> tuple[list[Found], float]:
        return best_words(
            self._index,
            prefix,
            self._predictor.log_probs(context),
            lambda paths: self._predictor.log_probs_after(context, paths),
            count,
        )

    def _check(self, test: SelfTest, path: Path | str) -> None:
        """Raise BundleSelfTestFailed where a recorded answer is not given again."""
        # One word more: of two nearly equal ones, either may come first.
        now = {each.word: each.log_prob for each in self.next_words(test.text, len(test.words) + 1)}
        for word, log_prob in zip(test.words, test.log_probabilities, strict=True):
            if word not in now or abs(now[word] - log_prob) > test.tolerance:
                raise BundleSelfTestFailed(
                    f"{path}: after {test.text!r} it no longer says {word!r} as when exported; "
                    "export it again, or check the versions of onnxruntime and sentencepiece"
                )


def _present(word: str, prefix: str, starts_sentence: bool) -> str:
    """Return a word in the case in which it should stand in the text."""
    if prefix:
        return match_case(word, prefix)
    return capitalize(word) if starts_sentence else word
