"""Values that say what should stand there: `mypassword`, `change-this`, `newPassword123`.

A password that is only weak, as `postgres123`, says nothing of the kind.
"""

from scanner.lazy import lazy
from scanner.shape import decoded

_WORDS_FOR = lazy(
    r"(?i)[a-z_ -]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key)[a-z_ -]*\n?"
    r"|replace|literal"
)
_NUMBERED = lazy(
    r"(?i)(?:a|my|your|the|some|any|new|old|test|current|wrong|bad|strong|secure|sample|example)"
    r"[_ -]?"
    r"(?:passw(?:or)?d|pass|pwd|passphrase|secret|token|api[_-]?key)[_-]?\d{0,4}[!@#.]?"
)
_CHANGE = lazy(r"(?i)change[_ -]?(?:this|me)(?:[_ -](?:please|now|later))?[_-]?\d{0,4}[!@#.]?")
_LONG = 80


def says_what_it_is(value: str) -> bool:
    """Say whether a value is words for a secret, also in base64."""
    if any(shape.fullmatch(value) for shape in (_WORDS_FOR, _NUMBERED, _CHANGE)):
        return True
    encoded = len(value) <= _LONG and len(value) % 4 == 0
    return encoded and _WORDS_FOR.fullmatch(decoded(value)) is not None
