"""Formats of text lines, declared by regular expressions or by a server's own format string."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streams.addresses import NO_PROXIES, Proxies
from streams.assemble import COLUMNS, Found, assembled
from streams.parsed import Parsed, Reader
from streams.readers import CLF_TIME
from streams.textlines import TextLines
from vocabulary.errors import ConfigError

QUOTED = r'((?:[^"\\]++|\\.)*+)'
"""What stands between quotes, where quotes inside are escaped."""

BARE = r'([^"]*+)'
"""What stands between quotes, where they are not."""

_MAX_LAYOUT = 4096


@dataclass(frozen=True, slots=True)
class Field:
    """A part of every line.

    Attributes:
        name: as the log's documentation has it.
        pattern: with one capturing group, if it has a column; it must not backtrack far.
        column: of `streams.assemble.COLUMNS`; empty for what is of no interest.
    """

    name: str
    pattern: str
    column: str = ""


class TextFormat:
    """Reads lines of fields in a fixed order; a `streams.parsed.Parser`.

    Args:
        fields: in their order.
        clock: how `time` is read.
        adjust: makes columns of columns, where a log's own are not quite ours.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        clock: Reader[int] = CLF_TIME,
        adjust: Callable[[Found], Found] = lambda found: found,
    ) -> None:
        self._lines = TextLines(*((one.name, one.pattern) for one in fields))
        self._columns = [one.column for one in fields if one.column]
        self._names = {one.column: one.name for one in reversed(fields) if one.column}
        self._clock, self._adjust = clock, adjust

    def __call__(self, lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
        """Parse the lines."""
        index, rows, rejected = self._lines.words(lines)
        columns: dict[str, Sequence[str]] = {}
        for name, words in zip(self._columns, zip(*rows, strict=True), strict=bool(rows)):
            columns[name] = _first(columns[name], words) if name in columns else words
        found = self._adjust(columns)
        return assembled(found, self._names, (index, rejected), self._clock, proxies)


def _first(words: Sequence[str], others: Sequence[str]) -> Sequence[str]:
    """Of two fields for one column take the first that holds something."""
    pairs = zip(words, others, strict=True)
    return [other if word in {"", "-"} else word for word, other in pairs]


@dataclass(frozen=True, slots=True)
class Variable:
    """What a variable of a format string is to us.

    Attributes:
        name: what a configuration calls it.
        column: see `Field`.
        pattern: of a variable that is written in its own way, with one group if it has a column.
        clock: of a time.
    """

    name: str
    column: str = ""
    pattern: str = ""
    clock: Reader[int] | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server's format strings are written.

    Attributes:
        variable: finds variables in a format string.
        meaning: match → what it is.
        escapes: whether quotes inside of quotes are escaped.
        literal: what stands between variables → what stands in the log.
        adjust: see `TextFormat`.
    """

    variable: re.Pattern[str]
    meaning: Callable[[re.Match[str]], Variable]
    escapes: bool
    literal: Callable[[str], str] = str
    adjust: Callable[[Found], Found] = lambda found: found


def compiled(layout: str, dialect: Dialect, own: Mapping[str, str] | None = None) -> TextFormat:
    """Return what reads lines that were written with a format string.

    What a variable may hold ends at the character behind it, so that no line takes long.

    Args:
        layout: the format string, as the server's configuration has it.
        dialect: of that server.
        own: column → the variable that holds it, where it is not the usual one.

    Raises:
        ConfigError: when two variables touch, there is no time, or `own` names what is not there.
    """
    if len(layout) > _MAX_LAYOUT:
        raise _refused("longer than 4096 characters", layout)
    matches = list(dialect.variable.finditer(layout))
    variables = _claimed([dialect.meaning(match) for match in matches], own or {}, layout)
    starts = [match.start() for match in matches] + [len(layout)]
    before = dialect.literal(layout[: starts[0]])
    fields = []
    for match, variable, start in zip(matches, variables, starts[1:], strict=True):
        behind = dialect.literal(layout[match.end() : start])
        last = start == len(layout)
        if not behind and not last and not variable.pattern:
            raise _refused(f"nothing stands between {variable.name} and what follows it", layout)
        pattern = _pattern(variable, before[-1:], behind, escapes=dialect.escapes)
        fields.append(Field(variable.name, f"{re.escape(before)}{pattern}", variable.column))
        before = behind
    clocks = [one.clock for one in variables if one.column == "time"]
    if not clocks or clocks[0] is None:
        raise _refused("holds no time", layout)
    fields[-1] = Field(fields[-1].name, fields[-1].pattern + re.escape(before), fields[-1].column)
    return TextFormat(fields, clocks[0], dialect.adjust)


def _claimed(
    variables: Sequence[Variable], own: Mapping[str, str], layout: str
) -> Sequence[Variable]:
    """Give the variables that the configuration names their columns."""
    for column, name in own.items():
        if column not in COLUMNS or column == "time":
            raise _refused(f"an event has no {column!r} to choose", layout)
        if name not in {one.name for one in variables}:
            raise _refused(f"holds no {name[:64]!r}", layout)
    chosen = {name: column for column, name in own.items()}
    return [
        Variable(
            one.name,
            chosen.get(one.name, "" if one.column in own else one.column),
            one.pattern,
            one.clock,
        )
        for one in variables
    ]


def _pattern(variable: Variable, before: str, behind: str, *, escapes: bool) -> str:
    """Return what the variable may hold, as a group where it has a column."""
    if variable.pattern:
        found = variable.pattern
    elif before == '"' and behind.startswith('"'):
        found = QUOTED if escapes else BARE
    elif variable.column == "user" and behind.startswith(" ["):
        found = r"(.{1,512}?)"  # users may have blanks in their names
    elif not behind:
        found = r"(.*+)"
    else:
        end = re.escape(behind[0])
        found = rf"([^{end}]*+)"
    if variable.column or "(?:" in found[:3]:
        return found
    return found.replace("(", "(?:", 1)


def _refused(what: str, layout: str) -> ConfigError:
    return ConfigError(what, where=f"layout: {layout[:64]!r}", remedy="check the format string")
