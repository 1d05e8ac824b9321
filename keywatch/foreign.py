"""Leaked keys that are not ours: the configured stores are asked, and what is theirs is adopted."""

import time
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Engine

from keystore.adapters import Adapter, Foreign
from keystore.issue import KeyOrder, Origin
from keystore.keys import PUBLIC_ID, SHA256, public_id_hash
from keystore.store import KeyStore
from keywatch.carrying import stores_of
from keywatch.config import Settings
from keywatch.keystores import key_store
from vocabulary.credential import Credential, KnownKey, Lookup
from vocabulary.errors import KeywatchError, UsageError

ACTOR = "keywatch"


def lookup(
    engine: Engine, settings: Settings, tell: Callable[[str], None], *, adopt: bool
) -> Lookup:
    """Return how to ask our store and the configured ones; see `Elsewhere`.

    For findings of the scanner alone: whoever writes a log could make it ask other stores without
    an end.
    """
    return asking(engine, settings, tell, adopt=adopt).find


def asking(
    engine: Engine, settings: Settings, tell: Callable[[str], None], *, adopt: bool
) -> "Elsewhere":
    """Return who asks our store and the configured ones, and says which could not be asked."""
    ours = key_store(engine, settings.keys)
    return Elsewhere(ours, stores_of(settings.stores), tell, adopt=adopt)


class Elsewhere:
    """Answers for credentials that our store does not know.

    Args:
        store: ours, in which their keys are adopted.
        adapters: name → store.
        tell: is told, once each, which stores cannot be asked.
        adopt: whether a key that is found becomes one of ours, so that it can be acted upon;
            else it is only told of.
    """

    def __init__(
        self,
        store: KeyStore,
        adapters: Mapping[str, Adapter],
        tell: Callable[[str], None],
        *,
        adopt: bool,
    ) -> None:
        self._store, self._adapters, self._adopt = store, adapters, adopt
        self._tell = tell
        self._told: set[str] = set()
        self._away: dict[str, str] = {}

    def take_away(self) -> str:
        """Say which stores could not be asked since this was asked last; empty when all could.

        What was not found meanwhile may be theirs: it is not unknown, and to be asked again.
        """
        away, self._away = self._away, {}
        return "; ".join(f"the store {name} is away: {why}" for name, why in away.items())

    def find(self, credentials: Sequence[Credential]) -> Sequence[KnownKey | None]:
        """Return what is known of each credential: by us, else by the first store that does."""
        found = list(self._store.find(credentials))
        if not self._adapters:
            return found
        for place, credential in enumerate(credentials):
            if found[place] is None:
                found[place] = self._asked(credential)
        return found

    def _asked(self, credential: Credential) -> KnownKey | None:
        for name, adapter in self._adapters.items():
            try:
                theirs = adapter.find(credential)
            except KeywatchError as error:
                if not isinstance(error, UsageError):  # that kind of store can never be asked
                    self._away[name] = str(error)
                if name not in self._told:
                    self._told.add(name)
                    self._tell(f"the store {name} cannot be asked for leaked keys: {error}")
                continue
            self._told.discard(name)
            if theirs is not None:
                return self._known(name, theirs, credential)
        return None

    def _known(self, name: str, theirs: Foreign, credential: Credential) -> KnownKey:
        if not self._adopt:
            state = "active" if theirs.active else "revoked"
            verdict = "live" if theirs.active else "revoked"
            return KnownKey(f"{name}:{theirs.id}", state, verdict, "", theirs.owner)
        reason = f"it was found in the open, and lives in the store {name}"
        order = KeyOrder(name=theirs.name, owner=theirs.owner, store=name, external_id=theirs.id)
        key = self._store.adopt(order, _origin(theirs, credential), actor=ACTOR, reason=reason)
        if not theirs.active:
            key = self._store.revoke(key.id, actor=ACTOR, reason=f"{name} does not let it in")
        return key.known(time.time())


def _origin(theirs: Foreign, credential: Credential) -> Origin:
    """Return how the key is recognised from now on.

    Of one that is known by its public id, the secret that was found may be made up.
    """
    if theirs.public_id and theirs.public_id == credential.public_id:
        return Origin(public_id_hash(theirs.public_id), PUBLIC_ID, theirs.public_id)
    return Origin(credential.sha256, SHA256, theirs.public_id)
