"""ARPA files: the text format that n-gram toolkits exchange models in.

As a command it lets models go out into the world and come in from it::

    python -m training.arpa RUN MODEL.arpa            write a trained run's model
    python -m training.arpa MODEL.arpa RUN --to-run   take a model into a run folder

A model that comes in must be made of the pieces of the run's tokenizer. The
format: https://cmusphinx.github.io/wiki/arpaformat/. Names that end in .gz or
.xz are compressed.
"""

import gzip
import lzma
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import numpy as np
import typer
from numpy.typing import NDArray

from nextword import command
from nextword.bundle import LEXICON, TOKENIZER
from nextword.errors import InputError
from nextword.lexicon import Lexicon
from nextword.tokenizer import Tokenizer
from training.ngrams import BEGIN, NEVER, UNKNOWN, NgramModel, Order, pack
from training.predictors.markov import NGRAMS
from training.run import Run

_CHUNK = 1 << 16
"""Lines written at once."""


def write_arpa(path: Path, model: NgramModel, vocabulary: Sequence[str]) -> None:
    """Write a model, whole or not at all; ``vocabulary`` has the text of each id.

    Raises InputError where a word can't stand in the format, or the disk does not take it.
    """
    for word in vocabulary:
        if not word or any(character.isspace() for character in word):
            raise InputError(f"{path}: {word!r} can't stand in an ARPA file; rename that piece")
    beside = path.with_name(f".part-{path.name}")
    try:
        with _open(beside, "wt") as stream:
            for line in _lines(model, vocabulary):
                stream.write(line)
        beside.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: can't be written ({error.strerror}); choose another place"
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def read_arpa(path: Path, vocabulary: Sequence[str]) -> NgramModel:
    """Read a model whose words are those of ``vocabulary``, in the ids' order.

    Words that the file leaves out share the probability of ``<unk>`` with it, so
    that rows still sum to one. Raises InputError, naming the line, where the file
    can't be read, is not ARPA, is cut short, or holds other words.
    """
    try:
        with _open(path, "rt") as stream:
            return _Reader(path, stream, vocabulary).model()
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({error}); check the path and the file") from error


def _open(path: Path, mode: str) -> TextIO:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    stream: TextIO = openers.get(path.suffix, open)(path, mode, encoding="utf-8", newline="\n")
    return stream


def _lines(model: NgramModel, vocabulary: Sequence[str]) -> Iterator[str]:
    yield "\\data\\\n"
    yield from (
        f"ngram {number}={len(order)}\n" for number, order in enumerate(model.orders, start=1)
    )
    texts = [""]
    for number, order in enumerate(model.orders, start=1):
        yield f"\n\\{number}-grams:\n"
        is_highest = number == len(model.orders)
        texts = [
            f"{texts[context]} {vocabulary[word]}" if number > 1 else vocabulary[word]
            for context, word in zip(order.context.tolist(), order.word.tolist(), strict=True)
        ]
        for start in range(0, len(order), _CHUNK):
            part = slice(start, start + _CHUNK)
            # The shortest digits that read back as the same float32:
            probs = order.log10_prob[part].astype(str)
            backoffs = order.log10_backoff[part].astype(str)
            for prob, text, backoff in zip(probs, texts[part], backoffs, strict=True):
                yield f"{prob}\t{text}\n" if is_highest else f"{prob}\t{text}\t{backoff}\n"
    yield "\n\\end\\\n"


class _Reader:
    """Reads one ARPA file, from its first line to its last."""

    def __init__(self, path: Path, stream: TextIO, vocabulary: Sequence[str]) -> None:
        self._path = path
        self._lines = enumerate(stream, start=1)
        self._number = 0
        self._vocabulary = vocabulary
        self._ids = {word: number for number, word in enumerate(vocabulary)}

    def model(self) -> NgramModel:
        """Return what the file holds."""
        counts = self._read_counts()
        model = NgramModel((self._unigrams(counts[0]),))
        for order, count in enumerate(counts[1:], start=2):
            model = NgramModel((*model.orders, self._order(model, order, count)))
        self._expect("\\end\\")
        return model

    def _read_counts(self) -> list[int]:
        while self._next() != "\\data\\":
            pass
        counts: list[int] = []
        while match := re.fullmatch(r"ngram\s+(\d+)\s*=\s*(\d+)", line := self._next()):
            if int(match[1]) != len(counts) + 1:
                self._fail(f"order {len(counts) + 1} should come here")
            counts.append(int(match[2]))
        if line != "\\1-grams:" or not counts:
            self._fail("the counts of n-grams and \\1-grams: should stand here")
        return counts

    def _unigrams(self, count: int) -> Order:
        words, log10_prob, log10_backoff = self._section(1, count)
        if len(np.unique(words)) < count:
            self._fail("an n-gram stands twice among those of order 1; write the file again")
        size = len(self._vocabulary)
        probs = np.full(size, np.nan, dtype=np.float32)
        backoffs = np.zeros(size, dtype=np.float32)
        probs[words[:, 0]] = log10_prob
        backoffs[words[:, 0]] = log10_backoff
        left_out = np.isnan(probs)
        if left_out[UNKNOWN]:
            probs[left_out] = NEVER
        elif left_out.any():
            left_out[UNKNOWN] = True
            probs[left_out] = probs[UNKNOWN] - np.log10(left_out.sum())
        probs[BEGIN] = NEVER  # some programs write 0, as if it were certain
        return Order(np.zeros(size, np.uint32), np.arange(size, dtype=np.uint16), probs, backoffs)

    def _order(self, lower: NgramModel, number: int, count: int) -> Order:
        self._expect(f"\\{number}-grams:")
        words, log10_prob, log10_backoff = self._section(number, count)
        context = lower.rows(words[:, :-1])
        if (context < 0).any():
            lost = " ".join(self._vocabulary[word] for word in words[context.argmin()])
            self._fail(f"{lost!r} stands here, but its context is no n-gram; write the file again")
        keys = pack(context, words[:, -1])
        by_key = np.argsort(keys)
        if (np.diff(keys[by_key]) == 0).any():
            self._fail(
                f"an n-gram stands twice among those of order {number}; write the file again"
            )
        return Order(
            context[by_key].astype(np.uint32),
            words[by_key, -1],
            log10_prob[by_key],
            log10_backoff[by_key],
        )

    def _section(
        self, order: int, count: int
    ) -> tuple[NDArray[np.uint16], NDArray[np.float32], NDArray[np.float32]]:
        """Return the words [n, order], log10 probabilities and backoffs of one order."""
        words = np.zeros((count, order), dtype=np.uint16)
        weights = np.zeros((2, count), dtype=np.float32)
        for place in range(count):
            fields = self._next().split()
            if not order + 1 <= len(fields) <= order + 2:
                self._fail(f"a probability, {order} words and perhaps a backoff should stand here")
            try:
                words[place] = [self._ids[word] for word in fields[1 : order + 1]]
                weights[0, place] = float(fields[0])
                weights[1, place] = float(fields[order + 1]) if len(fields) > order + 1 else 0.0
            except KeyError as error:
                self._fail(
                    f"{error} is no piece of the tokenizer; cut the text with it, then train"
                )
            except ValueError:
                self._fail("a number should stand here; write the file again")
            if not weights[0, place] <= 0:
                self._fail("a log10 probability can't be above 0; write the file again")
        return words, weights[0], weights[1]

    def _next(self) -> str:
        """Return the next line that is not empty, without surrounding space."""
        for number, line in self._lines:
            self._number = number
            if text := line.strip(" \t\r\n"):
                return text
        self._fail("the file ends too early; fetch or write it again")

    def _expect(self, text: str) -> None:
        if self._next() != text:
            self._fail(f"{text} should stand here; the counts at the head may be wrong")

    def _fail(self, message: str) -> NoReturn:
        raise InputError(f"{self._path}:{self._number}: {message}")


def transfer(
    source: Annotated[Path, typer.Argument(help="A run folder, or with --to-run an ARPA file.")],
    target: Annotated[Path, typer.Argument(help="An ARPA file, or with --to-run a run folder.")],
    to_run: Annotated[bool, typer.Option("--to-run", help="Take a model into a run.")] = False,
) -> None:
    """Write a run's n-gram model as an ARPA file, or take one from there."""
    run = Run.open(target if to_run else source)
    tokenizer = Tokenizer(run.file(TOKENIZER), Lexicon.read(run.file(LEXICON)))
    vocabulary = ["<unk>", "<s>", "</s>"]
    vocabulary += [
        tokenizer.piece(number) for number in range(len(vocabulary), tokenizer.vocabulary_size)
    ]
    if to_run:
        read_arpa(source, vocabulary).save(run.file(NGRAMS))
    else:
        write_arpa(target, NgramModel.load(run.file(NGRAMS)), vocabulary)


def main() -> None:
    """Run the command."""
    command.run(lambda: typer.run(transfer), "arpa")


if __name__ == "__main__":
    main()
