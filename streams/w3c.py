"""The W3C extended log file format: a line `#Fields: …` names the fields of the lines behind it.

https://www.w3.org/TR/WD-logfile.html
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import chain
from operator import itemgetter
from typing import Any

from streams.addresses import NO_PROXIES, Proxies
from streams.assemble import assembled
from streams.parsed import MAX_LINE, Parsed, Reader, Rejection
from streams.readers import EPOCH_S, RFC3339_TIME
from streams.textlines import TOO_LONG, texts
from vocabulary.errors import ConfigError

HEADER = b"#Fields:"

_COLUMNS = {
    "c-ip": "ip",
    "x-forwarded-for": "forwarded",
    "cs(x-forwarded-for)": "forwarded",
    "cs-username": "user",
    "cs-method": "method",
    "cs-uri-stem": "target",
    "cs-uri-query": "query",
    "cs-uri": "target",
    "sc-status": "status",
    "sc-bytes": "size",
    "cs(user-agent)": "agent",
    "cs-user-agent": "agent",
    "x-api-key-id": "key",
    "cs(x-api-key-id)": "key",
}
HEADERS = "cs-headers"
"""CloudFront's field of all headers, a line each, escaped; `cs-headers:X-Own` is one of them."""
_OF_HEADERS = {"key": "x-api-key-id", "forwarded": "x-forwarded-for"}
_NAMES = {column: name for name, column in reversed(_COLUMNS.items())}
_MAX_FIELDS = 256


class W3CFormat:
    """Reads lines of named fields; a `streams.parsed.Parser`.

    Args:
        default: the fields of lines that no header stands before.
        separator: between fields.
        unescape: reads a word that was escaped to hold no separator.
        own: column → field, where it is not the usual one.

    Raises:
        ConfigError: when the fields tell no time.
    """

    def __init__(
        self,
        default: str,
        separator: str,
        unescape: Callable[[str], str],
        own: Mapping[str, str] | None = None,
    ) -> None:
        self._separator, self._unescape, self._own = separator, unescape, dict(own or {})
        self._default = _names(default)
        if not _clock(self._default):
            raise ConfigError("the fields tell no time", where=f"layout: {default[:64]!r}")
        for column, name in self._own.items():
            field = HEADERS if name.lower().startswith(f"{HEADERS}:") else name.lower()
            if field not in self._default:
                raise ConfigError(f"there is no field {name[:64]!r}", where=f"fields.{column}")

    def __call__(self, lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
        """Parse the lines; what a header says holds from it to the next one."""
        starts = [at for at, line in enumerate(lines) if line.startswith(HEADER)]
        runs = [(0, starts[0] if starts else len(lines), self._default)]
        for start, end in zip(starts, [*starts[1:], len(lines)][: len(starts)], strict=True):
            named = _names(lines[start][: 1 << 14].decode("utf-8", "replace"))
            runs.append((start + 1, end, named))
        parts = [self._run(lines, run, proxies) for run in runs if run[0] < run[1]]
        return parts[0] if len(parts) == 1 else _joined(parts)

    def _run(
        self, lines: Sequence[bytes], run: tuple[int, int, list[str]], proxies: Proxies
    ) -> Parsed:
        start, end, names = run
        index: list[int] = []
        rows: list[list[str]] = []
        rejected: list[Rejection] = []
        clock = _clock(names)
        for number, line in enumerate(texts(lines[start:end]), start):
            words = line.rstrip("\r").split(self._separator)
            if line is not TOO_LONG and clock and len(words) == len(names):
                index.append(number)
                rows.append(words)
            elif lines[number].strip() and not lines[number].startswith(b"#"):
                rejected.append((number, _reason(line, len(words), names)))
        found = self._columns(rows, names)
        return assembled(found, _NAMES, (index, rejected), clock or RFC3339_TIME, proxies)

    def _columns(self, rows: Sequence[Sequence[str]], names: Sequence[str]) -> dict[str, Any]:
        places = {_COLUMNS.get(name, ""): at for at, name in enumerate(names)}
        places |= {
            one: names.index(own.lower()) for one, own in self._own.items() if own.lower() in names
        }
        places.pop("", None)
        found: dict[str, Any] = {
            column: list(map(itemgetter(at), rows)) for column, at in places.items()
        }
        for column in {"agent", "user", "forwarded"} & set(found):
            found[column] = _each(self._unescape, found[column])
        if HEADERS in names:
            found |= self._of_headers(list(map(itemgetter(names.index(HEADERS)), rows)), found)
        if "timestamp" in names:
            return {**found, "time": list(map(itemgetter(names.index("timestamp")), rows))}
        if _clock(names):
            pair = itemgetter(names.index("date"), names.index("time"))
            found["time"] = [f"{date}T{time}Z" for date, time in map(pair, rows)]
        return found

    def _of_headers(self, words: Sequence[str], found: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return what only the field of all headers holds."""
        own = {
            column: name.lower().partition(":")[2]
            for column, name in self._own.items()
            if name.lower().startswith(f"{HEADERS}:")
        }
        wanted = {one: name for one, name in _OF_HEADERS.items() if one not in found} | own
        told = [_headers(self._unescape(word)) for word in words]
        return {column: [one.get(name, "") for one in told] for column, name in wanted.items()}


def _headers(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.split("\n"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _each(function: Callable[[str], str], words: Sequence[str]) -> list[str]:
    table = {word: function(word) for word in set(words)}
    return [table[word] for word in words]


def _names(header: str) -> list[str]:
    return header.removeprefix("#Fields:").lower().split()[:_MAX_FIELDS]


def _clock(names: Sequence[str]) -> Reader[int] | None:
    if "timestamp" in names:
        return EPOCH_S
    return RFC3339_TIME if "date" in names and "time" in names else None


def _reason(line: str, words: int, names: Sequence[str]) -> str:
    if line is TOO_LONG:
        return f"line: longer than {MAX_LINE} bytes"
    if not _clock(names):
        return "#Fields: names no date and time"
    return f"line: {words} fields where {len(names)} are named"


def _joined(parts: Sequence[Parsed]) -> Parsed:
    if not parts:
        return Parsed(*([()] * 9))
    columns = {
        one.name: list(chain.from_iterable(getattr(part, one.name) for part in parts))
        for one in fields(Parsed)
    }
    return replace(parts[0], **columns)
