"""Accuracy: how often the next word is on the strip before a letter of it is typed.

Each line stands alone. Its words are what stands between its spaces; before
each, all of the line up to there, the space included, is what was typed (and
nothing at all before the first). A suggestion is right when both are the same
without case and without what surrounds their letters and digits; a word that
has neither letter nor digit is typed but not asked for.
"""

from benchmarks.lines import Measurement
from benchmarks.text import bare, words
from nextword.suggester import Suggester


def judge(suggester: Suggester, line: str) -> tuple[int, int, int]:
    """Return a line's words, and how many of them were the first, or among three, suggested."""
    asked = first = among = 0
    for word in words(line):
        if not word.core:
            continue
        strip = [bare(each.text) for each in suggester.suggest(word.before, 3).suggestions]
        wanted = word.core.casefold()
        asked += 1
        first += strip[:1] == [wanted]
        among += wanted in strip
    return asked, first, among


MEASUREMENT = Measurement(
    "accuracy", "Next words before a letter is typed", "words", ("top1", "top3"), judge
)
