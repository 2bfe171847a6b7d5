"""The command line as it is, but for models that need no files."""

from pathlib import Path

from nextword.suggester import Suggester
from service.cli import main
from tests.service.fake_suggester import FakeSuggester

Suggester.open = lambda path, **_: FakeSuggester(Path(path).name)
main()
