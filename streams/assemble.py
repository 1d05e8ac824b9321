"""From named columns of words to events: what declared JSON and text formats have in common."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from streams.addresses import Proxies
from streams.parsed import Column, Parsed, Reader, Rejection, Words, events
from streams.readers import KEY, METHOD_AND_TARGET, REQUEST_LINE, SIZE, STATUS, TOKENS
from streams.requestline import request, request_line

COLUMNS = (
    "time",
    "key",
    "ip",
    "forwarded",
    "user",
    "request",
    "method",
    "target",
    "query",
    "status",
    "size",
    "agent",
    "tls",
    "tokens",
)
"""What the fields of a log can be to us: `request` is a request line, `target` a path or URL."""

_TEXTS = ("key", "ip", "forwarded", "user", "request", "method", "target", "query", "agent", "tls")

Found = Mapping[str, Sequence[Any]]
"""Column → its words, one an event; None or "" where a line has none."""


def assembled(
    found: Found,
    names: Mapping[str, str],
    lines: tuple[Sequence[int], Iterable[Rejection]],
    clock: Reader[int],
    proxies: Proxies,
) -> Parsed:
    """Check the columns and put events together.

    Args:
        found: the columns that the format has; numbers may be text.
        names: column → what the log calls it, for reasons.
        lines: the index of the line of each event, and the lines that yielded no words.
        clock: reads `time`.
        proxies: whose word on the client's address is believed.
    """
    index, rejected = lines
    blank: Sequence[str] = [""] * len(index)
    texts = {name: _text(found[name]) if name in found else blank for name in _TEXTS}
    words = Words(
        line=index,
        time=Column(names.get("time", "time"), _text(found.get("time", blank)), clock),
        key=Column(names.get("key", "key"), texts["key"], KEY),
        peer=texts["ip"],
        request=_request(texts, names),
        status=Column(names.get("status", "status"), _numbers(found, "status", blank), STATUS),
        size=Column(names.get("size", "size"), _numbers(found, "size", blank), SIZE),
        agent=_there(texts["agent"]),
        forwarded=texts["forwarded"] if "forwarded" in found else (),
        user=texts["user"] if "user" in found else (),
        tls=_there(texts["tls"]) if any(texts["tls"]) else (),
        tokens=_tokens(found, names),
    )
    return events(words, rejected, proxies)


def _tokens(found: Found, names: Mapping[str, str]) -> Column[int] | None:
    if not any(found.get("tokens", ())):
        return None
    return Column(names.get("tokens", "tokens"), _numbers(found, "tokens", ()), TOKENS)


def _there(words: Sequence[str]) -> list[str]:
    return ["" if word == "-" else word for word in words]


def _text(words: Sequence[Any]) -> Sequence[str]:
    if set(map(type, words)) <= {str}:
        return words
    return ["" if word is None else word if isinstance(word, str) else str(word) for word in words]


def _numbers(found: Found, name: str, blank: Sequence[str]) -> Sequence[Any]:
    words = found.get(name, blank)
    if set(map(type, words)) <= {str} or set(map(type, words)) <= {int}:
        return words
    return [_number(word) for word in words]


def _number(word: Any) -> int | str:  # noqa: ANN401  (what a log holds)
    if word is None:
        return ""
    if isinstance(word, float):
        return int(word) if word.is_integer() else "no whole number"
    return word if isinstance(word, int | str) else "no number"


def _request(
    texts: Mapping[str, Sequence[str]], names: Mapping[str, str]
) -> Column[tuple[str, str, str]]:
    lines, targets = texts["request"], _targets(texts["target"], texts["query"])
    name = names.get("request", names.get("target", "request"))
    if all(lines):
        return Column(name, lines, REQUEST_LINE)
    if not any(lines):
        return Column(name, list(zip(texts["method"], targets, strict=True)), METHOD_AND_TARGET)
    parts = list(zip(lines, texts["method"], targets, strict=True))
    return Column(name, parts, _EITHER)


def _targets(targets: Sequence[str], queries: Sequence[str]) -> Sequence[str]:
    if not any(queries):
        return targets
    pairs = zip(targets, queries, strict=True)
    return [
        target if query in {"", "-"} else f"{target}?{query.removeprefix('?')}"
        for target, query in pairs
    ]


def _either(word: tuple[str, str, str]) -> tuple[str, str, str]:
    line, method, target = word
    return request_line(line) if line else request(method, target)


_EITHER: Reader[tuple[str, str, str]] = Reader("a request", _either)


def appended(found: Found) -> Found:
    """Take the last of the forwarded addresses for the peer, where the log has no other.

    For servers that log X-Forwarded-For with the peer's address already behind it.
    """
    peers = found.get("ip", [""] * len(found.get("forwarded", ())))
    if "forwarded" not in found or all(peers):
        return found
    split = [_text([hops])[0].rpartition(",") for hops in found["forwarded"]]
    pairs = list(zip(peers, split, found["forwarded"], strict=True))
    return {
        **found,
        "ip": [peer or last.strip() for peer, (_, _, last), _ in pairs],
        "forwarded": [hops if peer else before for peer, (before, _, _), hops in pairs],
    }
