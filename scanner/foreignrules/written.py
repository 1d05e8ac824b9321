"""Rules as a file in our own form (TOML 1.0)."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from scanner.foreignrules import Imported

_LATER = ("requires", "allow")
_HEAD = "# Taken over from another scanner by `keywatch rules import`.\n"


def toml(imported: Imported, provider: str) -> str:
    """Write what was taken over, so that `[scan] rules` can name the file."""
    parts = [f"{_HEAD}provider = {_value(provider)}\n"]
    parts += [_table("rule", rule) for rule in imported.rules]
    parts += [_table("allow", allow) for allow in imported.allows]
    return "\n".join(parts)


def _table(name: str, struct: msgspec.Struct) -> str:
    lines = [f"[[{name}]]", *_entries(struct)]
    for inner in _LATER:
        for one in getattr(struct, inner, ()):
            lines += ["", f"[[{name}.{inner}]]", *_entries(one)]
    return "\n".join(lines) + "\n"


def _entries(struct: msgspec.Struct) -> Iterator[str]:
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if field.name not in _LATER and value != field.default:
            yield f"{field.name} = {_value(value)}"


def _value(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    return _array(map(_value, value))


def _array(values: Iterable[str]) -> str:
    found = list(values)
    if sum(map(len, found)) < 80:  # noqa: PLR2004  (one line)
        return f"[{', '.join(found)}]"
    return "[\n" + "".join(f"  {value},\n" for value in found) + "]"


def _string(text: str) -> str:
    """Write a literal string where it can be one, for patterns are read by people."""
    plain = text.encode("utf-8", "backslashreplace").decode()
    if "'" not in plain and "\\" in plain and plain.isprintable():
        return f"'{plain}'"
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007F")
