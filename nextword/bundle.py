"""A bundle: the folder that holds everything a predictor needs to serve.

``manifest.json`` describes it; this module holds the one schema of that file,
reads and verifies a bundle, and writes one whole or not at all.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nextword.errors import BundleCorrupt, BundleError, BundleNotFound

FORMAT_VERSION: Literal[1] = 1
MANIFEST = "manifest.json"
MODEL = "model.onnx"
TOKENIZER = "tokenizer.model"
LEXICON = "lexicon.tsv"
CARD = "README.md"
FILES = (MODEL, TOKENIZER, LEXICON, CARD)


class _Strict(BaseModel):
    """A part of the manifest: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Dimension = int | Literal["batch", "past"]


class StateTensor(_Strict):
    """One tensor of the predictor's memory.

    In the graph it comes in as ``name`` and goes out as ``name + "_next"``.
    ``shape`` holds fixed sizes, and ``"batch"`` or ``"past"`` where a size
    varies; a fresh state has no past (size 0) and is filled with ``fill``.
    """

    name: str
    dtype: Literal["float32", "float16", "int64"]
    shape: tuple[Dimension, ...]
    fill: float = 0.0


class SpecialIds(_Strict):
    """Ids of the pieces that are not text."""

    unknown: int
    begin: int
    end: int


class FileRecord(_Strict):
    """What a file of the bundle must look like."""

    sha256: str
    bytes: int


class Source(_Strict):
    """Where training text came from, and on what terms."""

    name: str
    license: str
    origin: str
    words: int
    weight: float = 1.0


class SelfTest(_Strict):
    """A context and the next words the predictor gave at export, best first."""

    text: str
    words: tuple[str, ...]
    log_probabilities: tuple[float, ...]
    tolerance: float


class Manifest(_Strict):
    """The schema of ``manifest.json``."""

    format_version: Literal[1] = FORMAT_VERSION
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str
    kind: str
    language: str
    vocabulary_size: int = Field(gt=0)
    context_length: int = Field(gt=1)
    special_ids: SpecialIds
    states: tuple[StateTensor, ...]
    attention: bool = False
    files: dict[str, FileRecord]
    sources: tuple[Source, ...]
    figures: dict[str, float]
    self_test: tuple[SelfTest, ...]


class Bundle:
    """A verified bundle on disk. Attributes: ``path`` and ``manifest``."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Read the manifest and verify every file against it.

        Raises BundleNotFound where there is no manifest, BundleCorrupt where
        the manifest or a file is not what it should be.
        """
        path = Path(path)
        manifest = _read_manifest(path)
        for name, record in manifest.files.items():
            _verify(path / name, record)
        return cls(path, manifest)

    def file(self, name: str) -> Path:
        """Return the path of one of the bundle's files."""
        return self.path / name


def record_file(path: Path) -> FileRecord:
    """Return size and checksum of a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileRecord(sha256=digest, bytes=path.stat().st_size)


def write_bundle(path: Path, manifest: Manifest, files: Mapping[str, Path]) -> Bundle:
    """Write a bundle whole or not at all.

    ``files`` maps each name in FILES to the file to copy; ``manifest.files``
    is filled in here. The bundle is put together beside ``path`` and then
    renamed, so a reader sees the old bundle or the new one, never a mixture.
    Raises BundleError where the disk does not take it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise BundleError(
            f"{path}: can't be written ({error.strerror}); choose another place"
        ) from error
    try:
        for name in FILES:
            shutil.copyfile(files[name], staging / name)
        records = {name: record_file(staging / name) for name in FILES}
        manifest = manifest.model_copy(update={"files": records})
        (staging / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        staging.chmod(0o755)
        _replace_folder(staging, path)
    except OSError as error:
        raise BundleError(
            f"{path}: can't be written ({error.strerror}); free some space or choose another place"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Bundle(path, manifest)


def _replace_folder(new: Path, path: Path) -> None:
    """Put folder ``new`` in the place of ``path``; what stood there goes last."""
    if not path.exists():
        new.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
    path.rename(old / path.name)
    new.rename(path)
    shutil.rmtree(old)


def _read_manifest(path: Path) -> Manifest:
    try:
        text = (path / MANIFEST).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleNotFound(
            f"{path}: no bundle here ({MANIFEST} is missing); "
            "give the path of a folder made by `python -m export`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BundleCorrupt(f"{path / MANIFEST}: can't be read; export the bundle again") from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise BundleCorrupt(
            f"{path / MANIFEST}: {where}: {first['msg']}; export the bundle again"
        ) from error


def _verify(path: Path, record: FileRecord) -> None:
    try:
        found = record_file(path)
    except OSError as error:
        raise BundleCorrupt(
            f"{path}: can't be read ({error.strerror}); export or fetch the bundle again"
        ) from error
    if found != record:
        raise BundleCorrupt(
            f"{path}: its checksum differs from the manifest's; export or fetch the bundle again"
        )
