"""Text lines of your own: a regular expression whose named groups are the columns.

Matched by RE2, whose time grows with the length of a line alone, whatever the expression:
https://github.com/google/re2/wiki/Syntax
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from streams.addresses import NO_PROXIES, Proxies
from streams.assemble import COLUMNS, assembled
from streams.clocks import ANY_TIME
from streams.clocks import clock as clock_of
from streams.parsed import MAX_LINE, Format, Parsed, Parser, Reader, Rejection, Shape
from streams.textlines import TOO_LONG, texts
from vocabulary.errors import ConfigError, UsageError

_LONGEST = 4096

DEFAULT = (
    r"(?P<time>\S+) (?P<ip>\S+) (?P<key>\S+) (?P<method>[A-Z]+) (?P<target>\S+) "
    r'(?P<status>\d+) (?P<size>\d+|-)(?: "(?P<agent>.*)")?'
)


class _Lazy:
    """Reads lines of `DEFAULT`; compiled when it is used, by Python where RE2 is not installed."""

    @cached_property
    def _parse(self) -> Parser:
        try:
            return _parser(_compiled(DEFAULT), ANY_TIME)
        except UsageError:
            return _parser(re.compile(DEFAULT), ANY_TIME)

    def __call__(self, lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
        """Parse the lines."""
        return self._parse(lines, proxies)


def shaped(shape: Shape) -> Parser:
    """Return what reads lines of the configured pattern.

    Raises:
        ConfigError: when it is no expression, or a group is no column.
        UsageError: when google-re2 is not installed.
    """
    pattern = _compiled(shape.pattern or DEFAULT)
    clock = clock_of(shape.time) if shape.time else ANY_TIME
    return _parser(pattern, clock)


def _compiled(pattern: str) -> Any:  # noqa: ANN401  (of a package without types)
    try:
        import re2  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise UsageError(
            "expressions of your own need google-re2",
            remedy="install keywatch[re2]",
        ) from error
    options = re2.Options()
    options.log_errors = False
    try:
        found = re2.compile(pattern, options)
    except re2.error as error:
        raise _refused(str(error)) from None
    if wrong := sorted(set(found.groupindex) - set(COLUMNS)):
        raise _refused(f"an event has no {wrong[0]!r}; it has {', '.join(COLUMNS)}")
    if "time" not in found.groupindex or len(pattern) > _LONGEST:
        raise _refused("longer than 4096 characters, or without a group `time`")
    return found


def _refused(what: str) -> ConfigError:
    return ConfigError(what, where="pattern", remedy="see github.com/google/re2/wiki/Syntax")


def _parser(pattern: Any, clock: Reader[int]) -> Parser:  # noqa: ANN401  (see _compiled)
    groups = dict(pattern.groupindex)

    def parse(lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
        index: list[int] = []
        rows: list[tuple[str | None, ...]] = []
        rejected: list[Rejection] = []
        for number, line in enumerate(texts(lines)):
            match = None if line is TOO_LONG else pattern.fullmatch(line.rstrip("\r"))
            if match is not None:
                index.append(number)
                rows.append(match.groups())
            elif lines[number].strip():
                too_long = f"line: longer than {MAX_LINE} bytes"
                rejected.append((number, too_long if line is TOO_LONG else "line: no match"))
        columns = list(zip(*rows, strict=True)) or [()] * len(groups)
        found = {name: columns[at - 1] for name, at in groups.items()} if rows else {}
        return assembled(found, {}, (index, rejected), clock, proxies)

    return parse


FORMAT = Format(
    name="custom-regex",
    about="text lines of your own; `pattern` is a regular expression with named groups",
    log_the_key="""
# in keywatch.toml; groups: time, key, ip, forwarded, user, request, method, target, query, status,
# size, agent, tls, tokens; `time` as in custom-json. Needs keywatch[re2].
format = "custom-regex"
pattern = '(?P<time>\\S+) (?P<ip>\\S+) "(?P<request>[^"]*)" (?P<status>\\d+)'""".strip(),
    samples=(
        (
            b"2025-11-03T09:12:44Z 198.51.100.23 key_abcdefgh234567ab GET /v1/invoices 200 512 "
            b'"invoicer/4.2"'
        ),
    ),
    parse=_Lazy(),
    shaped=shaped,
    takes=("pattern", "time"),
)
