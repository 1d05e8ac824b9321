"""From the words of log lines to checked columns: what all formats share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import compress
from typing import Any, Generic, Protocol, TypeVar

from streams.addresses import NO_PROXIES, Proxies, address, client

T = TypeVar("T")

MAX_LINE = 1 << 20
"""Bytes; a longer line is a dead letter."""

MAX_KEY = 256
"""Characters; a longer key is refused."""

Rejection = tuple[int, str]
"""Index of the line, and which field was wrong and why. Never any of the line's words."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The events of some lines as parallel columns, in the order of the lines.

    Attributes:
        line: index of the line that an event was read from.
        ts_ms: epoch milliseconds, UTC.
        key, ip, method, path, agent: empty where unknown.
        status, size: 0 where unknown.
        tls: fingerprints of TLS hellos; empty when the log has none.
        tokens: AI tokens that answers cost; empty when the log has none.
        rejected: the lines that are no events; blank lines are not among them.
    """

    line: Sequence[int]
    ts_ms: Sequence[int]
    key: Sequence[str]
    ip: Sequence[str]
    method: Sequence[str]
    path: Sequence[str]
    status: Sequence[int]
    size: Sequence[int]
    agent: Sequence[str]
    rejected: Sequence[Rejection] = ()
    tls: Sequence[str] = ()
    tokens: Sequence[int] = ()

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.line)


class Parser(Protocol):
    """Whole chunks of lines to columns; never raises for what a line holds."""

    def __call__(self, lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
        """Parse the lines; `proxies` are those whose word on the client's address is believed."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """What a configuration tells of a log that is not written as its format has it by default.

    Attributes:
        layout: the server's own format string, such as Apache's LogFormat.
        fields: column of `streams.assemble.COLUMNS` → what the log calls it.
        pattern: a regular expression whose named groups are columns.
        time: how times are written, of `streams.clocks.CLOCKS`; empty for the format's own way.
    """

    layout: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    pattern: str = ""
    time: str = ""

    def __bool__(self) -> bool:
        """Whether it tells anything."""
        return bool(self.layout or self.fields or self.pattern or self.time)


@dataclass(frozen=True, slots=True)
class Format:
    """One access log format: a file in streams/formats with a constant `FORMAT`.

    Attributes:
        name: as the command line knows it.
        about: one line.
        log_the_key: what to configure so that the log holds a key id.
        samples: lines as the format's vendor documents them, made up anew.
        shaped: makes the parser of a log that is shaped otherwise; None where it never is.
        takes: which parts of a shape `shaped` heeds.
        header: how a line begins that says how those behind it are read; empty where none does.
        lateness_s: how far behind its key's newest an event may come and count; 0: as usual.
        unfold: from lines as they are stored to lines of one event each; None where they are.
    """

    name: str
    about: str
    log_the_key: str
    samples: tuple[bytes, ...]
    parse: Parser
    shaped: Callable[[Shape], Parser] | None = None
    takes: tuple[str, ...] = ()
    header: bytes = b""
    unfold: Callable[[bytes], list[bytes]] | None = None
    lateness_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reader(Generic[T]):
    """How the words of one field are read.

    Attributes:
        expects: what the field should have been, for the reason of a rejection.
        read: word → value, or None when it is not what is expected.
        column: words → what `read` gives for each, or None when they must be read one by one.
    """

    expects: str
    read: Callable[[Any], T | None]
    column: Callable[[Sequence[Any]], list[T] | None] | None = None


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """The words of one field, one an event; `name` is what the log calls the field."""

    name: str
    words: Sequence[Any]
    reader: Reader[T]


@dataclass(frozen=True, slots=True)
class Words:
    """What lines say, before it is checked: parallel columns.

    Attributes:
        line: index of the line.
        request: read into (method, path, key in the query string).
        forwarded: values of X-Forwarded-For; empty when the log has none.
        user: names of users, which stand for the key where there is no other; empty when the
            log has none.
        tls: fingerprints of TLS hellos; empty when the log has none.
        tokens: AI tokens that answers cost; None when the log has none.
    """

    line: Sequence[int]
    time: Column[int]
    key: Column[str]
    peer: Sequence[str]
    request: Column[tuple[str, str, str]]
    status: Column[int]
    size: Column[int]
    agent: Sequence[str]
    forwarded: Sequence[str] = ()
    user: Sequence[str] = ()
    tls: Sequence[str] = ()
    tokens: Column[int] | None = None


def events(words: Words, rejected: Iterable[Rejection], proxies: Proxies) -> Parsed:
    """Read every column; an event with an unreadable field is rejected.

    Args:
        words: the columns.
        rejected: the lines that did not even yield words.
        proxies: whose X-Forwarded-For is believed.
    """
    bad: dict[int, str] = {}
    requests = _read(words.request, bad)
    parsed = Parsed(
        line=words.line,
        ts_ms=_read(words.time, bad),
        key=_keys(_read(words.key, bad), requests, words.user),
        ip=_addresses(words, proxies),
        method=[request[0] for request in requests],
        path=[request[1] for request in requests],
        status=_read(words.status, bad),
        size=_read(words.size, bad),
        agent=words.agent,
        tls=words.tls,
        tokens=_read(words.tokens, bad) if words.tokens else (),
    )
    refused = [*rejected, *((words.line[row], reason) for row, reason in bad.items())]
    return replace(_without(parsed, bad), rejected=sorted(refused))


def each(function: Callable[[Any], T], words: Sequence[Any]) -> list[T]:
    """Apply a pure function to every word, calling it once for each distinct one."""
    return list(map(_Table(function).__getitem__, words))


class _Table(dict[Any, Any]):
    """What a function gives for each word it was asked about."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, word: Any) -> Any:  # noqa: ANN401  (as the function has it)
        value = self[word] = self._function(word)
        return value


def _read(column: Column[T], bad: dict[int, str]) -> list[T]:
    """Read a column; a row that fails is noted in `bad` and holds None until it is dropped."""
    reader = column.reader
    at_once = reader.column(column.words) if reader.column else None
    if at_once is not None:
        return at_once
    table = _Table(reader.read)
    values: list[Any] = list(map(table.__getitem__, column.words))
    if None in table.values():
        reason = f"{column.name}: not {reader.expects}"
        for row, value in enumerate(values):
            if value is None:
                bad.setdefault(row, reason)
    return values


def _keys(
    keys: list[str], requests: Sequence[tuple[str, str, str]], users: Sequence[str]
) -> list[str]:
    """Fill the gaps with the key of the query string, then with the user."""
    if all(keys):
        return keys
    found = [key or request[2] for key, request in zip(keys, requests, strict=True)]
    if not users or all(found):
        return found
    names = each(_user, users)
    return [key or name for key, name in zip(found, names, strict=True)]


def _user(name: str) -> str:
    return name if name != "-" and len(name) <= MAX_KEY and name.isprintable() else ""


def _addresses(words: Words, proxies: Proxies) -> list[str]:
    if not proxies or not words.forwarded:
        return each(address, words.peer)
    pairs = list(zip(words.peer, words.forwarded, strict=True))
    return each(lambda pair: client(pair[0], pair[1], proxies), pairs)


def _without(parsed: Parsed, bad: Mapping[int, str]) -> Parsed:
    if not bad:
        return parsed
    keep = [row not in bad for row in range(len(parsed))]
    columns = (one.name for one in fields(parsed) if one.name != "rejected")
    return replace(
        parsed, **{name: list(compress(getattr(parsed, name), keep)) for name in columns}
    )
