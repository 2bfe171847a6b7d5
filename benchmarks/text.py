"""Text: the lines that are measured on, their words, and when two words are the same."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nextword.errors import ConfigError

DEV = Path("../shared/corpus/dev")
SAMPLE = Path(__file__).parent / "data" / "sample.txt"


@dataclass(frozen=True)
class Word:
    """A word where it stands in a line: the text ``before`` it, and its ``token``.

    The token is ``leading`` punctuation, the ``core``, ``trailing`` punctuation;
    one that is all punctuation has it all in ``leading``.
    """

    before: str
    leading: str
    core: str
    trailing: str

    @property
    def token(self) -> str:
        """The word as it stands in the line."""
        return self.leading + self.core + self.trailing


def words(line: str) -> Iterator[Word]:
    """Yield what stands between the spaces of a line."""
    for match in re.finditer(r"\S+", line):
        yield Word(line[: match.start()], *split_token(match.group()))


def split_token(token: str) -> tuple[str, str, str]:
    """Split a token into what precedes its letters and digits, what they span, and what follows."""
    places = [place for place, character in enumerate(token) if character.isalnum()]
    if not places:
        return token, "", ""
    start, end = places[0], places[-1] + 1
    return token[:start], token[start:end], token[end:]


def bare(token: str) -> str:
    """Return the form in which words are compared: no case, no surrounding punctuation."""
    return split_token(token)[1].casefold()


def read_lines(path: Path, limit: int | None = None) -> list[str]:
    """Return the first ``limit`` lines of a file that aren't empty. Raises ConfigError for none."""
    try:
        with path.open(encoding="utf-8") as stream:
            stripped = (line.strip() for line in stream)
            lines = list(islice((line for line in stripped if line), limit))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}); check the path") from error
    if not lines:
        raise ConfigError(f"{path}: has no text; give a file with a line per message")
    return lines


def read_genres(folder: Path, limit: int | None) -> dict[str, list[str]]:
    """Return the lines of each .txt file of a folder, by its name. Raises ConfigError for none."""
    genres = {path.stem: read_lines(path, limit) for path in sorted(folder.glob("*.txt"))}
    if not genres:
        raise ConfigError(f"{folder}: no .txt files in there; give a folder with one per genre")
    return genres


def read_typing(path: Path | None, keystrokes: int, longest: int) -> list[str]:
    """Return texts to be typed, ``keystrokes`` characters altogether, none over ``longest``.

    From the file ``path``; without one, from the genres of DEV in turn where
    they are there, else from the sample that the project keeps.
    """
    if path is not None:
        lines = read_lines(path)
    elif DEV.is_dir():
        genres = read_genres(DEV, limit=None)
        lines = [line for group in zip(*genres.values(), strict=False) for line in group]
    else:
        lines = read_lines(SAMPLE)
    texts: list[str] = []
    for line in lines:
        if keystrokes <= 0:
            break
        texts.append(line[: min(longest, keystrokes)])
        keystrokes -= len(texts[-1])
    return texts


def typed(text: str) -> Iterator[str]:
    """Yield what stands before the cursor after each key of typing ``text``."""
    return (text[:length] for length in range(1, len(text) + 1))
