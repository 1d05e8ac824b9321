"""One rule, and one file of rules: what may stand in them, and what is said of mistakes."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from scanner.allow import Allow, Near, problem
from vocabulary.alert import Severity
from vocabulary.errors import ConfigError
from vocabulary.finding import Confidence

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
RUNAWAY = 1e15
"""Ways to match at one place that no pattern may have; `rules check` complains much earlier."""
_TEXT = 1 << 10  # bytes that a repetition without a bound may take
CONTEXT = "context"
"""Provider of rules by which a value is a secret for its place alone; see scanner/context.py."""
MAX_LINES = 100
"""How far away the other half of a pair may stand."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of secret.

    Attributes:
        id: the provider first, such as `github-personal-access-token`.
        keywords: lower-case substrings; one must stand in the match or within a line of it.
        pattern: Python `re` syntax; the group `secret` is the secret, else the whole match.
        confidence: of a match by its format alone.
        entropy: least Shannon entropy of the secret, in bits a character.
        checksum: name of a function of scanner/checksum.py.
        chosen: whether people make the secret up, so that words for one are no more than that.
        path: searched in the path of the file; empty for any file.
        requires: what must stand near the secret.
        allow: what is let pass.
        examples, negatives: generators, expanded only when rules are checked.
    """

    id: str
    provider: str = ""
    name: str
    description: str = ""
    severity: str = "high"
    confidence: str = "medium"
    keywords: tuple[str, ...] = ()
    pattern: str
    entropy: float = 0.0
    checksum: str = ""
    chosen: bool = False
    access: str = ""
    revoke: str = ""
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    path: str = ""
    requires: tuple[Near, ...] = ()
    allow: tuple[Allow, ...] = ()
    examples: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()

    @property
    def placed(self) -> bool:
        """Whether it depends on the place, so that it may not exclude what another rule finds."""
        return bool(self.path) or any(allow.placed for allow in self.allow)

    @property
    def sought(self) -> tuple[str, tuple[str, ...], str]:
        """All that its compiled form depends on."""
        return self.pattern, self.keywords, self.provider


class RuleFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One TOML file: a provider and its rules, and what these or others let pass."""

    provider: str
    about: str = ""
    references: tuple[str, ...] = ()
    revoke: str = ""
    rule: tuple[Rule, ...] = ()
    allow: tuple[Allow, ...] = ()


def parse_file(text: str, where: str, *, proven: bool = False) -> RuleFile:
    """Read one rule file.

    Args:
        text: the TOML.
        where: its name, for errors.
        proven: whether it is known that its patterns compile; to try hundreds takes a while.

    Raises:
        ConfigError: says the line.
    """
    import tomllib  # noqa: PLC0415  (only when no cache holds the rules)

    try:
        file = msgspec.convert(tomllib.loads(text), RuleFile)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}", where=where) from None
    except msgspec.ValidationError as error:
        raise _located(str(error), text, where) from None
    if proven:
        return msgspec.structs.replace(file, rule=tuple(_filled(rule, file) for rule in file.rule))
    _check_allows(file.allow, where)
    rules = tuple(_checked(_filled(rule, file), text, where) for rule in file.rule)
    return msgspec.structs.replace(file, rule=rules)


def _filled(rule: Rule, file: RuleFile) -> Rule:
    """Give a rule what it takes over from its file."""
    return msgspec.structs.replace(
        rule,
        provider=rule.provider or file.provider,
        revoke=rule.revoke or file.revoke,
        references=rule.references or file.references,
    )


def _checked(rule: Rule, text: str, where: str) -> Rule:
    """Return the rule.

    Raises:
        ConfigError: a field holds what it may not; says the line.
    """
    where = f"{where}:{_line_of(text, _id_line(rule))}"
    for field, allowed in (
        ("severity", [severity.word for severity in Severity]),
        ("confidence", [str(confidence) for confidence in Confidence]),
    ):
        if (value := getattr(rule, field)) not in allowed:
            raise ConfigError(
                f"{field} of `{rule.id}` is `{value}`{nearest(value, allowed)}",
                where=where,
                remedy=f"one of {', '.join(allowed)}",
            )
    if not _ID.fullmatch(rule.id):
        raise ConfigError(f"`{rule.id}` is no rule id", where=where)
    for field, pattern in _patterns(rule):
        _compiles(pattern, f"{field} of `{rule.id}`", where)
    for one in rule.requires:
        if bool(one.pattern) == bool(one.rule) or not 0 <= one.lines <= MAX_LINES:
            raise ConfigError(
                f"a `requires` of `{rule.id}` names a pattern or a rule, and at most "
                f"{MAX_LINES} lines",
                where=where,
            )
    _check_allows(rule.allow, where)
    return rule


def _id_line(rule: Rule) -> str:
    return f'id = "{rule.id}"'


def refuse_runaways(rules: Iterable[Rule], text: str, where: str) -> None:
    """Refuse what would keep `re` busy for ever with a few hundred bytes of a hostile text.

    Args:
        rules: of the user.
        text: the file in which they stand.
        where: its name, for errors.

    Raises:
        ConfigError: says the line.
    """
    from scanner.backtrack import ways  # noqa: PLC0415  (only when no cache holds the rules)

    for rule in rules:
        for field, pattern in _patterns(rule):
            if (worst := ways(pattern, _TEXT)) > RUNAWAY:
                raise ConfigError(
                    f"{field} of `{rule.id}` may be tried in {_told(worst)} ways at one place",
                    where=f"{where}:{_line_of(text, _id_line(rule))}",
                    remedy="bound its repetitions, and let none that varies stand in another",
                )


def _told(ways: float) -> str:
    return f"{ways:.0e}" if ways < float("inf") else "any number of"


def _patterns(rule: Rule) -> Iterator[tuple[str, str]]:
    yield "pattern", rule.pattern
    yield "path", rule.path
    yield from (("requires.pattern", one.pattern) for one in rule.requires)


def _check_allows(allows: Iterable[Allow], where: str) -> None:
    for allow in allows:
        if wrong := problem(allow):
            raise ConfigError(wrong, where=where)
        for pattern in (*allow.patterns, *allow.paths):
            _compiles(pattern, "a pattern of `allow`", where)


def _compiles(pattern: str, what: str, where: str) -> None:
    try:
        re.compile(pattern.encode())
    except (re.error, OverflowError) as error:
        raise ConfigError(f"{what} does not compile: {error}", where=where) from None


def _located(said: str, text: str, where: str) -> ConfigError:
    """Turn msgspec's `… - at `$.rule[3].name`` into file, line and the nearest valid name."""
    starts = [match.start() for match in re.finditer(r"^\s*\[\[rule\]\]", text, re.MULTILINE)]
    place = re.search(r"\$\.rule\[(\d+)\](?:\.(\w+))?", said)
    unknown = re.search(r"unknown field `(\w+)`", said)
    start = starts[int(place[1])] if place and int(place[1]) < len(starts) else 0
    name = unknown[1] if unknown else (place[2] if place else "") or ""
    at = re.compile(rf"^\s*{name}\s*=", re.MULTILINE).search(text, start) if name else None
    line = text.count("\n", 0, at.end() if at else start + 2) + 1
    fields = Rule.__struct_fields__ if place else RuleFile.__struct_fields__
    near = nearest(unknown[1], fields) if unknown else ""
    return ConfigError(f"{said.split(' - at ', maxsplit=1)[0]}{near}", where=f"{where}:{line}")


def _line_of(text: str, needle: str) -> int:
    return text.count("\n", 0, max(text.find(needle), 0)) + 1


def nearest(word: str, words: Iterable[str]) -> str:
    """Ask whether a word of `words` was meant, where one is close."""
    from difflib import get_close_matches  # noqa: PLC0415  (only where something is wrong)

    close = get_close_matches(word, list(words), n=1)
    return f", did you mean `{close[0]}`?" if close else ""
