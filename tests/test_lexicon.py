from pathlib import Path

import pytest

from nextword.errors import BundleCorrupt
from nextword.lexicon import Lexicon

ENTRIES = [
    ("the", 90),
    ("I", 50),
    ("John", 9),
    ("apple", 6),
    ("Apple", 4),
    ("NASA", 3),
    ("hello", 2),
]


@pytest.fixture
def lexicon() -> Lexicon:
    return Lexicon(ENTRIES)


@pytest.mark.parametrize(
    ("typed", "cased"),
    [
        ("The apple", "the apple"),
        ("i ate an Apple", "I ate an Apple"),
        ("Apple says hello", "apple says hello"),
        ("hello . Apple", "hello . apple"),
        ("john met JOHN", "John met John"),
        ("the nasa", "the NASA"),
        ("HELLO JOHN", "hello John"),
        ("Zyxel is new", "zyxel is new"),
        ("ask Zyxel", "ask Zyxel"),
        ("IKEA is open", "IKEA is open"),
    ],
)
def test_truecase(lexicon: Lexicon, typed: str, cased: str) -> None:
    assert lexicon.truecase(typed.split()) == cased.split()


def test_truecase_is_stable(lexicon: Lexicon) -> None:
    cased = lexicon.truecase(["The", "Apple", "John", "ate", "at", "NASA", ".", "Hello", "I"])
    assert lexicon.truecase(cased) == cased


def test_file_round_trip(lexicon: Lexicon, tmp_path: Path) -> None:
    path = tmp_path / "lexicon.tsv"
    lexicon.write(path)
    again = Lexicon.read(path)
    assert (again.words, again.counts) == (lexicon.words, lexicon.counts)
    assert again.words[:2] == ("the", "I")


@pytest.mark.parametrize("line", ["word", "word\t", "word\tmany", "\t3", "word 3"])
def test_damaged_file_names_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "lexicon.tsv"
    path.write_text(f"the\t3\n{line}\n")
    with pytest.raises(BundleCorrupt, match="line 2"):
        Lexicon.read(path)
