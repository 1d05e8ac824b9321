"""Telling followers of the change feed that there is something new, so that they need not wait.

A bell only wakes: what changed is read from the feed, and a follower that hears none looks by
itself now and then. In one process it rings at once; on PostgreSQL by NOTIFY, which is part of
the commit; and by Redis, where one is named, for SQLite files that several processes use.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Any

from sqlalchemy import Connection, Engine

from database.engine import place_of
from database.transaction import after_commit
from vocabulary.errors import ConfigError, ServiceError

CHANNEL = "keywatch_changes"
_PATIENCE_S = 0.5
_RETRY_S = 1.0
_CONNECT_S = 0.2
_log = logging.getLogger(__name__)

_wakes: dict[str, list[Callable[[], None]]] = {}
_ringers: dict[str, Callable[[], None]] = {}
_lock = Lock()


def announce(connection: Connection) -> None:
    """Ring once the caller's transaction is committed."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
    place = place_of(connection.engine)
    after_commit(connection, lambda: _ring(place))


@contextmanager
def ringing_redis(engine: Engine, url: str) -> Iterator[None]:
    """Have changes of this database announced by Redis too, as long as this lasts.

    A Redis that is away holds nobody up: followers look by themselves.

    Args:
        engine: of the database that is written to.
        url: empty for no Redis.
    """
    if not url:
        yield
        return
    client = _redis(url)
    place = place_of(engine)
    with _lock:
        _ringers[place] = lambda: client.publish(CHANNEL, "")
    try:
        yield
    finally:
        with _lock:
            _ringers.pop(place, None)
        client.close()


@contextmanager
def hearing(engine: Engine, wake: Callable[[], None], redis_url: str = "") -> Iterator[None]:
    """Call `wake`, from any thread, whenever a change of this database was committed.

    Args:
        engine: of the database that is followed.
        wake: must be quick and may be called too often.
        redis_url: where changes are announced too; empty for nowhere.
    """
    place, stop = place_of(engine), Event()
    with _lock:
        _wakes.setdefault(place, []).append(wake)
    waits: list[Callable[[], Any]] = []
    if engine.dialect.name == "postgresql":
        waits.append(lambda: _hear_postgresql(engine, wake, stop))
    if redis_url:
        client = _redis(redis_url)
        waits.append(lambda: _hear_redis(client, wake, stop))
    threads = [Thread(target=_again, args=(wait, stop), daemon=True) for wait in waits]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        with _lock:
            _wakes[place].remove(wake)
        for thread in threads:
            thread.join()


def _ring(place: str) -> None:
    with _lock:
        wakes, ringer = list(_wakes.get(place, ())), _ringers.get(place)
    for wake in wakes:
        wake()
    if ringer is not None:
        with suppress(Exception):  # whatever Redis has: the change is committed
            ringer()


def _hear_postgresql(engine: Engine, wake: Callable[[], None], stop: Event) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"LISTEN {CHANNEL}")
        wake()  # what came before we listened
        driver: Any = connection.connection.driver_connection
        try:
            while not stop.is_set():
                for _ in driver.notifies(timeout=_PATIENCE_S, stop_after=1):
                    wake()
        finally:
            connection.detach()  # nobody else shall inherit what it listens to


def _hear_redis(client: Any, wake: Callable[[], None], stop: Event) -> None:  # noqa: ANN401
    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(CHANNEL)
        wake()
        while not stop.is_set():
            if channel.get_message(timeout=_PATIENCE_S) is not None:
                wake()


def _again(wait: Callable[[], Any], stop: Event) -> None:
    """Go on listening whatever happens: the bell is a convenience, the feed is the truth."""
    told = False
    while not stop.is_set():
        try:
            wait()
        except Exception as error:  # noqa: BLE001  (drivers have each their own)
            if not told:
                _log.warning("changes are not announced: %s", type(error).__name__)
            told = True
            stop.wait(_RETRY_S)


def _redis(url: str) -> Any:  # noqa: ANN401
    try:
        import redis  # noqa: PLC0415  (an extra)
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigError("redis is not installed", remedy="install keywatch[redis]") from None
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=_RETRY_S,
            socket_connect_timeout=_CONNECT_S,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise ServiceError("this is no address of a Redis", remedy="redis://…") from None
