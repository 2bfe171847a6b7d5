"""A suggester without a model, so that the service is tested alone."""

from nextword.bundle import Manifest, SpecialIds
from nextword.suggester import Suggestion, Suggestions

WORDS = ("office", "station", "end", "same", "beginning", "door", "park", "table", "bar", "gym")


def manifest(name: str) -> Manifest:
    return Manifest(
        name=name,
        version="1.2.3",
        kind="fake",
        language="en",
        vocabulary_size=100,
        context_length=8,
        special_ids=SpecialIds(unknown=0, begin=1, end=2),
        states=(),
        files={},
        sources=(),
        figures={"top_3": 0.3},
        self_test=(),
    )


class FakeSuggester:
    """Says the same words to everything, fails on request, and remembers what it was asked."""

    def __init__(self, name: str = "fake", failure: Exception | None = None) -> None:
        self.manifest = manifest(name)
        self.failure = failure
        self.asked: list[tuple[str, int]] = []

    def suggest(self, text: str, count: int = 3) -> Suggestions:
        self.asked.append((text, count))
        if self.failure is not None:
            raise self.failure
        prefix = "" if text.endswith(" ") else text.rpartition(" ")[2]
        return Suggestions(prefix, tuple(Suggestion(word, 0.125) for word in WORDS[:count]))
