"""Formats of one JSON object a line, declared by the paths of their fields."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from streams.addresses import NO_PROXIES, Proxies
from streams.assemble import COLUMNS, Found, assembled
from streams.clocks import clock as clock_of
from streams.jsonlines import JsonLines
from streams.parsed import Format, Parsed, Reader, Shape
from streams.paths import Path, path_of
from streams.readers import RFC3339_TIME
from vocabulary.errors import ConfigError

_Leaf = str | int | float | None
_Tree = dict[str | int, Any]
"""The steps of all paths."""

_END = -1
"""Marks in a tree where a path ends."""


class JsonFormat:
    """Reads JSON lines; a `streams.parsed.Parser`.

    Only the fields that are named are decoded, into a structure that is made for them, and a
    column is taken out of all rows by one call.

    Args:
        clock: how `time` is read.
        adjust: makes columns of columns, where a log's own are not quite ours.
        paths: column of `streams.assemble.COLUMNS` → path or paths; of several the first that
            holds something counts. What begins with `_` is for `adjust` alone.

    Raises:
        ConfigError: when there is no such column, or paths contradict one another.
    """

    def __init__(
        self,
        clock: Reader[int] = RFC3339_TIME,
        adjust: Callable[[Found], Found] = lambda found: found,
        **paths: str | Sequence[str],
    ) -> None:
        if wrong := sorted(
            name for name in paths if name not in COLUMNS and not name.startswith("_")
        ):
            what = f"an event has no {wrong[0]!r}"
            raise ConfigError(what, where="fields", remedy=f"it has {', '.join(COLUMNS)}")
        texts = {
            name: (one,) if isinstance(one, str) else tuple(one) for name, one in paths.items()
        }
        self._clock, self._adjust = clock, adjust
        self._names = {name: several[0] for name, several in texts.items()}
        self._columns = {name: [path_of(one) for one in several] for name, several in texts.items()}
        tree: _Tree = {}
        for path in (one for several in self._columns.values() for one in several):
            _grow(tree, path)
        self._lines = JsonLines(_struct(tree))

    def __call__(self, lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
        """Parse the lines."""
        index, rows, rejected = self._lines.rows(lines)
        found = {name: _column(rows, paths) for name, paths in self._columns.items()}
        return assembled(self._adjust(found), self._names, (index, rejected), self._clock, proxies)


def json_format(  # noqa: PLR0913  (what a format is made of)
    name: str,
    about: str,
    log_the_key: str,
    samples: tuple[bytes, ...],
    paths: Mapping[str, str | Sequence[str]],
    clock: Reader[int] = RFC3339_TIME,
    *,
    adjust: Callable[[Found], Found] = lambda found: found,
    unfold: Callable[[bytes], list[bytes]] | None = None,
) -> Format:
    """Return a format of JSON lines; a configuration may put other paths in place of its own."""

    def shaped(shape: Shape) -> JsonFormat:
        own = clock_of(shape.time) if shape.time else clock
        return JsonFormat(own, adjust, **{**paths, **shape.fields})

    return Format(
        name=name,
        about=about,
        log_the_key=log_the_key.strip(),
        samples=samples,
        parse=JsonFormat(clock, adjust, **paths),
        shaped=shaped,
        takes=("fields", "time"),
        unfold=unfold,
    )


def _grow(tree: _Tree, path: Path) -> None:
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
        if tree.get(_END):
            raise _through(path)
    if tree.setdefault(path[-1], {_END: True}) != {_END: True}:
        raise _through(path)


def _through(path: Path) -> ConfigError:
    return ConfigError("one path ends where another goes on", where=f"fields: {path[0]}")


def _struct(tree: _Tree) -> type[msgspec.Struct]:
    """Return a structure with a field for every name, whatever characters the names have."""
    fields = [(_slot(str(name)), *_field(inner)) for name, inner in tree.items()]
    rename = {_slot(str(name)): str(name) for name in tree}
    return msgspec.defstruct("Row", fields, gc=False, rename=rename)


def _field(tree: _Tree) -> tuple[Any, Any]:
    """Return the type and the default of a place; other values than we look for do no harm."""
    if tree.get(_END):
        return _Leaf, None
    indexed = [inner for step, inner in tree.items() if isinstance(step, int)]
    if not indexed:
        struct = _struct(tree)
        return struct | _Leaf, msgspec.field(default_factory=struct)
    if len(indexed) < len(tree):
        raise ConfigError("one path takes for an object what another takes for an array")
    inside: _Tree = {}
    for one in indexed:
        inside.update(one)
    return list[_field(inside)[0]] | _Leaf, None  # type: ignore[misc]


def _slot(name: str) -> str:
    return "f_" + name.encode().hex()


def _column(rows: Sequence[Any], paths: Sequence[Path]) -> Sequence[Any]:
    """Return the column; a row takes the first of its paths that holds something."""
    found = _values(rows, paths[0])
    for path in paths[1:]:
        if all(found):
            break
        others = _values(rows, path)
        found = [one or other for one, other in zip(found, others, strict=True)]
    return ["" if one is None else one for one in found] if None in found else found


def _values(rows: Sequence[Any], path: Path) -> list[Any]:
    if all(isinstance(step, str) for step in path):
        # One call takes it out of all rows, unless one of them has something else on the way.
        try:
            return list(map(attrgetter(".".join(map(_slot, map(str, path)))), rows))
        except AttributeError:
            pass
    return [_value(row, path) for row in rows]


def _value(row: Any, path: Path) -> Any:  # noqa: ANN401  (what a log holds)
    for step in path:
        if isinstance(step, str):
            row = getattr(row, _slot(step), None)
        else:
            row = row[step] if isinstance(row, list) and step < len(row) else None
    return row if isinstance(row, str | int | float) else None
