"""Ignores: findings that somebody answers for, for a reason, until a day.

They stand in a TOML file that the configuration or the command line names, never one that merely
lies in what is scanned. An ignore speaks for one fingerprint: another value fires again, and so
does the same one when its day has passed.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from scanner.baseline import FINGERPRINT, replace
from vocabulary.errors import ConfigError

_HEAD = "# Findings that keywatch does not report: see `keywatch ignore --help`.\n"


class Ignore(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One finding that is not reported.

    Attributes:
        reason: why not.
        owner: who answers for it.
        expires: the last day on which it holds, in UTC; None for no end.
        rule, path: of the finding when it was ignored; for people, and not compared.
    """

    fingerprint: str
    reason: str
    owner: str
    expires: dt.date | None = None
    rule: str = ""
    path: str = ""

    def holds(self, today: dt.date) -> bool:
        """Say whether it still hides its finding."""
        return self.expires is None or today <= self.expires


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ignore: tuple[Ignore, ...] = ()


def read(file: Path, *, missing_ok: bool = False) -> tuple[Ignore, ...]:
    """Read an ignore file.

    Args:
        file: its path.
        missing_ok: where there is no file, nothing is ignored.

    Raises:
        ConfigError: an entry is wrong, or two speak for one finding; says file and line.
    """
    from vocabulary import toml  # noqa: PLC0415  (a scan without ignores reads no TOML)

    if missing_ok and not file.exists():
        return ()
    text = toml.text_of(file)
    ignores = toml.parse(text, _File, str(file)).ignore
    lines = toml.lines_of(text)
    seen: set[str] = set()
    for number, ignore in enumerate(ignores):
        where = f"{file}:{toml.nearest_line(lines, ('ignore', number))}"
        _check(ignore, where)
        if ignore.fingerprint in seen:
            raise ConfigError(f"a second ignore of {ignore.fingerprint}", where=where)
        seen.add(ignore.fingerprint)
    return ignores


def _check(ignore: Ignore, where: str) -> None:
    if not FINGERPRINT.fullmatch(ignore.fingerprint):
        raise ConfigError(f"`{ignore.fingerprint}` is no fingerprint", where=where)
    for field in ("reason", "owner"):
        if not getattr(ignore, field).strip():
            raise ConfigError(f"an ignore needs a {field}", where=where)


def write(file: Path, ignores: Iterable[Ignore]) -> None:
    """Write an ignore file, in the order of the fingerprints.

    Raises:
        ConfigError: an entry is wrong, or the file cannot be written.
    """
    ordered = sorted(ignores, key=lambda ignore: ignore.fingerprint)
    for ignore in ordered:
        _check(ignore, ignore.fingerprint)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError((error.strerror or "").lower(), where=str(file.parent)) from None
    replace(file, _HEAD + "".join(f"\n{line}" for one in ordered for line in _table(one)) + "\n")


def _table(ignore: Ignore) -> Iterator[str]:
    yield "\n[[ignore]]"
    for name in ("fingerprint", "rule", "path", "reason", "owner"):
        if value := getattr(ignore, name):
            yield f"{name} = {_string(value)}"
    if ignore.expires:
        yield f"expires = {ignore.expires.isoformat()}"


def _string(value: str) -> str:
    """Write a basic string (TOML 1.0); JSON escapes all but DEL the same way."""
    plain = value.encode("utf-8", "backslashreplace").decode()
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007F")


def with_one(ignores: Sequence[Ignore], new: Ignore) -> list[Ignore]:
    """Return the ignores with a new one, which takes the place of an older of its finding."""
    return [one for one in ignores if one.fingerprint != new.fingerprint] + [new]
