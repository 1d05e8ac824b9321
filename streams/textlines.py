"""Lines of fields in a fixed order, taken apart by one regular expression."""

import re
from collections.abc import Sequence
from functools import cached_property

from streams.parsed import MAX_LINE, Rejection


class TextLines:
    """Takes lines apart into their fields, and tells which field of a line is the broken one.

    Args:
        fields: (name, regular expression) in their order; together they must match the whole
            line. Every capturing group is one word. The expressions must not backtrack far:
            lines are hostile.
    """

    def __init__(self, *fields: tuple[str, str]) -> None:
        self._fields = fields
        self._match = re.compile("".join(pattern for _, pattern in fields) + r"\r?").fullmatch

    def words(
        self, lines: Sequence[bytes]
    ) -> tuple[list[int], list[tuple[str, ...]], list[Rejection]]:
        """Return the lines' indices, their words (None is ""), and the lines that do not match."""
        index: list[int] = []
        rows: list[tuple[str, ...]] = []
        rejected: list[Rejection] = []
        match = self._match
        for number, line in enumerate(texts(lines)):
            found = match(line)
            if found is not None:
                rows.append(found.groups(""))
                index.append(number)
            elif lines[number].strip():
                rejected.append((number, self._reason(line)))
        return index, rows, rejected

    @cached_property
    def _prefixes(self) -> list[tuple[str, re.Pattern[str]]]:
        patterns = [pattern for _, pattern in self._fields]
        return [
            (name, re.compile("".join(patterns[:end])))
            for end, (name, _) in enumerate(self._fields, 1)
        ]

    def _reason(self, line: str) -> str:
        if line is TOO_LONG:
            return f"line: longer than {MAX_LINE} bytes"
        for name, prefix in self._prefixes:
            if not prefix.match(line):
                return f"{name}: missing or malformed"
        return f"line: goes on after {self._fields[-1][0]}"


TOO_LONG = "line longer than the limit"
"""Stands for a line that is not looked at."""


def texts(lines: Sequence[bytes]) -> list[str]:
    r"""Return the lines as text; bytes that are no UTF-8 stay readable, as `\xe9`."""
    if max(map(len, lines), default=0) > MAX_LINE:
        return [
            TOO_LONG if len(line) > MAX_LINE else line.decode("utf-8", "backslashreplace")
            for line in lines
        ]
    # One call for all; a line that holds a line feed, as a record of a topic may, has to wait.
    joined = b"\n".join(lines).decode("utf-8", "backslashreplace").split("\n") if lines else []
    if len(joined) == len(lines):
        return joined
    return [line.decode("utf-8", "backslashreplace") for line in lines]
