r"""Apache httpd with a LogFormat of your own.

https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats
"""

import re

from streams.clocks import ANY_TIME, EPOCH_US, strptime
from streams.parsed import Format, Shape
from streams.readers import CLF_TIME, EPOCH_MS, EPOCH_S
from streams.textformat import Dialect, TextFormat, Variable, compiled

_DIRECTIVE = re.compile(r"%(?:[!0-9,]*[<>]?)(?:\{([^}]*)\})?([<>]?)(\^?[A-Za-z]{1,3}|%)")
_PLAIN = {
    "h": "ip",
    "a": "ip",
    "u": "user",
    "r": "request",
    "m": "method",
    "U": "target",
    "q": "query",
    "s": "status",
    "b": "size",
    "B": "size",
    "O": "size",
}
_HEADERS = {"user-agent": "agent", "x-forwarded-for": "forwarded"}
_KEYS = {"key_id", "keywatch_key_id", "x-api-key-id"}
_PATTERNS = {"U": r'([^?\s"]*+)', "q": r'((?:\?[^\s"]*+)?+)'}
_CLOCKS = {"sec": EPOCH_S, "msec": EPOCH_MS, "usec": EPOCH_US}
DEBIAN = r'%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"'
"""`vhost_combined`, as Debian's httpd has it."""


def _meaning(match: re.Match[str]) -> Variable:
    argument, _, letter = match.groups()
    if letter == "t":
        return _time(argument)
    if letter in {"i", "e", "n", "x", "C"} and argument is not None:
        name = argument.lower()
        column = "key" if name in _KEYS else _HEADERS.get(name, "") if letter == "i" else ""
        return Variable(f"%{{{argument}}}{letter}", column)
    if letter == "a" and argument == "c":  # the peer, behind mod_remoteip
        return Variable("%{c}a")
    return Variable(f"%{letter}", _PLAIN.get(letter, ""), _PATTERNS.get(letter, ""))


def _time(argument: str | None) -> Variable:
    if argument is None:
        return Variable("%t", "time", r"\[([^\]\[]{20,40}+)\]", CLF_TIME)
    pattern = argument.partition(":")[2] if argument.startswith(("begin:", "end:")) else argument
    if pattern in _CLOCKS:
        return Variable(f"%{{{argument}}}t", "time", "", _CLOCKS[pattern])
    if "%" not in pattern:  # a fraction of a second alone
        return Variable(f"%{{{argument}}}t")
    iso = pattern in {"%Y-%m-%dT%H:%M:%S%z", "%FT%T%z"}
    clock = ANY_TIME if iso else strptime(pattern)
    # A point that is none of the pattern's ends it: `.%{msec_frac}t`, as the manual has it.
    word = r'[^ "]++' if "." in pattern else r'[^ ".]++'
    words = " ".join([word] * (pattern.count(" ") + 1))
    return Variable(f"%{{{argument}}}t", "time", f"({words})", clock)


APACHE = Dialect(
    variable=_DIRECTIVE,
    meaning=_meaning,
    escapes=True,
    literal=lambda text: text.replace('\\"', '"').replace("\\t", "\t"),
)


def shaped(shape: Shape) -> TextFormat:
    """Return what reads lines of a LogFormat string."""
    return compiled(shape.layout or DEBIAN, APACHE, shape.fields)


FORMAT = Format(
    name="apache",
    about="Apache httpd with the LogFormat that `layout` names; vhost_combined without one",
    log_the_key=r"""
LogFormat "%a %u %t \"%r\" %>s %b \"%{User-Agent}i\" \"%{KEY_ID}e\"" api
CustomLog /var/log/apache2/api.log api
# in keywatch.toml, the same string; a key in another field: fields = { key = "%{X-Client}i" }
layout = '%a %u %t "%r" %>s %b "%{User-Agent}i" "%{KEY_ID}e"'""".strip(),
    samples=(
        (
            b'shop.example:443 203.0.113.9 - jo [03/Nov/2025:09:12:44 +0000] "GET /files/7.pdf '
            b'HTTP/1.1" 200 90121 "https://shop.example/" "Mozilla/5.0 \\"quoted\\""'
        ),
    ),
    parse=shaped(Shape()),
    shaped=shaped,
    takes=("layout", "fields"),
)
