"""Notifiers: who is told, one file a way, found by being in this folder.

A file `name.py` holds `make(options)`, which returns a notifier or refuses with a ConfigError.
A message never contains a secret; what attackers wrote into it stays text.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from vocabulary.errors import ConfigError

Notifier = Callable[..., Mapping[str, Any] | None]
"""Send a message: (message, idempotency key, now in epoch seconds).

Raises ServiceError when it may work later, ConfigError when it never will. One with an attribute
`threaded = True` gets a fourth argument: what it returned about the same incident before, None
for nothing. One with an attribute `looks = True` is told by `again=True` that this message may have
been sent before, and looks whether it was: whoever sent it may have died before it was noted.
"""


def ways() -> list[str]:
    """Return the ways of notifying that are in this folder."""
    return sorted(module.name for module in iter_modules(__path__))


def notifiers(configured: Iterable[Mapping[str, Any]]) -> dict[str, Notifier]:
    """Return each configured notifier by the name that the policy calls it.

    `log` is always among them; names that nobody configured are told by it.

    Args:
        configured: tables with `name`, `type` and what that type needs.

    Raises:
        ConfigError: when one of them cannot be made, or two have the same name.
    """
    made: dict[str, Notifier] = {"log": make("log", {})}
    for options in configured:
        name = options["name"]
        if not name or (name in made and name != "log"):
            raise ConfigError(f"a notifier needs a `name` of its own, not {name!r}", where="notify")
        made[name] = make(options["type"], options)
    return made


def make(way: str, options: Mapping[str, Any]) -> Notifier:
    """Return a notifier of the given type."""
    if way not in ways():
        raise ConfigError(
            f"there is no notifier of type `{way}`",
            where=f"notify.{options.get('name', '')}",
            remedy=f"there are {', '.join(ways())}",
        )
    notifier: Notifier = import_module(f"{__name__}.{way}").make(options)
    return notifier
