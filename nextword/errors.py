"""Every error that Nextword raises on purpose.

::

    NextwordError
    ├── InputError            what a caller sent can't be answered
    ├── ConfigError           a setting or a training config is wrong
    ├── CorpusError           training text is missing, unreadable or too small
    ├── RunError              a run folder can't be used
    └── BundleError           a bundle can't be used
        ├── BundleNotFound        there is no such folder
        ├── BundleCorrupt         a file is missing or its checksum differs
        └── BundleSelfTestFailed  it loads, but does not answer as it did when exported

Each message names the thing and the remedy, in one line: command lines print
it as it is, and the service puts it into a problem document.
"""


class NextwordError(Exception):
    """Base of every error raised on purpose."""


class InputError(NextwordError):
    """What a caller sent can't be answered."""


class ConfigError(NextwordError):
    """A setting or a training config is wrong."""


class CorpusError(NextwordError):
    """Training text is missing, unreadable or too small."""


class RunError(NextwordError):
    """A run folder can't be used."""


class BundleError(NextwordError):
    """A bundle can't be used."""


class BundleNotFound(BundleError):
    """There is no bundle in that place."""


class BundleCorrupt(BundleError):
    """A file of the bundle is missing, unreadable or not what its checksum says."""


class BundleSelfTestFailed(BundleError):
    """The bundle loads but does not answer as it did when it was exported."""
