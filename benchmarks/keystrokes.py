"""Keystrokes: how much typing a strip of three words saves a perfect typist.

The typist writes each line as it stands, and looks at the strip before each
key from a word's first letter or digit to its last. Where the strip shows the
word (the same without case and surrounding punctuation, as in ``accuracy``),
one tap types what is missing of it and the space behind it. For a word:

    leading punctuation   a key each, before the strip is looked at
    letters               a key each, until the tap, which is one key
    trailing punctuation  a key each, also after a tap: it takes the place of
                          the tap's space
    the space behind      a key, unless a tap has just typed it

A line is over with its last character: what sends it is no key, and a space
that a tap types there saves nothing. A wider gap than one space is typed out.
savings = 1 - keystrokes / characters, the spaces within lines included.
"""

from benchmarks.lines import Measurement
from benchmarks.text import Word, bare, words
from nextword.suggester import Suggester


def judge(suggester: Suggester, line: str) -> tuple[int, int]:
    """Return a line's characters, and how many keystrokes fewer than that it takes."""
    keys = end = 0
    free_space = False
    for word in words(line):
        gap = len(word.before) - end
        keys += gap - (free_space and gap > 0)
        letters = _letters_typed(suggester, word)
        tapped = letters < len(word.core)
        keys += len(word.leading) + letters + tapped + len(word.trailing)
        free_space = tapped and not word.trailing
        end = len(word.before) + len(word.token)
    return end, end - keys


def _letters_typed(suggester: Suggester, word: Word) -> int:
    """Return how many letters of a word are typed before the strip shows it; all, if never."""
    wanted = word.core.casefold()
    for length in range(len(word.core)):
        before = word.before + word.leading + word.core[:length]
        if wanted in (bare(each.text) for each in suggester.suggest(before, 3).suggestions):
            return length
    return len(word.core)


MEASUREMENT = Measurement(
    "keystrokes", "Keystrokes saved by a strip of three words", "characters", ("savings",), judge
)
