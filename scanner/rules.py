"""Rules: what a secret of each kind looks like, read from one TOML file a provider."""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path

import msgspec

from scanner import cache
from vocabulary.alert import Severity
from vocabulary.errors import ConfigError
from vocabulary.finding import Confidence

BUILTIN = Path(__file__).resolve().parent.parent / "rules"
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of secret.

    Attributes:
        id: the provider first, such as `github-personal-access-token`.
        keywords: lower-case substrings; one must stand in the match or within a line of it.
        pattern: Python `re` syntax; the group `secret` is the secret, else the whole match.
        confidence: of a match by its format alone.
        entropy: least Shannon entropy of the secret, in bits a character.
        checksum: name of a function of scanner/checksum.py.
        context: must match within `window` lines of the secret.
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
    access: str = ""
    revoke: str = ""
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    context: str = ""
    window: int = 3
    examples: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()


class RuleFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One TOML file: a provider and its rules."""

    provider: str
    about: str = ""
    references: tuple[str, ...] = ()
    revoke: str = ""
    rule: tuple[Rule, ...]


class RuleSet(msgspec.Struct, frozen=True):
    """The rules of a run.

    Attributes:
        digest: BLAKE2 of all that the rules were made from, hex; names compiled caches.
        name: of each name the newest compiled form is kept.
    """

    rules: tuple[Rule, ...]
    digest: str
    name: str = "all"

    def find(self, rule_id: str) -> Rule:
        """Return the rule of that id.

        Raises:
            ConfigError: when there is none.
        """
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise ConfigError(f"no rule `{rule_id}`{_near(rule_id, (r.id for r in self.rules))}")


def load_rules(
    extra: Sequence[Path] = (), disabled: Sequence[str] = (), *, cached: bool = True
) -> RuleSet:
    """Read the rules that are shipped, then those of the user.

    Args:
        extra: TOML files or directories of them; a rule with the id of an earlier one replaces it.
        disabled: ids of rules that are left out.
        cached: whether the user's cache may be used.

    Raises:
        ConfigError: a file cannot be read, or an entry is wrong; says file and line.
    """
    places = (BUILTIN, *extra)
    name = f"rules-{_stamp(places, disabled)}"
    if cached and (kept := cache.read(name)):
        try:
            return msgspec.msgpack.decode(kept, type=RuleSet)
        except msgspec.MsgspecError:
            pass
    texts = [(file, _bytes(file)) for file in _files(places)]
    ruleset = RuleSet(_without(_merged(texts), disabled), _digest(texts, disabled))
    if cached:
        cache.write(name, msgspec.msgpack.encode(ruleset))
        cache.forget("rules-", keep=name)
    return ruleset


def _stamp(places: Iterable[Path], disabled: Sequence[str]) -> str:
    """Name what the rules are made from by what the file system tells of it.

    To look at hundreds of files is several times faster than to read them; a file that changed
    has another ctime, whatever was done to its other times.
    """
    stated: list[object] = [Rule.__struct_fields__, sorted(disabled)]
    for place in places:
        with suppress(OSError):  # said when it is read
            inside = (
                sorted(os.scandir(place), key=lambda entry: entry.name) if place.is_dir() else ()
            )
            found = [(entry.name, entry.stat()) for entry in inside]
            for name, status in [("", place.stat()), *found]:
                times = (status.st_mtime_ns, status.st_ctime_ns)
                stated.append((str(place), name, status.st_ino, status.st_size, *times))
    return blake2b(repr(stated).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def parse_rules(text: str, where: str) -> tuple[Rule, ...]:
    """Read one rule file.

    Args:
        text: the TOML.
        where: its name, for errors.

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
    return tuple(_checked(_filled(rule, file), text, where) for rule in file.rule)


def _filled(rule: Rule, file: RuleFile) -> Rule:
    """Give a rule what it takes over from its file."""
    return msgspec.structs.replace(
        rule,
        provider=rule.provider or file.provider,
        revoke=rule.revoke or file.revoke,
        references=rule.references or file.references,
    )


def _checked(rule: Rule, text: str, where: str) -> Rule:
    line = _line_of(text, f'id = "{rule.id}"')
    for field, allowed in (
        ("severity", [severity.word for severity in Severity]),
        ("confidence", [str(confidence) for confidence in Confidence]),
    ):
        if (value := getattr(rule, field)) not in allowed:
            raise ConfigError(
                f"{field} of `{rule.id}` is `{value}`{_near(value, allowed)}",
                where=f"{where}:{line}",
                remedy=f"one of {', '.join(allowed)}",
            )
    if not _ID.fullmatch(rule.id):
        raise ConfigError(f"`{rule.id}` is no rule id", where=f"{where}:{line}")
    for field in ("pattern", "context"):
        try:
            re.compile(getattr(rule, field).encode())
        except (re.error, OverflowError) as error:
            raise ConfigError(
                f"{field} of `{rule.id}` does not compile: {error}", where=f"{where}:{line}"
            ) from None
    return rule


def _files(places: Iterable[Path]) -> Iterable[Path]:
    for place in places:
        if place.is_dir():
            yield from sorted(place.glob("*.toml"))
        else:
            yield place


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read rules: {error.strerror}", where=str(file)) from None


def _digest(texts: Iterable[tuple[Path, bytes]], disabled: Sequence[str]) -> str:
    hashed = blake2b(digest_size=16)
    for file, text in texts:
        hashed.update(f"{file.name}\0{len(text)}\0".encode())
        hashed.update(text)
    hashed.update("\0".join(sorted(disabled)).encode())
    hashed.update(repr(Rule.__struct_fields__).encode())
    return hashed.hexdigest()


def _merged(texts: Iterable[tuple[Path, bytes]]) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for file, raw in texts:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise ConfigError("not UTF-8", where=str(file)) from None
        seen: set[str] = set()
        for rule in parse_rules(text, str(file)):
            if rule.id in seen:
                raise ConfigError(f"two rules `{rule.id}` in one file", where=str(file))
            seen.add(rule.id)
            rules[rule.id] = rule
    return rules


def _without(rules: dict[str, Rule], disabled: Sequence[str]) -> tuple[Rule, ...]:
    for rule_id in disabled:
        if rule_id not in rules:
            raise ConfigError(f"no rule `{rule_id}` to disable{_near(rule_id, rules)}")
    return tuple(rule for rule in rules.values() if rule.id not in disabled)


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
    near = _near(unknown[1], fields) if unknown else ""
    return ConfigError(f"{said.split(' - at ', maxsplit=1)[0]}{near}", where=f"{where}:{line}")


def _line_of(text: str, needle: str) -> int:
    return text.count("\n", 0, max(text.find(needle), 0)) + 1


def _near(word: str, words: Iterable[str]) -> str:
    close = get_close_matches(word, list(words), n=1)
    return f", did you mean `{close[0]}`?" if close else ""
