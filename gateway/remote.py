"""Look-ups that several gateways share, in Redis: what one read, the others need not ask for.

An entry carries the number of the newest change that its reader had seen. It is believed only by
who knows of no later change of that key: so an entry that was written late, or survived its
revocation, opens nothing. Who can write to this Redis can let himself in, as who can write to the
database can: it must be guarded like it.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from keystore.grants import Grants
from vocabulary.errors import ConfigError

_log = logging.getLogger(__name__)

KNOWN_S, UNKNOWN_S = 300, 60
_TIMEOUT_S, _PAUSE_S = 0.1, 1.0
_MOST_RECENT = 100_000


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    as_of: int
    grants: Grants | None


class RemoteCache:
    """Look-ups of one database on one Redis; one thread.

    Args:
        url: redis:// or rediss://.
        database: names the database, so that two may use one Redis.
    """

    def __init__(self, url: str, database: str) -> None:
        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:
            raise ConfigError(
                "this is no Redis",
                where="gateway.redis",
                remedy="write it like redis://127.0.0.1:6379",
            ) from None
        self._prefix = f"keywatch:key:{sha256(database.encode()).hexdigest()[:12]}:"
        self._decoder = msgspec.msgpack.Decoder(_Entry)
        # hash → number of its last change; of changes before `_floor` nothing is known
        self._recent: dict[str, int] = {}
        self._floor = self._new_keys = 0
        self._paused_until = 0.0
        self._away = False

    def forget(self, seq: int) -> None:
        """Believe nothing that was read before change `seq`."""
        self._floor, self._recent = seq, {}

    def changed(self, hashes: Iterable[str], seq: int) -> None:
        """Note that these keys changed, and strike them out."""
        found = list(hashes)
        if len(self._recent) + len(found) > _MOST_RECENT:
            self.forget(seq)
        self._recent |= dict.fromkeys(found, seq)
        if found and self._may_ask():
            self._told(lambda: self._redis.delete(*map(self._name, found)))

    def added(self, seq: int) -> None:
        """Note that keys were added: who was unknown before may be known."""
        self._new_keys = seq

    def get(self, hashes: Iterable[str]) -> dict[str, Grants | None]:
        """Return what is held of the keys, None for those that are held to be unknown."""
        wanted = list(hashes)
        if not wanted or not self._may_ask():
            return {}
        raws = self._told(lambda: self._redis.mget(map(self._name, wanted))) or []
        found = {}
        for name, raw in zip(wanted, raws, strict=False):
            entry = self._believed(name, raw) if raw else None
            if entry is not None:
                found[name] = entry.grants
        return found

    def put(self, found: Mapping[str, Grants | None], as_of: int) -> None:
        """Hold what was read after change `as_of` was seen, and no later one."""
        if not found or not self._may_ask():
            return
        pipeline = self._redis.pipeline(transaction=False)
        for name, grants in found.items():
            raw = msgspec.msgpack.encode(_Entry(as_of, grants))
            pipeline.set(self._name(name), raw, ex=KNOWN_S if grants else UNKNOWN_S)
        self._told(pipeline.execute)

    def close(self) -> None:
        """Give the connection back."""
        self._redis.close()

    def _believed(self, name: str, raw: bytes) -> _Entry | None:
        try:
            entry = self._decoder.decode(raw)
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
            return None
        newest = max(self._floor, self._recent.get(name, 0))
        if entry.grants is None:
            newest = max(newest, self._new_keys)
        elif entry.grants.key.hash != name:
            return None
        return entry if entry.as_of >= newest else None

    def _name(self, name: str) -> str:
        return self._prefix + name

    def _may_ask(self) -> bool:
        return time.monotonic() >= self._paused_until

    def _told(self, ask: Callable[[], Any]) -> Any:  # noqa: ANN401  (Redis's)
        """Ask Redis; when it is away do without it for a while: the database knows all."""
        try:
            answer = ask()
        except (RedisError, OSError) as error:
            self._paused_until = time.monotonic() + _PAUSE_S
            if not self._away:
                _log.warning("Redis cannot be reached for look-ups: %s", type(error).__name__)
                self._away = True
            return None
        if self._away:
            _log.warning("Redis is back: look-ups are shared again")
            self._away = False
        return answer
