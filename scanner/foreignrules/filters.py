"""Filters of betterleaks, as far as they are lists: `entropy(…) <= 3 || matchesAny(…, […]) || …`.

Source: docs/config.md of betterleaks ("Filtering"): where the expression is true, a finding is
dropped. What is more than such a list is a program, and refused.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from scanner.allow import Allow
from scanner.foreignrules.dialect import UntranslatableError, bounded

_TOKEN = re.compile(
    r"\s*(?:(?P<text>`[^`]*`|\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w.]*)"
    r"|(?P<mark>\|\||<=|\?\?|[<!()\[\],]))"
)
_COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
_TARGETS = {
    'finding [ "secret" ]': "secret",
    'finding [ "match" ]': "match",
    'finding [ "line" ]': "line",
    'get ( attributes , "path" , "" )': "path",
    '( attributes [ "path" ] ?? "" )': "path",
}
_UNSAID = "a filter that is a program"


@dataclass(slots=True)
class Filter:
    """What a filter drops.

    Attributes:
        entropy: least entropy of what is kept.
        allows: what is dropped besides.
    """

    entropy: float = 0.0
    allows: list[Allow] = field(default_factory=list)


def parsed(source: str) -> Filter:
    """Read a filter.

    Raises:
        UntranslatableError: it is more than a list of conditions.
    """
    tokens = list(_tokens(_COMMENT.sub("", source)))
    made = Filter()
    for condition in _split(_bare(tokens), "||"):
        _condition(condition, made)
    return made


def _tokens(source: str) -> Iterator[str]:
    at = 0
    while at < len(source.rstrip()):
        found = _TOKEN.match(source, at)
        if found is None:
            raise UntranslatableError(_UNSAID)
        yield found[0].strip()
        at = found.end()


def _bare(tokens: list[str]) -> list[str]:
    """Take parentheses off that stand around everything."""
    while tokens[:1] == ["("] and _closing(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _closing(tokens: Sequence[str]) -> int:
    depth = 0
    for at, token in enumerate(tokens):
        depth += (token in ("(", "[")) - (token in (")", "]"))
        if depth == 0:
            return at
    return -1


def _split(tokens: Sequence[str], mark: str) -> Iterator[list[str]]:
    """Cut at a mark that stands in no parentheses."""
    part: list[str] = []
    depth = 0
    for token in tokens:
        depth += (token in ("(", "[")) - (token in (")", "]"))
        if token == mark and depth == 0:
            yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


def _condition(tokens: list[str], made: Filter) -> None:
    negated = tokens[:1] == ["!"]
    tokens = _bare(tokens[negated:])
    end = _closing(tokens[1:]) + 1
    name = tokens[0].removeprefix("filter.") if tokens else ""
    arguments, rest = list(_split(tokens[2:end], ",")), tokens[end + 1 :]
    if name == "entropy" and not negated and rest[:1] in (["<"], ["<="]) and len(rest) == 2:  # noqa: PLR2004
        _of_secret(arguments)
        made.entropy = max(made.entropy, float(rest[1]))
    elif name in ("matchesAny", "containsAny") and not rest and len(arguments) == 2:  # noqa: PLR2004
        made.allows.append(_listed(name, arguments, negated=negated))
    else:
        raise UntranslatableError(_UNSAID)


def _of_secret(arguments: Sequence[Sequence[str]]) -> None:
    if [" ".join(argument) for argument in arguments] != ['finding [ "secret" ]']:
        raise UntranslatableError(_UNSAID)


def _listed(name: str, arguments: Sequence[list[str]], *, negated: bool) -> Allow:
    target = _TARGETS.get(" ".join(arguments[0]), "")
    texts = [_text(token) for part in _split(arguments[1][1:-1], ",") for token in part]
    if name == "containsAny":
        if target != "secret" or negated:
            raise UntranslatableError(_UNSAID)
        return Allow(words=tuple(text.lower() for text in texts))
    patterns = tuple(_bounded(texts, every=negated))
    if negated:
        patterns = (rf"\A(?![\s\S]{{0,4096}}?(?:{'|'.join(patterns)}))",)
    if target == "path" and not negated:
        return Allow(paths=patterns)
    if target in ("secret", "match", "line"):
        return Allow(target=target, patterns=patterns)
    raise UntranslatableError(_UNSAID)


def _bounded(texts: Sequence[str], *, every: bool) -> Iterator[str]:
    """Translate patterns; one of those that drop a finding may be left out: less is dropped."""
    for text in texts:
        try:
            yield bounded(text, "")[0]
        except UntranslatableError:
            if every or len(texts) == 1:
                raise


def _text(token: str) -> str:
    if token[:1] == "`":
        return token[1:-1]
    if token[:1] == '"':
        return str(json.loads(token))
    raise UntranslatableError(_UNSAID)
