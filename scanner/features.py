"""What can be said of a candidate in numbers: its value, its name, its line, its path.

The features are facts that hold for words as for random letters: how a value is shaped and what it
is assigned to count for more than whether its letters look drawn by lot, for people choose words.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from math import log2

from scanner.candidate import Candidate
from scanner.entropy import shannon
from scanner.lazy import lazy
from scanner.place import Place
from scanner.rarity import rarity
from scanner.wording import (
    BAD_NAME,
    IDENTITY,
    NAME_KINDS,
    QUALIFIED,
    SPOKEN_TO_PEOPLE,
    STOCK,
    TYPES,
    is_code,
    last_word,
    name_words,
    words,
)

_LIMIT = 16
_HEX = lazy(r"[0-9a-fA-F]+")
_BASE64 = lazy(r"[0-9A-Za-z+/_-]{16,}={0,2}")
_BASE32 = lazy(r"[A-Z2-7]{16,}")
_SHAPES = (
    ("snake", lazy(r"[A-Za-z][a-z]*(?:_[A-Za-z]+)+")),
    ("kebab", lazy(r"[A-Za-z]+(?:-[A-Za-z]+)+")),
    ("constant", lazy(r"[A-Z]+(?:_[A-Z0-9]+)+")),
    ("camel", lazy(r"[a-z]+(?:[A-Z][a-z]*)+|(?:[A-Z][a-z]+){2,}")),
    ("dotted", lazy(r"[$@&]?[A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*)+")),
    ("path", lazy(r"(?:\.{0,2}|~|[A-Za-z]:)?(?:[/\\][\w.@{}*-]+){1,}[/\\]?|(?:[\w.@-]+/){1,}[\w.@-]*")),
    ("url", lazy(r"[a-z][a-z0-9+.-]{1,12}:(?://|[a-z]+:).*")),
    ("email", lazy(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("number", lazy(r"[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)*[a-z%]{0,2})")),
    ("version", lazy(r"[v^~<>= ]{0,3}\d+(?:\.(?:\d+|[x*])){1,4}(?:[-+.]\w+)*")),
    ("host", lazy(r"(?:[a-z0-9-]+\.)+[a-z]{2,8}(?::\d+)?|\d+\.\d+\.\d+\.\d+(?::\d+)?")),
    ("file", lazy(r".*\.(?:json|ya?ml|pem|key|crt|cer|p12|pfx|jks|txt|log|py|js|ts|rb|go|java|php|html?|css|xml|conf|cfg|ini|env|png|svg|jpg|pub|sql|sh|md|toml|db|properties)")),
    ("capitalised", lazy(r"[A-Z][a-z]{2,}")),
    ("lower", lazy(r"[a-z]{3,}")),
    ("upper", lazy(r"[A-Z]{3,}")),
    ("word_digits", lazy(r"[A-Za-z]{3,}\d{1,6}")),
    ("symbol", lazy(r":[a-z_]\w*[?!]?")),
    ("call", lazy(r".*\w\(.*|.*\)")),
    ("index", lazy(r"[\w.$]+\[.*")),
    ("variable", lazy(r"[$@%&*]\w.*")),
    ("algorithm", lazy(r"(?i)(?:aes|rsa|sha|hmac|ed|ecdsa|hs|rs|es|ps|md|x|des|dh|ssh|pbkdf|curve|p-?)[-_]?\d{1,5}(?:[-_/]\w+)*|[a-z]+[-_]with[-_].*")),
)  # fmt: skip
_FILLED = lazy(r"[{}<>]|%[sdvq(]|\$\(|\$\w|\.\.\.|…|\*{2,}|#\{|\\[nrt0wds]|\^|\|")
_NON_ASCII = lazy(r"[^\x00-\x7f]")
_COMMENT = lazy(r"\s*(?://|#|/?\*|--|;|<!--|\"\"\"|rem\b)|.*\s(?://|#)\s", re.IGNORECASE)
_QUERY = lazy(r"[?&][\w.\[\]%-]{1,60}=$")
_OPERATOR = lazy(r"(=>|:=|===?|!==?|\+=|[=:(,]|<-|>)[^=:(,>]*$")
_OPERATORS = {"=>": 1, ":=": 2, "==": 3, "===": 3, "!=": 3, "!==": 3, "+=": 4, "=": 5, ":": 6, "(": 7, ",": 8, ">": 9}  # fmt: skip
_SPACED = lazy(r"\s(?:=|:=|=>)\s*[\"'`]?$")
_AFTERS = {"": 1, "\n": 1, "\r": 1, " ": 2, ",": 3, ";": 4, ")": 5, "(": 6, ".": 7, "&": 8, "\\": 9, "+": 10, "<": 11, "]": 12, "}": 13}  # fmt: skip
_KINDS = {
    "assignment": 0,
    "argument": 0,
    "url": 1,
    "command": 2,
    "option": 2,
    "sql": 3,
    "header": 4,
    "seed": 5,
    "uuid": 6,
}
_STEPS = frozenset(
    steps[at : at + 3]
    for steps in (
        "0123456789", "abcdefghijklmnopqrstuvwxyz", "9876543210", "qwertyuiopasdfghjklzxcvbnm",
    )
    for at in range(len(steps) - 2)
)  # fmt: skip
_TWICE = lazy(r"(.)\1", re.DOTALL)
_ASCII_KINDS = (b"0123456789", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz")

VALUE = (
    "length", "digits", "uppers", "lowers", "others", "spaces", "classes", "distinct", "entropy",
    "rarity", "hex", "base64", "base32", "known_length", "runs", "steps", "non_ascii", "filled",
    "stock", "stock_share", "types", "says_name", "same_as_name", "sentence", "ends_sentence",
    "letters_only", "digits_only", "leading_other", *(f"is_{name}" for name, _ in _SHAPES),
)  # fmt: skip
NAME = (
    *(f"name_{kind}" for kind, _ in NAME_KINDS), "name_last", "name_bad", "name_identity",
    "name_qualified", "name_length", "name_upper", "name_words", "name_stock", "name_only", "name_spoken",
)  # fmt: skip
LINE = (
    "kind", "quote", "operator", "spaced", "next", "comment", "query", "code", "line_long",
    "repeated_name", "in_text", "indented",
)  # fmt: skip
NAMES = (*VALUE, *NAME, *LINE, *Place.NAMES)
Vector = tuple[float, ...]


def features(candidate: Candidate, place: Place) -> Vector:
    """Return the numbers of a candidate at a place, in the order of `NAMES`."""
    return (*spoken(candidate), *place.features)


def spoken(candidate: Candidate) -> Vector:
    """Return those that do not depend on the place."""
    known = _SPOKEN.get(candidate)
    if known is None:
        known = (*_value(candidate), *_name(candidate.name), *_line(candidate))
        learn({candidate: known})
    return known


_SPOKEN: dict[Candidate, Vector] = {}
_MOST = 8192


def learn(told: Mapping[Candidate, Vector]) -> None:
    """Take over what `spoken` returned, of another process perhaps."""
    if len(_SPOKEN) + len(told) > _MOST:
        forget()
    _SPOKEN.update(told)


def learned(candidates: Iterable[Candidate]) -> dict[Candidate, Vector]:
    """Return what is remembered of some candidates, for `learn`."""
    return {one: known for one in candidates if (known := _SPOKEN.get(one)) is not None}


def forget() -> None:
    """Forget what was remembered of candidates."""
    _SPOKEN.clear()


def _value(candidate: Candidate) -> Vector:
    value = candidate.value
    size = len(value)
    digits, uppers, lowers = _counted(value)
    others = size - digits - uppers - lowers
    parts = words(value)
    known = sum(len(part) for part in parts if part in STOCK)
    said = set(parts) & set(name_words(candidate.name))
    return (
        log2(size + 1), digits / size, uppers / size, lowers / size, others / size,
        value.count(" "), sum(map(bool, (digits, uppers, lowers, others))),
        len(set(value)) / min(size, 32), shannon(value.encode()) if size >= _LIMIT else 0.0,
        rarity(value), _HEX.fullmatch(value) is not None,
        _BASE64.fullmatch(value) is not None, _BASE32.fullmatch(value) is not None,
        size in (20, 24, 32, 36, 40, 44, 48, 64, 86, 88, 128), _longest_run(value), _steps(value),
        _NON_ASCII.search(value) is not None, _FILLED.search(value) is not None,
        value.lower() in STOCK, known / max(1, size - others), sum(part in TYPES for part in parts),
        sum(map(len, said)) / size, "".join(parts) == _plain(candidate.name),
        sum(part.isalpha() and len(part) > 1 for part in value.split(" ")[1:]),
        value[-1] in ".:!?,", uppers + lowers == size, digits == size,
        not value[0].isalnum(), *[shape.fullmatch(value) is not None for _, shape in _SHAPES],
    )  # fmt: skip


def _plain(text: str) -> str:
    return "".join(name_words(text))


def _counted(value: str) -> tuple[int, int, int]:
    """Count digits, capitals and small letters."""
    if value.isascii():
        raw = value.encode()
        digits, uppers, lowers = (len(raw.translate(None, kind)) for kind in _ASCII_KINDS)
        return len(raw) - digits, len(raw) - uppers, len(raw) - lowers
    return sum(map(str.isdigit, value)), sum(map(str.isupper, value)), sum(map(str.islower, value))


def _longest_run(value: str) -> int:
    if not _TWICE.search(value):
        return 1
    longest = run = 1
    for before, after in pairwise(value):
        run = run + 1 if before == after else 1
        longest = max(longest, run)
    return longest


def _steps(value: str) -> float:
    """Return how much of a value counts up or follows the keyboard."""
    low = value.lower()
    followed = sum([low[at : at + 3] in _STEPS for at in range(len(low) - 2)])
    return followed / max(1, len(low) - 2)


@lru_cache(maxsize=4096)
def _name(name: str) -> Vector:
    parts = name_words(name)
    last = last_word(parts)
    return (
        *(kind.search(name) is not None for _, kind in NAME_KINDS), last,
        BAD_NAME.search(name) is not None, IDENTITY.search(name) is not None,
        QUALIFIED.search(name) is not None, min(len(name), 60), name.isupper(), len(parts),
        sum(part in ("test", "example", "dummy", "fake", "sample", "invalid", "wrong", "mock", "bad") for part in parts),
        len(parts) == 1, SPOKEN_TO_PEOPLE.search(name) is not None,
    )  # fmt: skip


def _line(candidate: Candidate) -> Vector:
    before, after = candidate.before, candidate.after
    body = before.rstrip(" \t\"'`\\bfru@")
    operator = _OPERATOR.search(body[-40:])
    first = after[:1]
    if candidate.quote and first == candidate.quote:
        first = after[1:2]
    return (
        _KINDS[candidate.kind], {"": 0, '"': 1, "'": 2, "`": 3}[candidate.quote],
        _OPERATORS.get(operator[1], 0) if operator else 0, _SPACED.search(before) is not None,
        _AFTERS.get(first, 0), _COMMENT.match(before) is not None,
        before[-1:] == "=" and _QUERY.search(before) is not None, is_code(before),
        log2(len(before) + len(after) + 1), before.count(candidate.name) if candidate.name else 0,
        sum(map(str.isalpha, before.split(" "))),
        len(before) - len(before.lstrip()),
    )  # fmt: skip
