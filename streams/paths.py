"""Paths into JSON objects: `request.headers["X-Api-Key"][0]`, a small part of RFC 9535."""

import re

from vocabulary.errors import ConfigError

Path = tuple[str | int, ...]

MAX_DEPTH = 16

_STEP = re.compile(r"""\.?([^.\[\]"']+)|\["([^"]+)"\]|\['([^']+)'\]|\[([0-9]{1,3})\]""")


def path_of(text: str) -> Path:
    """Read a path: names with points between them, quoted names and indices in brackets.

    Args:
        text: with or without `$.` in front.

    Raises:
        ConfigError: when it is none, or longer than 16 steps.
    """
    rest = text.removeprefix("$").removeprefix(".") if text.startswith("$") else text
    steps: list[str | int] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None or (at == 0 and rest.startswith(".")):
            raise _wrong(text)
        plain, double, single, index = found.groups()
        steps.append(int(index) if index else plain or double or single)
        at = found.end()
    if not steps or isinstance(steps[0], int) or len(steps) > MAX_DEPTH:
        raise _wrong(text)
    return tuple(steps)


def _wrong(text: str) -> ConfigError:
    return ConfigError(
        "no path into a JSON object",
        where=repr(text[:64]),
        remedy='write it like request.headers["X-Api-Key"][0]',
    )
