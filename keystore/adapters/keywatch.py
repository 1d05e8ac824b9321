"""Another key store of keywatch, in a database of its own."""

from database.transaction import open_database, reading
from keystore import query
from keystore.adapters import Adapter, Foreign, Options, needed
from keystore.store import KeyStore
from vocabulary.credential import Credential

_ACTOR, _REASON = "keywatch", "asked for by another store"


class Keywatch:
    """Keys of a `KeyStore`."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def find(self, credential: Credential) -> Foreign | None:
        """Return the key of a credential."""
        with reading(self._store.engine) as connection:
            (key,) = query.find(connection, [credential])
        if key is None:
            return None
        now = self._store.clock()
        active = key.verdict(now) in ("live", "test", "deprecated")
        return Foreign(key.id, active, key.public_id, key.name, key.owner)

    def revoke(self, key_id: str) -> None:
        """End the key."""
        self._store.revoke(key_id, actor=_ACTOR, reason=_REASON)

    def throttle(self, key_id: str, per_min: int) -> None:
        """Slow the key down."""
        self._store.throttle(key_id, per_min=per_min, actor=_ACTOR, reason=_REASON)

    def restore(self, key_id: str) -> None:
        """Bring the key back, and lift a throttle."""
        if self._store.get(key_id).state == "revoked":
            self._store.restore(key_id, actor=_ACTOR, reason=_REASON)
        self._store.unthrottle(key_id, actor=_ACTOR, reason=_REASON)


def make(options: Options) -> Adapter:
    """Return the store in the database at `url`."""
    (url,) = needed(options, "url")
    return Keywatch(KeyStore(open_database(url, create=False)))
