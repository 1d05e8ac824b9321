"""The configuration as text: what is in force, and a commented file to begin with."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from keywatch.config import Leaf, Loaded, leaves, tables
from vocabulary.addresses import of_hook, without_secrets

_HIDDEN = "[hidden]"


def effective(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Return (entry, value, source) of every entry; secrets hidden."""
    rows = []
    for leaf in leaves():
        value: Any = loaded.settings
        for name in leaf.address:
            value = getattr(value, name)
        source = loaded.origins.get(leaf.address, "default")
        rows.append((".".join(leaf.address), _shown(leaf, value), source))
    return rows


def commented() -> str:
    """Return a keywatch.toml in which every entry stands commented out at its default."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# keywatch.toml: every entry at its default; uncomment what you change."
    yield "# The environment (KEYWATCH_DATABASE, …) and flags win over this file."
    table: tuple[str, ...] = ()
    for leaf in sorted(
        leaves(), key=lambda leaf: (len(leaf.address) > 1, tables(leaf.type) is not None)
    ):
        struct = tables(leaf.type)
        if struct is not None:
            yield from _array(leaf, struct)
            continue
        if leaf.address[:-1] != table:
            table = leaf.address[:-1]
            yield f"\n[{'.'.join(table)}]"
        yield from _entry(leaf, "")


def _array(leaf: Leaf, struct: type[msgspec.Struct]) -> Iterator[str]:
    yield f"\n# {(struct.__doc__ or '').strip()} Repeat the table for more."
    yield f"# [[{'.'.join(leaf.address)}]]"
    for inner in leaves(struct):
        yield from _entry(inner, "")


def _entry(leaf: Leaf, indent: str) -> Iterator[str]:
    yield f"{indent}# {leaf.description}"
    yield f"{indent}# {leaf.address[-1]} = {_toml(leaf.default)}"


def _toml(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _shown(leaf: Leaf, value: Any) -> str:  # noqa: ANN401
    if leaf.secret:
        return _HIDDEN if value else ""
    struct = tables(leaf.type)
    if struct is not None:
        inside = {inner.address[-1]: inner for inner in leaves(struct)}
        rows = msgspec.to_builtins(value)
        value = [{name: _told(inside[name], one) for name, one in row.items()} for row in rows]
    value = _cleaned(msgspec.to_builtins(value))
    return value if isinstance(value, str) else json.dumps(value)


def _told(leaf: Leaf, value: Any) -> Any:  # noqa: ANN401
    """Return an entry of a table without what is secret in it."""
    if leaf.secret:
        return _HIDDEN if value else value
    return of_hook(value) if leaf.hook else value


def _cleaned(value: Any) -> Any:  # noqa: ANN401
    """Take passwords and tokens out of all addresses."""
    if isinstance(value, dict):
        return {name: _cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return without_secrets(value) if isinstance(value, str) else value
