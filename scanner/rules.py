"""Rules: what a secret of each kind looks like, read from one TOML file a provider."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec.structs import replace

from scanner import cache
from scanner.allow import Allow
from scanner.rule import Rule, RuleFile, nearest, parse_file, refuse_runaways
from vocabulary.errors import ConfigError

__all__ = ["BUILTIN", "Rule", "RuleSet", "load_rules"]

BUILTIN = Path(__file__).resolve().parent.parent / "rules"
_SHIPPED, _AMENDED = "shipped", "amended"


class RuleSet(msgspec.Struct, frozen=True):
    """The rules of a run.

    Attributes:
        digest: BLAKE2 of all that the rules were made from, hex; names compiled caches.
        name: of each name the newest compiled forms are kept.
        sought: BLAKE2 of what is compiled of the rules, hex; other words about them leave it.
    """

    rules: tuple[Rule, ...]
    digest: str
    name: str = "own"
    sought: str = ""

    @property
    def amended(self) -> bool:
        """Whether they are those that are shipped, but for what the user changed."""
        return self.name == _AMENDED

    def find(self, rule_id: str) -> Rule:
        """Return the rule of that id.

        Raises:
            ConfigError: when there is none.
        """
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise ConfigError(f"no rule `{rule_id}`{nearest(rule_id, (r.id for r in self.rules))}")


def load_rules(
    extra: Sequence[Path] = (), disabled: Sequence[str] = (), *, cached: bool = True
) -> RuleSet:
    """Read the rules that are shipped, then those of the user.

    Args:
        extra: TOML files or directories of them; a rule with the id of an earlier one replaces it.
        disabled: ids of rules that are left out.
        cached: whether what was read is left in the user's cache.

    Raises:
        ConfigError: a file cannot be read, or an entry is wrong; says file and line.
    """
    places = (BUILTIN, *extra)
    of = _AMENDED if extra or disabled else _SHIPPED
    name = f"rules-{of}-{_stamp(places, disabled)}"
    if kept := cache.read(name):
        try:
            return msgspec.msgpack.decode(kept, type=RuleSet)
        except msgspec.MsgspecError:
            pass
    files = [*_shipped(cached=cached), *(_read(file, own=True) for file in _files(extra))]
    rules = _without(_merged(file.parsed for file in files), disabled)
    ruleset = RuleSet(rules, _digest(files, disabled), of, _sought(rules))
    if cached:
        _keep(of, name, ruleset)
    return ruleset


class _File(msgspec.Struct, frozen=True, array_like=True):
    """A file of rules, and the BLAKE2 of its name and its text."""

    parsed: RuleFile
    digest: bytes


def _shipped(*, cached: bool) -> tuple[_File, ...]:
    """Read the files that are shipped, which seldom change."""
    name = f"rules-files-{_stamp((BUILTIN,), ())}"
    if kept := cache.read(name):
        with suppress(msgspec.MsgspecError):
            return msgspec.msgpack.decode(kept, type=tuple[_File, ...])
    files = tuple(map(_read, _files((BUILTIN,))))
    if cached:
        _keep("files", name, files)
    return files


def _keep(kind: str, name: str, made: object) -> None:
    cache.write(name, msgspec.msgpack.encode(made))
    cache.forget(f"rules-{kind}-", keep=name)


def _stamp(places: Iterable[Path], disabled: Sequence[str]) -> str:
    """Name what the rules are made from by what the file system tells of it.

    To look at hundreds of files is several times faster than to read them; a file that changed
    has another ctime, whatever was done to its other times.
    """
    stated: list[object] = [Rule.__struct_fields__, RuleSet.__struct_fields__, sorted(disabled)]
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


def _files(places: Iterable[Path]) -> Iterable[Path]:
    for place in places:
        if not place.is_dir():
            yield place
            continue
        inside = sorted(place.glob("*.toml"))
        if not inside:
            raise ConfigError("no rule file (*.toml) lies in this folder", where=str(place))
        yield from inside


def _read(file: Path, *, own: bool = False) -> _File:
    try:
        raw = file.read_bytes()
        text = raw.decode()
    except OSError as error:
        raise ConfigError(f"cannot read rules: {error.strerror}", where=str(file)) from None
    except UnicodeDecodeError:
        raise ConfigError("not UTF-8", where=str(file)) from None
    parsed = parse_file(text, str(file), proven=not own)
    if own:
        refuse_runaways(parsed.rule, text, str(file))
    twice = [rule_id for rule_id, n in Counter(rule.id for rule in parsed.rule).items() if n > 1]
    if twice:
        raise ConfigError(f"two rules `{twice[0]}` in one file", where=str(file))
    if not (parsed.rule or parsed.allow):
        raise ConfigError("neither a rule nor an `allow` stands in it", where=str(file))
    named = os.fsencode(file.name) + b"\0"
    return _File(parsed, blake2b(named + raw, digest_size=16).digest())


def _digest(files: Iterable[_File], disabled: Sequence[str]) -> str:
    hashed = blake2b(digest_size=16)
    for file in files:
        hashed.update(file.digest)
    hashed.update("\0".join(sorted(disabled)).encode())
    hashed.update(repr(Rule.__struct_fields__).encode())
    return hashed.hexdigest()


def _sought(rules: Iterable[Rule]) -> str:
    stated = repr([rule.sought for rule in rules])
    return blake2b(stated.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


def _merged(files: Iterable[RuleFile]) -> dict[str, Rule]:
    """Put later rules in the place of earlier ones, then say what they let pass and require."""
    rules: dict[str, Rule] = {}
    allows: list[tuple[Allow, frozenset[str]]] = []
    for file in files:
        rules |= {rule.id: rule for rule in file.rule}
        own = frozenset(rule.id for rule in file.rule)
        allows += [(allow, own) for allow in file.allow]
    return {rule.id: _completed(rule, rules, allows) for rule in rules.values()}


def _completed(
    rule: Rule, rules: Mapping[str, Rule], allows: Sequence[tuple[Allow, frozenset[str]]]
) -> Rule:
    """Give a rule the patterns of the rules that it requires, and what files let pass."""
    added = tuple(allow for allow, own in allows if _is_for(allow, rule.id, own))
    requires = tuple(
        replace(near, pattern=_named(near.rule, rules, rule.id).pattern) if near.rule else near
        for near in rule.requires
    )
    return replace(rule, allow=(*rule.allow, *added), requires=requires)


def _is_for(allow: Allow, rule_id: str, own: frozenset[str]) -> bool:
    if not allow.rules:
        return rule_id in own
    return any(fnmatchcase(rule_id, pattern) for pattern in allow.rules)


def _named(rule_id: str, rules: Mapping[str, Rule], by: str) -> Rule:
    if rule_id not in rules:
        raise ConfigError(f"`{by}` requires the rule `{rule_id}`, which is not there")
    return rules[rule_id]


def _without(rules: dict[str, Rule], disabled: Sequence[str]) -> tuple[Rule, ...]:
    for rule_id in disabled:
        if rule_id not in rules:
            raise ConfigError(f"no rule `{rule_id}` to disable{nearest(rule_id, rules)}")
    return tuple(rule for rule in rules.values() if rule.id not in disabled)
