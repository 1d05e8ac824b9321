"""Effects on keys of our own store: one file each, found by being in this folder.

A file holds `EFFECT`. Its `apply` changes the key in the caller's transaction and returns what
was before; its `revert` takes that and puts it back. Neither does anything when the key already
is as it should be, and an effect never loosens what holds a key more tightly.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from sqlalchemy import Connection

Was = dict[str, Any]
"""What an effect found: JSON values; empty when it changed nothing."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to which key, by whom and why.

    Attributes:
        now: epoch seconds.
        arguments: of the outbox row: rate_per_min, duration_s (0 for no end), kind, ….
        force: whether a key whose leak is proven may be brought back.
    """

    key_id: str
    actor: str
    reason: str
    now: float
    arguments: Mapping[str, Any] = field(default_factory=dict)
    force: bool = False

    @property
    def until(self) -> float | None:
        """The end of the effect, epoch seconds; None for no end."""
        duration_s = float(self.arguments.get("duration_s") or 0.0)
        return self.now + duration_s if duration_s else None

    @property
    def act(self) -> dict[str, Any]:
        """Actor, reason and time, as the key store takes them."""
        return {"actor": self.actor, "reason": self.reason, "now": self.now}


@dataclass(frozen=True, slots=True)
class Effect:
    """How an action is carried out and how it is taken back."""

    apply: Callable[[Connection, Order], Was]
    revert: Callable[[Connection, Order, Was], None]


@cache
def effects() -> Mapping[str, Effect]:
    """Return every effect of this folder by its name."""
    names = [module.name for module in iter_modules(__path__)]
    return {name: import_module(f"{__name__}.{name}").EFFECT for name in names}


def later(one: float | None, other: float | None) -> float | None:
    """Return the later of two ends; None is no end."""
    return None if one is None or other is None else max(one, other)
