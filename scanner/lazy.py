"""Regular expressions that are compiled when they are first used.

A scan of what is staged imports hundreds of them and seldom needs more than a few; compiling them
all would take longer than the scan.
"""

import re
from typing import Any, AnyStr, cast


class _Lazy:
    """Stands in for a pattern; each of its methods is the pattern's own from the second use on."""

    def __init__(self, pattern: Any, flags: int) -> None:  # noqa: ANN401  (text or bytes)
        self._source = (pattern, flags)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (whatever a pattern has)
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(re.compile(*self._source), name)
        setattr(self, name, found)
        return found


def lazy(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what behaves as `re.compile(pattern, flags)`; a mistake in it shows when it is used.

    Args:
        pattern: text or bytes, in the syntax of `re`.
        flags: of `re`.
    """
    return cast("re.Pattern[AnyStr]", _Lazy(pattern, flags))
