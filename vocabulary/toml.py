"""TOML into frozen structs; every refusal names file, line and the nearest valid name."""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from vocabulary.errors import ConfigError

T = TypeVar("T")
Address = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_NAME = re.compile(r"""[A-Za-z0-9_\-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_ENTRY = re.compile(rf"\s*((?:{_NAME.pattern})(?:\s*\.\s*(?:{_NAME.pattern}))*)\s*=")
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_CHOICES = re.compile(r"matching regex '\^\(([\w|-]*)\)\$'")
_STEP = re.compile(r"\.([A-Za-z0-9_\-]+)|\[(\d+|\.\.\.)\]")


def read(path: Path, kind: type[T]) -> T:
    """Read the file at `path` as a `kind`.

    Raises:
        ConfigError: when it cannot be read, is not TOML, or has a wrong or unknown entry.
    """
    return parse(text_of(path), kind, str(path))


def text_of(path: Path) -> str:
    """Return the text of a configuration file.

    Raises:
        ConfigError: when it cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ConfigError(reason, where=str(path), remedy="name another file") from error
    except UnicodeDecodeError as error:
        raise ConfigError("this is not UTF-8 text", where=str(path)) from error


def parse(text: str, kind: type[T], name: str) -> T:
    """Read `text` as a `kind`; `name` is what the user calls it.

    Raises:
        ConfigError: as for `read`.
    """
    tree = tree_of(text, name)
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        raise refusal(error, kind, name, lines_of(text)) from None


def tree_of(text: str, name: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ConfigError: with the line at which the text stops being TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = found[1] if found else str(text.count("\n") + 1)
        what = str(error).split(" (at ")[0].lower()
        raise ConfigError(f"this is not TOML: {what}", where=f"{name}:{line}") from error


def refusal(
    error: msgspec.ValidationError, kind: object, name: str, lines: dict[Address, int]
) -> ConfigError:
    """Turn what msgspec refused into an error that names the line and the nearest valid name."""
    said = _PLACE.match(str(error))
    assert said is not None
    address = _address(said["path"] or "")
    unknown = _UNKNOWN.search(said["what"])
    if unknown:
        near = get_close_matches(unknown[1], names_at(kind, address), 1, 0.5)
        address += (unknown[1],)
        return ConfigError(
            f"there is no entry `{dotted(address)}`",
            where=f"{name}:{nearest_line(lines, address)}",
            remedy=f"did you mean `{near[0]}`?"
            if near
            else f"valid here: {', '.join(names_at(kind, address[:-1]))}",
        )
    what = in_words(said["what"])
    return ConfigError(
        f"`{dotted(address)}`: {what}" if address else what,
        where=f"{name}:{nearest_line(lines, address)}",
    )


def in_words(refused: str) -> str:
    """Return what msgspec says of a wrong value, for people: choices by name, not as a pattern."""
    if choices := _CHOICES.search(refused):
        names = ", ".join(name or "nothing" for name in choices[1].split("|"))
        return f"expected one of {names}"
    return refused[:1].lower() + refused[1:]


def lines_of(text: str) -> dict[Address, int]:
    """Return the line of every table and entry, 1-based; arrays of tables count from 0.

    A scan of line beginnings: entries inside multi-line values may be listed too, which does no
    harm to who asks for the line of a real one first.
    """
    lines: dict[Address, int] = {}
    counts: dict[Address, int] = {}
    table: Address = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _entered(_keys(header[2]), counts, array=header[1] == "[[")
            lines.setdefault(table, number)
        elif entry := _ENTRY.match(line):
            lines.setdefault(table + _keys(entry[1]), number)
    return lines


def nearest_line(lines: dict[Address, int], address: Address) -> int:
    """Return the line of `address`, or of the innermost table around it that has one."""
    for end in range(len(address), -1, -1):
        if address[:end] in lines:
            return lines[address[:end]]
    return 1


def names_at(kind: object, address: Address) -> list[str]:
    """Return the entries that are valid in the table at `address` of a `kind`."""
    structs = _structs(kind)
    for step in address:
        if isinstance(step, str):
            structs = [
                inner
                for struct in structs
                for field in msgspec.structs.fields(struct)
                if field.encode_name == step
                for inner in _structs(field.type)
            ]
    return [field.encode_name for struct in structs for field in msgspec.structs.fields(struct)]


def dotted(address: Address) -> str:
    """Return the address as people write it: `sources[0].path`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in address)
    return "".join(steps).removeprefix(".")


def _structs(kind: object) -> list[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [struct for inner in get_args(kind) for struct in _structs(inner)]


def _address(path: str) -> Address:
    steps = _STEP.findall(path)
    return tuple(name or (0 if index == "..." else int(index)) for name, index in steps)


def _keys(dotted_key: str) -> Address:
    return tuple(_unquoted(name) for name in _NAME.findall(dotted_key))


def _unquoted(name: str) -> str:
    if name[0] not in "\"'":
        return name
    try:
        return next(iter(tomllib.loads(f"{name} = 0")))
    except tomllib.TOMLDecodeError:
        return name  # of what only looks like an entry: a line within a text of several lines


def _entered(names: Address, counts: dict[Address, int], *, array: bool) -> Address:
    """Return the address of a table header, with the index of each array of tables on the way."""
    table: Address = ()
    for position, name in enumerate(names):
        table += (name,)
        last = position == len(names) - 1
        if last and array:
            counts[table] = counts.get(table, -1) + 1
        if table in counts:
            table += (counts[table],)
    return table
