"""Stores in which keys live that are not ours: one file each, found by being in this folder.

A file holds `make(options)`, which returns an `Adapter`. Options are those of `[[stores]]`.
Adapters get credentials, never secrets. What they do can be done again without harm.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol

import msgspec

from vocabulary.credential import Credential
from vocabulary.errors import ConfigError, KeyNotFoundError, UsageError


class Foreign(msgspec.Struct, frozen=True):
    """A key of another store.

    Attributes:
        id: by which the store is told to do something; nothing secret.
        active: whether the store lets it in.
        public_id: its public part, where it has one.
    """

    id: str
    active: bool
    public_id: str = ""
    name: str = ""
    owner: str = ""


class Adapter(Protocol):
    """What can be asked of a store.

    Every method raises ServiceError when the store was not reached or did not do its part; those
    that take an id raise KeyNotFoundError when there is no such key.
    """

    def find(self, credential: Credential) -> Foreign | None:
        """Return the key of a credential, None when the store does not know it."""

    def revoke(self, key_id: str) -> None:
        """Let the key in no more."""

    def throttle(self, key_id: str, per_min: int) -> None:
        """Let only so many requests a minute through; UsageError where the store cannot."""

    def restore(self, key_id: str) -> None:
        """Let the key in as before, and lift a throttle; UsageError where the store cannot."""


Options = Mapping[str, Any]


@cache
def kinds() -> Mapping[str, Callable[[Options], Adapter]]:
    """Return how each kind of store is made, by its name."""
    names = [module.name for module in iter_modules(__path__) if not module.name.startswith("_")]
    return {name: import_module(f"{__name__}.{name}").make for name in names}


def make(options: Options) -> Adapter:
    """Return the adapter of a configured store.

    Raises:
        ConfigError: when there is no such kind, or it lacks an option.
    """
    kind = kinds().get(options["type"])
    where = f"stores.{options['name']}"
    if kind is None:
        raise ConfigError(
            f"there is no kind of store {options['type']!r}", where=where, remedy=", ".join(kinds())
        )
    return kind(options)


def needed(options: Options, *names: str) -> list[str]:
    """Return options that must be there.

    Raises:
        ConfigError: when one is empty.
    """
    for name in names:
        if not options.get(name):
            where = f"stores.{options['name']}"
            raise ConfigError(f"`{name}` is missing", where=where)
    return [options[name] for name in names]


def missing(key_id: str, where: str) -> KeyNotFoundError:
    """Return the error of a key that is not there."""
    return KeyNotFoundError(f"there is no key {key_id!r}", where=where)


def cannot(what: str, where: str, remedy: str) -> UsageError:
    """Return the error of something that a store has no means for."""
    return UsageError(f"this kind of store cannot {what}", where=where, remedy=remedy)
