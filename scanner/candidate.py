"""A value that may be a secret, with what stands around it."""

import msgspec
from msgspec import structs

from scanner.lazy import lazy
from scanner.shape import machine_made

BEFORE, AFTER = 160, 80
"""How much of the line is kept on either side of the value, in bytes."""
_QUOTES = "\"'`"
_HEAD = lazy(r"\s*(?://|#|/?\*|--|<!--)?\s*")
_LEFT = lazy(rb"[\w.$\[\]-]{0,60}\Z")
_KEYWORD = lazy(r"[(,\[][ \t]*(\w+)[ \t]*=[ \t]*(?:[A-Za-z][\w.]*\()?[\\brfuBRFU]*[\"'`]\Z")
_KINDS = {
    "generic-uuid": "uuid",
    "generic-sql-password": "sql",
    "generic-url-password": "url",
    "generic-command-option": "option",
    "generic-basic-credentials": "header",
    "generic-bearer-token": "header",
    "http-basic-authorization": "header",
    "generic-one-time-password-seed": "seed",
    "generic-login-arguments": "argument",
    "generic-secret-argument": "argument",
    "generic-told-password": "argument",
    "generic-keyed-password": "argument",
}
IMPLIED = {
    "generic-login-arguments": "password",
    "generic-secret-argument": "secret",
    "generic-directive": "password",
    "generic-char-array": "password",
    "generic-foreign-password": "password",
    "generic-foreign-script-password": "password",
    "generic-told-password": "password",
    "generic-keyed-password": "password",
    "generic-device-password": "password",
    "generic-field-password": "password",
    "generic-robot-password": "password",
    "generic-directory-password": "password",
    "generic-answer-file-password": "password",
}
"""What a value is by where it stands, with no name beside it: `auth=("ada", "…")`."""
_TOLD = frozenset({"generic-told-password"})
"""Where a comment tells a password, that it is a comment says nothing against it."""
_ELEMENTS = frozenset({"generic-element-secret", "generic-element-password"})
_LITERALS = frozenset({"generic-literal-password"})
"""Braces are quotes there."""
_LISTED = lazy(r"[\"']-{1,2}([\w-]{1,40})[\"'],\s{0,4}[\"']\Z")
"""`"--api-key", "`: an option and its value in a list of arguments."""
_PROVIDERS = {"connection-strings": "url", "command-line": "command", "netrc": "command"}


class Candidate(msgspec.Struct, frozen=True):
    """A value and its surroundings. It holds the secret itself: `repr` leaves all of it out.

    Attributes:
        kind: where it was found: assignment, argument, url, command, option, sql, header, seed or
            uuid.
        name: what it is assigned to, whole.
        value: without quotes.
        quote: the quote before it, if any.
        before: what stands before it on its line.
        after: what stands behind it.
    """

    kind: str
    name: str
    value: str
    quote: str
    before: str
    after: str

    def __repr__(self) -> str:
        """Say what kind it is."""
        return f"Candidate({self.kind})"


def kind_of(rule: str, provider: str) -> str:
    """Return the kind of candidates that a rule brings."""
    return _KINDS.get(rule) or _PROVIDERS.get(provider, "assignment")


def named(candidate: Candidate, rule: str) -> Candidate:
    """Return the candidate as if assigned to what its place implies, where no name stands there.

    So is what a machine made within an element of XML, or behind an option in a list.
    """
    implied = IMPLIED.get(rule)
    if implied and not candidate.name:
        head = _HEAD.match(candidate.before) if rule not in _TOLD else None
        return _assigned(candidate, implied, head[0] if head else "", candidate.quote)
    if rule in _LITERALS or (rule in _ELEMENTS and machine_made(candidate.value)):
        return _assigned(candidate, candidate.name, "", '"')
    if candidate.kind == "option" and machine_made(candidate.value):
        listed = _LISTED.search(candidate.before)
        return _assigned(candidate, candidate.name, "", '"') if listed else candidate
    return candidate


def _assigned(candidate: Candidate, name: str, head: str, quote: str) -> Candidate:
    before = f"{head}{name} = {quote}"
    return structs.replace(candidate, name=name, quote=quote, before=before, after=quote)


def candidate_of(
    kind: str, piece: bytes, value: tuple[int, int], name: tuple[int, int] | None
) -> Candidate:
    """Cut a candidate out of its surroundings.

    Args:
        kind: see `Candidate`.
        piece: some lines.
        value: where the value stands in it.
        name: where the rule saw (the end of) a name, if it did.
    """
    start, end = value
    line = max(piece.rfind(b"\n", 0, start) + 1, start - BEFORE)
    stop = piece.find(b"\n", end, end + AFTER)
    text = piece[line:start].decode("utf-8", "replace")
    keyword = _KEYWORD.search(text[-80:]) if name else None
    return Candidate(
        kind=kind,
        name=keyword[1] if keyword else _whole(piece, name) if name else "",
        value=piece[start:end].decode("utf-8", "replace"),
        quote=text[-1] if text and text[-1] in _QUOTES else "",
        before=text,
        after=piece[end : stop if stop >= 0 else end + AFTER].decode("utf-8", "replace"),
    )


def closed(piece: bytes, span: tuple[int, int]) -> tuple[int, int]:
    """Extend a value to the quote it began with, where another or an escaped one cut it short."""
    start, end = span
    quote = piece[start - 1 : start]
    at = end
    while piece[at : at + 1] == b"\\":
        at += 1
    escaped = (
        quote == piece[at : at + 1] and at == end + 1 and piece[start - 2 : start - 1] != b"\\"
    )
    if quote not in _RESTS or (piece[at : at + 1] in (quote, b"`", b"") and not escaped):
        return span
    rest = _RESTS[quote].match(piece, end if escaped else at)
    return (start, rest.end()) if rest and piece[rest.end() : rest.end() + 1] == quote else span


_RESTS = {
    b'"': lazy(rb"(?:(?:'|\\[\"'\\])[^\s\"'\\]{0,40}){1,4}"),
    b"'": lazy(rb"(?:(?:\"|\\[\"'\\])[^\s\"'\\]{0,40}){1,4}"),
}


def _whole(piece: bytes, span: tuple[int, int]) -> str:
    """Extend a name to the left: rules look for its telling end alone."""
    left = _LEFT.search(piece[max(0, span[0] - 60) : span[0]])
    start = span[0] - len(left[0]) if left else span[0]
    return piece[start : span[1]].decode("latin-1").strip("-$.[]")
