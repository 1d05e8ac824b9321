"""Names and numbers that people give: checked once, where they come in."""

import re

from vocabulary.errors import UsageError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,199}")
_MOST_TOKENS = 10**15


def checked_id(text: str, what: str) -> str:
    """Return the id of an account, organisation, plan or store.

    Raises:
        UsageError: when it could not be typed, or would be mistaken for an option.
    """
    if not _ID.fullmatch(text):
        raise UsageError(
            f"{text!r} cannot be the name of {'an' if what[0] in 'aeiou' else 'a'} {what}",
            remedy="take letters, digits and . _ : @ / - and begin with a letter or digit",
        )
    return text


def checked_tokens(amount: int | None) -> int | None:
    """Return a budget of AI tokens; None is no end.

    Raises:
        UsageError: when it cannot be.
    """
    if amount is not None and not 0 <= amount <= _MOST_TOKENS:
        raise UsageError(f"a budget cannot be {amount} tokens", remedy="0 lets nothing through")
    return amount
