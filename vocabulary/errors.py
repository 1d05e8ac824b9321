"""Every error that keywatch raises, as one tree.

KeywatchError
├── UsageError                wrong words on the command line
│   ├── ConfigError           an entry of a configuration, rule or policy is wrong
│   └── FormatError           a log is not of the format that it was said to be
├── TargetError               what should be scanned or read cannot be
│   └── RepositoryError       git could not give all that it holds
├── DatabaseError             the database is full, read-only, foreign or too new
│   └── BusyError             it is locked, and will not be when the other one is done
├── KeyStoreError
│   ├── KeyNotFoundError      no such key
│   └── TransitionError       the key's state does not allow it
├── SignatureError            a webhook's signature, time or body was refused
├── ServiceError              Kafka, a webhook receiver or another service did not do its part
└── ShadowedError             another package stands where one of our rooms should be
"""

from enum import IntEnum
from os.path import basename


class ExitCode(IntEnum):
    """What the command line returns to its caller."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    """Something that was asked for was not done; it is named on stderr. Beats FINDINGS."""
    INTERRUPTED = 130


class KeywatchError(Exception):
    """What failed, where, and what to do about it: one line for the user.

    Args:
        what: what failed, without any secret.
        where: file:line, address, offset or field; empty where there is none.
        remedy: what the user can do.
    """

    exit_code = ExitCode.INCOMPLETE

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.remedy = what, where, remedy

    def __str__(self) -> str:
        """Return `where: what (remedy)`."""
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.remedy})" if self.remedy else ""
        return f"{place}{self.what}{advice}"


class UsageError(KeywatchError):
    """Wrong words on the command line."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """An entry of keywatch.toml, the environment, a rule or a policy is wrong."""


class FormatError(UsageError):
    """A log is not of the format that it was said to be."""


class TargetError(KeywatchError):
    """What should be scanned or read cannot be."""


class RepositoryError(TargetError):
    """Git could not give all that the repository holds."""


class DatabaseError(KeywatchError):
    """The database is locked, full, read-only, foreign or too new."""


class BusyError(DatabaseError):
    """The database is locked; it will not be when whoever writes to it is done."""


class KeyStoreError(KeywatchError):
    """The key store refused."""


class KeyNotFoundError(KeyStoreError):
    """No key has this id."""


class TransitionError(KeyStoreError):
    """The state of the key does not allow the change."""


class SignatureError(KeywatchError):
    """A webhook's signature, time or body was refused."""


class ServiceError(KeywatchError):
    """Kafka, a webhook receiver or another service did not do its part."""


class ShadowedError(KeywatchError):
    """Another package stands where one of our rooms should be."""


def fault_of(error: BaseException) -> str:
    """Say where a fault of our own is, without its words: these may hold a secret."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = "?"
    if trace:
        file = basename(trace.tb_frame.f_code.co_filename)  # noqa: PTH119  (pathlib is slow to import)
        place = f"{file}:{trace.tb_lineno}"
    return f"a fault of keywatch itself: {type(error).__name__} at {place}"
