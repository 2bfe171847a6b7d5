"""Registry: the loaded bundles by the names under which they are served."""

from collections.abc import Iterator, Mapping
from typing import Self

from nextword.suggester import Suggester
from service.problems import Kind, Problem, field_problem
from service.settings import Settings


class Registry:
    """The loaded models. Attribute: the name of the ``default`` one."""

    def __init__(self, suggesters: Mapping[str, Suggester], default: str) -> None:
        self._suggesters = dict(suggesters)
        self.default = default

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Load and check every bundle in the settings. Raises BundleError for the first bad one."""
        suggesters = {
            name: Suggester.open(path, threads=settings.threads, cache_bytes=settings.cache_bytes)
            for name, path in settings.models.items()
        }
        return cls(suggesters, settings.default)

    def get(self, name: str | None) -> tuple[str, Suggester]:
        """Return the model of that name, or the default one, and its name.

        Raises Problem where no such model is loaded.
        """
        name = self.default if name is None else name
        suggester = self._suggesters.get(name)
        if suggester is None:
            raise self._unknown()
        return name, suggester

    def __iter__(self) -> Iterator[tuple[str, Suggester]]:
        """Go through names and models, the default one first."""
        return iter(sorted(self._suggesters.items(), key=lambda item: item[0] != self.default))

    def _unknown(self) -> Problem:
        names = ", ".join(name for name, _ in self)
        return field_problem(Kind.UNKNOWN_MODEL, "model", f"is not loaded; use one of: {names}")
