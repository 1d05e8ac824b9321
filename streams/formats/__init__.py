"""Access log formats: one file each, known by being in this folder.

A file here holds `FORMAT`, a `streams.parsed.Format`. A new format is a new file and nothing
else; tests/streams/test_formats.py runs over all of them.
"""

from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path

from streams.parsed import Format, Shape
from vocabulary.errors import ConfigError, FormatError

_HERE = Path(__file__).parent


def names() -> list[str]:
    """Return the names of all formats, sorted, without importing one."""
    return sorted(
        file.stem.replace("_", "-") for file in _HERE.glob("*.py") if file.stem != "__init__"
    )


def shaped(name: str, shape: Shape) -> Format:
    """Return the format of that name, as a configuration says that the log is shaped.

    Raises:
        FormatError: when there is none.
        ConfigError: when the shape is none of this format.
    """
    found = find(name)
    told = [part for part in ("layout", "fields", "pattern", "time") if getattr(shape, part)]
    if wrong := [part for part in told if part not in found.takes]:
        remedy = f"it takes {', '.join(found.takes)}" if found.takes else "leave it out"
        raise ConfigError(f"{name} has no {wrong[0]}", where=f"sources: {name}", remedy=remedy)
    return replace(found, parse=found.shaped(shape)) if told and found.shaped else found


@cache
def find(name: str) -> Format:
    """Return the format of that name, in its default shape.

    Raises:
        FormatError: when there is none.
    """
    known = names()
    if name not in known:
        near = get_close_matches(name, known, 1)
        remedy = f"did you mean {near[0]}?" if near else f"one of {', '.join(known)}"
        raise FormatError(f"no log format is called {name[:64]!r}", remedy=remedy)
    found = import_module(f"streams.formats.{name.replace('-', '_')}").FORMAT
    assert isinstance(found, Format)
    return found
