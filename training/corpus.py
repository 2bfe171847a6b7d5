"""Corpus: text files to documents, documents to words, in both cores at once.

A file is UTF-8 text, plain or packed (.xz, .gz, .zst), with an utterance or
paragraph per line and a blank line between documents. In a file without blank
lines every line stands alone.
"""

import gzip
import hashlib
import lzma
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import sentencepiece
import zstandard

from nextword.errors import CorpusError
from nextword.text import encodable, is_shouted, normalization_rules, sentence_starts, split_words
from training.config import SourceConfig

BATCH_LINES = 20_000

_UNPACK: dict[str, Callable[..., Any]] = {
    ".xz": lzma.open,
    ".gz": gzip.open,
    ".zst": zstandard.open,
}


@dataclass
class WordCounts:
    """How often each written form occurred: inside sentences, and starting one."""

    inside: Counter[str] = field(default_factory=Counter)
    starting: Counter[str] = field(default_factory=Counter)

    def add(self, other: "WordCounts") -> None:
        """Add another part's counts."""
        self.inside.update(other.inside)
        self.starting.update(other.starting)


def find_files(source: SourceConfig) -> list[Path]:
    """Return the files that a source's names and globs mean. Raises CorpusError for none."""
    files = []
    for name in source.files:
        found = sorted(Path("/").glob(name.removeprefix("/")))
        if not found:
            raise CorpusError(f"{name}: no such file (source {source.name}); check the path")
        files += [path for path in found if path.is_file()]
    return files


def read_documents(path: Path, document_lines: int) -> Iterator[list[str]]:
    """Yield a file's documents, each a list of at most ``document_lines`` lines."""
    longest = document_lines if any(not line for line in _read_lines(path)) else 1
    document: list[str] = []
    for line in _read_lines(path):
        if line:
            document.append(line)
        if document and (not line or len(document) == longest):
            yield document
            document = []
    if document:
        yield document


def is_held_out(document: list[str], share: float) -> bool:
    """Whether a document belongs to validation: by its text alone, so it always does."""
    digest = hashlib.blake2b("\n".join(document).encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


@dataclass(frozen=True)
class Batch:
    """Documents of one source, enough of them to be worth sending to another process."""

    source: int
    documents: list[list[str]]


def batches(documents: Iterable[tuple[int, list[str]]]) -> Iterator[Batch]:
    """Group documents, given with the place of their source in the config."""
    group: list[list[str]] = []
    lines = 0
    current = 0
    for source, document in documents:
        if group and (source != current or lines >= BATCH_LINES):
            yield Batch(current, group)
            group, lines = [], 0
        current = source
        group.append(document)
        lines += len(document)
    if group:
        yield Batch(current, group)


def worker_pool(initializer: Callable[..., None] | None = None, *args: Any) -> ProcessPoolExecutor:
    """Return a process for each core, each started with ``initializer(*args)``."""
    return ProcessPoolExecutor(len(os.sched_getaffinity(0)), initializer=initializer, initargs=args)


@dataclass(frozen=True)
class SplitBatch:
    """Documents cut into words: lines of words joined by spaces; which are held out; counts."""

    source: int
    documents: list[list[str]]
    held_out: list[bool]
    counts: WordCounts


def split_batch(batch: Batch, validation: float) -> SplitBatch:
    """Cut a batch's documents into words; ``validation`` is the share to hold out."""
    documents = []
    words_everywhere: list[str] = []
    words_at_start: list[str] = []
    shouted: list[str] = []
    for document in batch.documents:
        lines = []
        for line in _normalizer().normalize([encodable(line) for line in document]):
            words = split_words(line)
            if not words:
                continue
            lines.append(" ".join(words))
            if is_shouted(words):
                shouted += words
            else:
                words_everywhere += words
                words_at_start += [
                    words[start] for start in sentence_starts(words) if start < len(words)
                ]
        documents.append(lines)
    counts = WordCounts(Counter(words_everywhere), Counter(words_at_start))
    counts.inside.subtract(counts.starting)
    # What an all-capitals line holds counts, but says nothing about a word's case.
    counts.starting.update(word.lower() for word in shouted)
    held_out = [is_held_out(document, validation) for document in batch.documents]
    return SplitBatch(batch.source, documents, held_out, counts)


_cached_normalizer: sentencepiece.SentencePieceNormalizer | None = None


def _normalizer() -> sentencepiece.SentencePieceNormalizer:
    """Return the normaliser that the tokenizer will hold, made once per process."""
    global _cached_normalizer
    if _cached_normalizer is None:
        _cached_normalizer = sentencepiece.SentencePieceNormalizer(
            norm_map=list(normalization_rules().items()),
            add_dummy_prefix=False,
            escape_whitespaces=False,
            remove_extra_whitespaces=True,
        )
    return _cached_normalizer


def _read_lines(path: Path) -> Iterator[str]:
    """Yield a file's lines, stripped. Raises CorpusError where it can't be read or unpacked."""
    try:
        with _open_text(path) as stream:
            for line in stream:
                yield line.strip()
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: is not UTF-8 text; convert it first") from error
    except (OSError, EOFError, lzma.LZMAError, zstandard.ZstdError) as error:
        raise CorpusError(f"{path}: can't be read or unpacked ({error})") from error


def _open_text(path: Path) -> TextIO:
    """Open a plain or packed text file for reading lines."""
    unpack = _UNPACK.get(path.suffix, open)
    stream: TextIO = unpack(path, "rt", encoding="utf-8", newline="\n")
    return stream
