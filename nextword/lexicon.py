"""The words that may be suggested, how often they were written, and in which case.

``lexicon.tsv`` has a line per written form, most frequent first: the form, a
tab, its count. A word usually has one form; it has two where case tells words
apart (``apple``, ``Apple``).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from nextword.errors import BundleCorrupt
from nextword.text import capitalize, fold, is_shouted, sentence_starts


class Lexicon:
    """Words in their written forms, ``words``, with their ``counts``."""

    def __init__(self, entries: Iterable[tuple[str, int]]) -> None:
        ordered = sorted(entries, key=lambda entry: (-entry[1], entry[0]))
        self.words: tuple[str, ...] = tuple(word for word, _ in ordered)
        self.counts: tuple[int, ...] = tuple(count for _, count in ordered)
        self._anywhere, self._at_start = _casing_tables(self.words)

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``lexicon.tsv``. Raises BundleCorrupt where a line is not form, tab, count."""
        entries = []
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BundleCorrupt(f"{path}: can't be read as UTF-8 text") from error
        for number, line in enumerate(text.splitlines(), start=1):
            word, tab, count = line.partition("\t")
            if not (word and tab and count.isascii() and count.isdigit()):
                raise BundleCorrupt(f"{path}: line {number} is not a word, a tab and a count")
            entries.append((word, int(count)))
        return cls(entries)

    def write(self, path: Path) -> None:
        """Write ``lexicon.tsv``."""
        lines = (f"{word}\t{count}\n" for word, count in zip(self.words, self.counts, strict=True))
        path.write_text("".join(lines), encoding="utf-8")

    def truecase(self, tokens: Sequence[str]) -> list[str]:
        """Return a message's tokens in the case that says something.

        A word gets the one case it is written in, whatever its typist did;
        a word with two forms keeps the one typed, but starts a sentence in
        the commoner one, since there a capital says nothing.
        """
        if is_shouted(tokens):
            tokens = [token.lower() for token in tokens]
        anywhere = self._anywhere
        cased = [anywhere.get(token, token) for token in tokens]
        for position in sentence_starts(tokens):
            if position < len(tokens):
                token = tokens[position]
                cased[position] = self._at_start.get(token) or anywhere.get(
                    token, _lower_first(token)
                )
        return cased


def _casing_tables(words: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return two maps, typed form -> form that says something: anywhere, at a sentence's start.

    ``words`` are the written forms, most frequent first.
    """
    families: dict[str, list[str]] = defaultdict(list)
    for word in words:
        families[fold(word)].append(word)
    anywhere: dict[str, str] = {}
    at_start: dict[str, str] = {}
    for folded, forms in families.items():
        commonest = forms[0]
        for typed in {folded, capitalize(folded), folded.upper()}:
            anywhere[typed] = typed if typed in forms else commonest
        if len(forms) > 1:
            at_start[capitalize(folded)] = commonest
    return anywhere, at_start


def _lower_first(word: str) -> str:
    """Lower a capital that only says that a sentence starts; leave ``NASA`` and ``iPod``."""
    return word.lower() if word[1:].islower() or len(word) == 1 else word
