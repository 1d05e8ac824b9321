"""Passwords that people choose: short ones, and those with a word in them that stands for one.

The trees learned that `it`, `test` or `abc` in a value make a placeholder of it, and that four
digits are a number. Beside a name that says "password" and nothing else they may well be one: such
values are shown at low confidence, never higher.
"""

from functools import lru_cache

from scanner.candidate import Candidate
from scanner.gap import compared
from scanner.lazy import lazy
from scanner.wording import BAD_NAME, IDENTITY, SPOKEN_TO_PEOPLE, STOCK, name_words, words

_SHORT = lazy(r"(?=[A-Za-z!@#%^&*_-]{0,6}[0-9])[0-9A-Za-z!@#%^&*_-]{4,7}")
_CHANGES = lazy(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])|[a-z](?=[A-Z])")
_OTHER = lazy(r"[\s$<>(){}]")
"""What sentences, hashes and code have."""
_CONTRACTED = lazy(r"(?i)(?:^|[^A-Za-z])[a-z]{1,6}\\?'(?:s|t|m|d|re|ll|ve)(?![a-z])")
_SET = lazy(r"[=>]\Z|\A\s*[\w.-]+:\s+\Z")
_NAMES = frozenset("password passwd pass pwd passphrase passcode pw psw".split())
_STEPS = "01234567890123456789 98765432109876543210 abcdefghijklmnopqrstuvwxyz qwertyuiop asdfghjkl"
_LEAST, _CHANGED, _DISTINCT, _LONGEST = 8, 2, 4, 40


def chosen(candidate: Candidate) -> bool:
    """Say whether a value looks chosen, and stands beside a name that is that of a password."""
    if candidate.kind != "assignment" or not _is_of_a_password(candidate.name):
        return False
    looks = _is_short(candidate) or _is_mixed(candidate) or _is_contracted(candidate)
    return looks and not compared(candidate)


@lru_cache(maxsize=4096)
def _is_of_a_password(name: str) -> bool:
    parts = [part for part in name_words(name) if not part.isdigit()]
    others = (BAD_NAME, IDENTITY, SPOKEN_TO_PEOPLE)
    return bool(parts) and parts[-1] in _NAMES and not any(one.search(name) for one in others)


def _is_short(candidate: Candidate) -> bool:
    """Say whether a value has four to seven signs, digits among them, that do not count up."""
    value = candidate.value
    if not _SHORT.fullmatch(value) or len(set(value)) <= len(value) // 2 or value.lower() in _STEPS:
        return False
    if value.isdigit() and not (candidate.quote or _SET.search(candidate.before)):
        return False
    return not any(
        (part in STOCK and len(part) > 1) or part.startswith("pass") for part in words(value)
    )


def _is_contracted(candidate: Candidate) -> bool:
    """Say whether a quoted value without blanks has a contraction and a digit: `it's-me-9`."""
    value = candidate.value
    found = _CONTRACTED.search(value) if candidate.quote and len(value) >= _LEAST else None
    return found is not None and not _OTHER.search(value) and any(map(str.isdigit, value))


def _is_mixed(candidate: Candidate) -> bool:
    """Say whether what is left without words that stand for others is eight mixed signs."""
    value = candidate.value
    parts = words(value)
    left = "".join(part for part in parts if part not in STOCK)
    if len(left) < _LEAST or len(left) == sum(map(len, parts)):
        return False
    if left.isalpha() and not candidate.quote:
        return False
    if _OTHER.search(value) or len(value) > _LONGEST:
        return False
    return len(_CHANGES.findall(value)) >= _CHANGED and len(set(left)) >= _DISTINCT
