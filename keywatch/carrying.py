"""Keys that live elsewhere: the configured stores, and the threads that make them follow ours."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import msgspec
from sqlalchemy import Engine

from keystore import adapters
from keystore.adapters import Adapter
from keystore.bells import hearing
from keystore.carrier import Carrier
from keywatch.config_keys import StoreSettings
from vocabulary.errors import ConfigError, DatabaseError

LOOK_S = 0.5
"""Seconds between two looks at the feed of whoever hears no bell."""
_log = logging.getLogger(__name__)


def stores_of(settings: Sequence[StoreSettings]) -> dict[str, Adapter]:
    """Return the configured stores by name.

    Raises:
        ConfigError: when one lacks an option, or two have the same name.
    """
    names = [each.name for each in settings]
    if len(set(names)) < len(names) or "" in names:
        raise ConfigError("each store has a `name` of its own", where="stores")
    return {each.name: adapters.make(msgspec.structs.asdict(each)) for each in settings}


@contextmanager
def carrying(
    engine: Engine,
    settings: Sequence[StoreSettings],
    tell: Callable[[str], None],
    *,
    once: bool = False,
) -> Iterator[None]:
    """Make every configured store follow ours as long as this lasts, each in its own thread.

    Args:
        engine: our database.
        settings: of the stores.
        tell: is told what could not be carried, and when it could be again.
        once: no threads; each store gets one turn at the end.
    """
    carriers = {
        name: Carrier(engine, name, adapter) for name, adapter in stores_of(settings).items()
    }
    if once or not carriers:
        yield
        for name, carrier in carriers.items():
            _turn(name, carrier, tell, {})
        return
    stop = Event()
    bells = {name: Event() for name in carriers}
    threads = [
        Thread(target=_follow, args=(name, carrier, tell, bells[name], stop), daemon=True)
        for name, carrier in carriers.items()
    ]

    def ring() -> None:
        for bell in bells.values():
            bell.set()

    with hearing(engine, ring):
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            ring()
            for thread in threads:
                thread.join()


def _follow(
    name: str, carrier: Carrier, tell: Callable[[str], None], bell: Event, stop: Event
) -> None:
    told: dict[str, str] = {}
    while not stop.is_set():
        bell.wait(LOOK_S)
        bell.clear()
        _turn(name, carrier, tell, told)


def _turn(name: str, carrier: Carrier, tell: Callable[[str], None], told: dict[str, str]) -> None:
    """Take a turn; what cannot be carried is told once, and never stops the others."""
    try:
        turn = carrier.turn(time.time())
    except DatabaseError as error:
        _log.warning("store %s: %s", name, error)
        return
    for key_id, reason in turn.failed:
        if told.get(key_id) != reason:
            told[key_id] = reason
            tell(f"{key_id} could not be carried to the store {name}: {reason}")
    for key_id in turn.carried:
        told.pop(key_id, None)
