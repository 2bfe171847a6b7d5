"""Prepared text: the corpus as piece ids, made once and shared by every run that asks for it."""

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nextword.bundle import LEXICON, TOKENIZER
from nextword.errors import CorpusError, RunError
from nextword.lexicon import Lexicon
from nextword.tokenizer import Tokenizer
from training.config import TextConfig
from training.corpus import (
    Batch,
    WordCounts,
    batches,
    find_files,
    read_documents,
    split_batch,
    worker_pool,
)
from training.progress import progress
from training.tokenizer import build_lexicon, count_cased, train_tokenizer

WORDS = "words.json"

FORMAT = 1
"""Part of the key of prepared text: raise it when this module makes other pieces."""


@dataclass(frozen=True)
class Pieces:
    """Documents as piece ids, one after the other.

    ids        uint16 [n]: each document is ``<s>``, then its lines, each closed by ``</s>``
    documents  int64 [D + 1]: where each document starts, and the end
    sources    uint8 [D]: the place of each document's source in the config
    """

    ids: NDArray[np.uint16]
    documents: NDArray[np.int64]
    sources: NDArray[np.uint8]

    def epoch(self, seed: int, weights: NDArray[np.float64]) -> NDArray[np.uint16]:
        """Return the documents in an order drawn by ``seed``, as one stream of ids.

        ``weights`` [source] says how often a source's documents come: a whole
        part always, the fraction by chance, drawn anew for each document.
        """
        random = np.random.default_rng(seed)
        wanted = weights[self.sources]
        times = np.floor(wanted + random.random(len(wanted))).astype(np.int64)
        order = np.repeat(np.arange(len(wanted)), times)
        random.shuffle(order)
        lengths = np.diff(self.documents)[order]
        ends = np.cumsum(lengths)
        # Position i of the stream comes from its document's start plus its place in it.
        origin = np.repeat(self.documents[:-1][order] - (ends - lengths), lengths)
        return self.ids[origin + np.arange(len(origin))]

    def sample(self, size: int) -> NDArray[np.uint16]:
        """Return some ``size`` ids of documents of all sources, the same each time."""
        return self.epoch(0, np.ones(int(self.sources.max()) + 1))[:size]

    def save(self, folder: Path, name: str) -> None:
        """Write the three arrays."""
        for field in ("ids", "documents", "sources"):
            np.save(folder / f"{name}.{field}.npy", getattr(self, field))

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Read the three arrays, the ids as a map of the file."""
        return cls(
            np.load(folder / f"{name}.ids.npy", mmap_mode="r"),
            np.load(folder / f"{name}.documents.npy"),
            np.load(folder / f"{name}.sources.npy"),
        )


@dataclass(frozen=True)
class PreparedText:
    """A corpus as pieces: its folder, tokenizer, training and validation documents.

    ``words`` counts the words and marks of each source, in the config's order.
    """

    folder: Path
    tokenizer: Tokenizer
    train: Pieces
    validation: Pieces
    words: tuple[int, ...]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``prepare`` made."""
        lexicon = Lexicon.read(folder / LEXICON)
        return cls(
            folder,
            Tokenizer(folder / TOKENIZER, lexicon),
            Pieces.load(folder, "train"),
            Pieces.load(folder, "validation"),
            tuple(json.loads((folder / WORDS).read_text())),
        )


def prepare(config: TextConfig, cache: Path) -> PreparedText:
    """Return the config's text as pieces, from ``cache`` where the same was prepared before.

    Raises CorpusError where text is missing or too small, ConfigError where
    the vocabulary asked for is larger than the text can give.
    """
    files = [
        (number, path)
        for number, source in enumerate(config.sources)
        for path in find_files(source)
    ]
    folder = cache / _key(config, files)
    if not folder.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".part-", dir=cache) as beside:
                made = Path(beside) / folder.name
                made.mkdir()
                _prepare_into(made, config, files)
                made.rename(folder)
        except OSError as error:
            raise RunError(
                f"{folder}: can't be written ({error.strerror}); free some space"
            ) from error
    return PreparedText.load(folder)


def _key(config: TextConfig, files: list[tuple[int, Path]]) -> str:
    """Return a name for the result: it changes with the config and with the files."""
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for _, path in files]
    told = json.dumps([FORMAT, config.model_dump(mode="json"), stats])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class _Document:
    """A document cut into words: its source, its lines of words, whether it is held out."""

    source: int
    lines: list[str]
    held_out: bool


def _prepare_into(folder: Path, config: TextConfig, files: list[tuple[int, Path]]) -> None:
    documents, counts = _split(config, files)
    if not documents:
        names = ", ".join(str(path) for _, path in files[:3])
        raise CorpusError(f"{names}: no text in there; give files with a line per utterance")
    _make_tokenizer(folder, config, counts)
    words = [0] * len(config.sources)
    for document in documents:
        words[document.source] += sum(line.count(" ") + 1 for line in document.lines)
    (folder / WORDS).write_text(json.dumps(words))
    for name, held_out in (("train", False), ("validation", True)):
        chosen = [document for document in documents if document.held_out is held_out]
        if not chosen:
            raise CorpusError(
                f"text.validation: {config.validation} of {len(documents)} documents leaves none "
                f"for {name}; give more text or another share"
            )
        _encode(folder, chosen).save(folder, name)


def _split(config: TextConfig, files: list[tuple[int, Path]]) -> tuple[list[_Document], WordCounts]:
    """Return every document that has words, and the counts of words."""
    documents: list[_Document] = []
    counts = WordCounts()
    with progress("Reading text", len(files)) as bar, worker_pool() as pool:

        def read() -> Iterator[tuple[int, list[str]]]:
            for source, path in files:
                for document in read_documents(path, config.document_lines):
                    yield source, document
                bar.advance(note=path.name)

        cut = functools.partial(split_batch, validation=config.validation)
        for split in pool.map(cut, batches(read())):
            counts.add(split.counts)
            documents += [
                _Document(split.source, lines, held_out)
                for lines, held_out in zip(split.documents, split.held_out, strict=True)
                if lines
            ]
    return documents, counts


def _make_tokenizer(folder: Path, config: TextConfig, counts: WordCounts) -> None:
    if config.tokenizer.reuse is not None:
        for name in (TOKENIZER, LEXICON):
            try:
                shutil.copyfile(Path(config.tokenizer.reuse) / name, folder / name)
            except OSError as error:
                raise RunError(
                    f"text.tokenizer.reuse: {error.filename} can't be read; "
                    "give the folder of a run or bundle"
                ) from error
        return
    with progress("Choosing pieces", None):
        lexicon = build_lexicon(counts, config.lexicon)
        lexicon.write(folder / LEXICON)
        train_tokenizer(count_cased(counts, lexicon), config.tokenizer, folder / TOKENIZER)


_tokenizer: Tokenizer | None = None


def _load_tokenizer(folder: Path) -> None:
    global _tokenizer
    _tokenizer = Tokenizer(folder / TOKENIZER, Lexicon.read(folder / LEXICON))


def _encode_batch(batch: Batch) -> list[NDArray[np.uint16]]:
    assert _tokenizer is not None
    special = _tokenizer.special_ids
    encoded = []
    for lines in batch.documents:
        ids = [special.begin]
        cased = [_tokenizer.cased(line.split(" ")) for line in lines]
        for pieces in _tokenizer.encode_messages(cased):
            ids += pieces
            ids.append(special.end)
        encoded.append(np.array(ids, dtype=np.uint16))
    return encoded


def _encode(folder: Path, documents: list[_Document]) -> Pieces:
    """Return documents of words as pieces."""
    encoded: list[NDArray[np.uint16]] = []
    with (
        progress("Cutting into pieces", len(documents)) as bar,
        worker_pool(_load_tokenizer, folder) as pool,
    ):
        pending = batches((document.source, document.lines) for document in documents)
        for batch in pool.map(_encode_batch, pending):
            encoded += batch
            bar.advance(len(batch))
    lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
    return Pieces(
        np.concatenate(encoded),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([document.source for document in documents], dtype=np.uint8),
    )
