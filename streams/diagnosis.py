"""Which format a log is of, and what it lacks."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from streams import formats
from streams.addresses import NO_PROXIES, Proxies
from streams.parsed import Format, Parsed
from streams.w3c import HEADER
from vocabulary.errors import FormatError

# RFC 1918, RFC 4193 and RFC 6598; and the machine itself.
_INSIDE = Proxies.of(
    [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "fc00::/7",
        "::1",
    ]
)

GEOGRAPHY, TRAVEL, CLIENT, ANSWERS = "geography", "travel", "client", "answers"
ENDPOINTS, SEQUENCE, OBJECTS = "endpoints", "sequence", "objects"
SESSION, STUFFING = "session", "stuffing"
"""Detectors, as alerts name them."""

ENOUGH = 0.5
"""Share of the lines that must be events for a format to be the log's."""

_MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Lack:
    """What is missing in a log, and what cannot be done without it."""

    what: str
    without_it: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a look at some lines of a log tells.

    Attributes:
        format: the format that reads most of the lines.
        others: names of formats that read as many.
        lines: that were looked at, blank ones not counted.
        parsed: as that format reads them.
        reasons: the most frequent reasons of refused lines, and how often each.
        lacks: what is missing.
    """

    format: Format
    others: tuple[str, ...]
    lines: int
    parsed: Parsed
    reasons: tuple[tuple[str, int], ...]
    lacks: tuple[Lack, ...]


def diagnose(
    lines: Sequence[bytes],
    where: str = "",
    shaped: Sequence[Format] = (),
    proxies: Proxies = NO_PROXIES,
) -> Diagnosis:
    """Find the format of some lines, and what they lack.

    Args:
        lines: from the start of a log, cleaned of secrets.
        where: name of the log, for the error.
        shaped: formats as a configuration has them, which are tried in place of their defaults.
        proxies: whose X-Forwarded-For is believed.

    Raises:
        FormatError: when no format reads half of the lines, or there are none.
    """
    full = [line for line in lines if line.strip()]
    known = {name: formats.find(name) for name in formats.names()}
    known |= {one.name: one for one in shaped}
    read = {name: one.parse(_records(full, one), proxies) for name, one in known.items()}
    best = max(read, key=lambda name: (len(read[name]), _told(read[name])))
    parsed = read[best]
    told = len(parsed) + len(parsed.rejected)
    if len(parsed) <= ENOUGH * told:
        if headless := _headless_w3c(full):
            raise FormatError(headless, where=where, remedy=_NAME_FIELDS)
        raise FormatError(_no_format(best, parsed, told), where=where, remedy=_REMEDY)
    others = (name for name in read if name != best and len(read[name]) == len(parsed))
    reasons = Counter(reason for _, reason in parsed.rejected)
    return Diagnosis(
        format=known[best],
        others=tuple(others),
        lines=told,
        parsed=parsed,
        reasons=tuple(reasons.most_common(_MOST_REASONS)),
        lacks=(*_unbelieved(full, known[best], parsed, proxies), *_lacks(parsed)),
    )


def _lacks(parsed: Parsed) -> Iterator[Lack]:
    return (lack for missing, lack in _LACKS if missing(parsed))


def _unbelieved(
    lines: Sequence[bytes], log_format: Format, parsed: Parsed, proxies: Proxies
) -> tuple[Lack, ...]:
    """Tell of forwarded addresses that nobody is believed about."""
    if proxies:
        return ()
    believed = log_format.parse(_records(lines, log_format), _EVERYBODY)
    differ = [ip for ip, told in zip(parsed.ip, believed.ip, strict=True) if ip != told]
    if not differ:
        return ()
    peer, number = Counter(differ).most_common(1)[0]
    without_it = f"the address is {peer} of {number} events: list it under trusted_proxies"
    return (Lack("X-Forwarded-For names other clients, and is not believed", without_it),)


def _headless_w3c(lines: Sequence[bytes]) -> str:
    """Say that a log of IIS came without the line that names its fields; empty where it did not."""
    words = next((line.split() for line in lines if not line.startswith(b"#")), [])
    named = any(line.startswith(HEADER) for line in lines)
    if named or not _W3C_TIME.fullmatch(b" ".join(words[:2])):
        return ""
    return f"W3C extended (IIS), without the line #Fields that names its {len(words)} fields"


def _records(lines: Sequence[bytes], log_format: Format) -> Sequence[bytes]:
    if log_format.header:
        lines = [
            line
            for line in lines
            if not line.startswith(b"#") or line.startswith(log_format.header)
        ]
    unfold = log_format.unfold
    return [record for line in lines for record in unfold(line)] if unfold else lines


_W3C_TIME = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_EVERYBODY = Proxies.of(["0.0.0.0/0", "::/0"])
_NAME_FIELDS = "send the header along, or name them as `layout` of format iis; see its snippet"
_REMEDY = f"the formats are {', '.join(formats.names())}"


def _no_format(nearest: str, parsed: Parsed, lines: int) -> str:
    if not lines:
        return "there are no lines"
    reason = f": {parsed.rejected[0][1]}" if parsed.rejected else ""
    return f"no format reads it; {nearest} comes nearest, with {len(parsed)} of {lines}{reason}"


def _told(parsed: Parsed) -> int:
    """Count what is known of the events: of two formats that read as many, one reads more."""
    columns = (parsed.key, parsed.ip, parsed.method, parsed.status, parsed.size, parsed.agent)
    return sum(len(column) - sum(not value for value in column) for column in columns)


def _nowhere(column: str) -> Callable[[Parsed], bool]:
    return lambda parsed: not any(getattr(parsed, column))


def _all_private(parsed: Parsed) -> bool:
    known = {ip for ip in parsed.ip if ip}
    return bool(known) and all(ip_address(ip) in _INSIDE for ip in known)


def _mostly_nameless(parsed: Parsed) -> bool:
    named = sum(map(bool, parsed.key))
    return 0 < named < len(parsed) / 2


_LACKS: tuple[tuple[Callable[[Parsed], bool], Lack], ...] = (
    (
        _nowhere("key"),
        Lack("no event names a key", "nothing can be said of a single key: log its id"),
    ),
    (
        _mostly_nameless,
        Lack("most events name no key", "only those that do are watched"),
    ),
    (
        _nowhere("ip"),
        Lack("no client addresses", f"{GEOGRAPHY}, {TRAVEL} and {STUFFING} see nothing"),
    ),
    (
        _all_private,
        Lack(
            "all client addresses are private",
            f"they may be a proxy's, then {GEOGRAPHY}, {TRAVEL} and {STUFFING} see nothing: log "
            "X-Forwarded-For and list the proxy as trusted",
        ),
    ),
    (
        _nowhere("status"),
        Lack(
            "no statuses",
            f"{ANSWERS} and {STUFFING} see nothing: refused requests pass for accepted ones",
        ),
    ),
    (_nowhere("path"), Lack("no paths", f"{ENDPOINTS}, {SEQUENCE} and {OBJECTS} see nothing")),
    (
        _nowhere("agent"),
        Lack("no user agents", f"{CLIENT} sees nothing: another program is not noticed"),
    ),
    (
        _nowhere("size"),
        Lack("no sizes of answers", f"{SESSION} does not see that more is taken out"),
    ),
    (
        _nowhere("tls"),
        Lack(
            "no TLS fingerprints (JA4)",
            f"{CLIENT} believes a program that takes a known one's name",
        ),
    ),
)
