"""How the API says no: one shape for every refusal, with the status that fits the error."""

import msgspec

from keywatch.desk.doing import ForbiddenError
from keywatch.desk.looking import MissingError
from vocabulary.errors import (
    DatabaseError,
    KeyNotFoundError,
    KeyStoreError,
    KeywatchError,
    UsageError,
)


class Fault(msgspec.Struct, frozen=True):
    """What was wrong, in a word and in a sentence."""

    code: str
    message: str


class Problem(msgspec.Struct, frozen=True):
    """The body of every refusal."""

    error: Fault


class RefusedError(Exception):
    """A request that is not carried out: status, a word, a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


PROBLEMS = {
    400: "The request is not as it should be.",
    401: "There is no valid token.",
    403: "The token lacks the scope.",
    404: "There is nothing of this name.",
    409: "The state of the key does not allow it.",
    413: "The body is too large.",
    503: "The database is away or busy.",
}
"""Status → what it means here."""

_STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (ForbiddenError, 403, "forbidden"),
    (MissingError, 404, "not_found"),
    (KeyNotFoundError, 404, "not_found"),
    (KeyStoreError, 409, "conflict"),
    (UsageError, 400, "bad_request"),
    (DatabaseError, 503, "unavailable"),
    (KeywatchError, 409, "conflict"),
)


def problem_of(error: Exception) -> tuple[int, Problem]:
    """Return status and body of an error; of one that is no fault of the caller's it is raised."""
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return status, problem(code, said(error))
    raise error


def problem(code: str, message: str) -> Problem:
    """Return a body."""
    return Problem(Fault(code, message))


def said(error: Exception) -> str:
    """Return an error as a sentence; of the database not where it is."""
    if isinstance(error, DatabaseError):
        return "the database cannot be reached or is busy"
    if isinstance(error, KeywatchError):
        return f"{error.what} ({error.remedy})" if error.remedy else error.what
    return str(error)
