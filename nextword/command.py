"""How each of our command lines ends where something is wrong."""

import sys
from collections.abc import Callable

from nextword.errors import NextwordError


def run(command: Callable[[], object], name: str) -> None:
    """Run a command; what it refuses, or the system refuses it, is one line and exit code 1."""
    try:
        command()
    except NextwordError as error:
        raise SystemExit(_say(name, str(error))) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        why = error.strerror or str(error)
        remedy = "free some space or choose another place, then start again"
        raise SystemExit(_say(name, f"{where}{why}; {remedy}")) from None


def _say(name: str, message: str) -> int:
    print(f"{name}: {message}", file=sys.stderr)
    return 1
