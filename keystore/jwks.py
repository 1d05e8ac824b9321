"""The public keys of an issuer (RFC 7517), fetched, held and rotated.

What is held serves at once; what is unknown is asked for, but never more often than the issuer
can bear: forged tokens with made-up key ids must not become requests to it.
"""

import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import msgspec

from keystore.web import Site
from vocabulary.errors import ServiceError

FRESH_S = 300.0
STALE_S = 3600.0
PAUSE_S = 10.0
_MOST_KEYS = 100
_MOST_BYTES = 1 << 18
_SHORTEST_RSA = 2048

Jwk = Mapping[str, Any]


class Jwks:
    """The keys at a URL; may be asked from several threads.

    Args:
        site: where the set is.
        ticks: seconds of a clock that never goes back.
        fresh_s: a set is fetched anew after so many seconds, so that a withdrawn key goes.
        stale_s: after so many seconds without reaching the issuer no key is believed any more.
        pause_s: seconds between two fetches at least, whatever is asked for.
    """

    def __init__(
        self,
        site: Site,
        ticks: Callable[[], float] = time.monotonic,
        *,
        fresh_s: float = FRESH_S,
        stale_s: float = STALE_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._site, self._ticks = site, ticks
        self._fresh_s, self._stale_s, self._pause_s = fresh_s, stale_s, pause_s
        self._keys: dict[str, Jwk] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._lock = Lock()
        self._is_fetching = False
        self.problem = ""
        """Why the last fetch failed; empty when it did not."""

    def held(self, kid: str) -> Jwk | None:
        """Return a key of this id that is held, without asking anybody.

        A token without a key id (`kid` "") gets a key only where there is but one.
        """
        keys = self._keys if self._is_believed() else {}
        if not kid:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(kid)

    def needs_fetch(self, kid: str) -> bool:
        """Whether `key` would ask the issuer: the set is old or lacks the key, and it is time.

        While the set is being fetched whoever lacks a key waits for it with the others.
        """
        if self._is_fetching:
            return self.held(kid) is None
        now = self._ticks()
        if self._tried is not None and now - self._tried < self._pause_s:
            return False
        old = self._fetched is None or now - self._fetched >= self._fresh_s
        return old or self.held(kid) is None

    def key(self, kid: str) -> Jwk | None:
        """Return the key of this id, fetching the set where that may help; this can wait."""
        if self.needs_fetch(kid):
            with self._lock:
                if self.needs_fetch(kid):  # another thread may have fetched meanwhile
                    self.refresh()
        return self.held(kid)

    def refresh(self) -> None:
        """Fetch the set now; when that fails what is held stays, until it is stale."""
        self._is_fetching, self._tried = True, self._ticks()
        try:
            self._keys = _keys_of(self._site)
        except ServiceError as error:
            self.problem = str(error)
        else:
            self._fetched, self.problem = self._tried, ""
        finally:
            self._is_fetching = False

    def _is_believed(self) -> bool:
        return self._fetched is not None and self._ticks() - self._fetched < self._stale_s


def _keys_of(site: Site) -> dict[str, Jwk]:
    answer = site.ask("GET", headers={"Accept": "application/jwk-set+json, application/json"})
    if not answer.is_ok:
        raise ServiceError(f"the key set was answered with {answer.status}", where=site.place)
    try:
        found = msgspec.json.decode(answer.body, type=dict[str, Any]).get("keys")
    except (msgspec.DecodeError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) > _MOST_KEYS:
        raise ServiceError("the answer is no key set", where=site.place)
    usable = [key for key in found if _is_usable(key)]
    return {str(key.get("kid") or number): key for number, key in enumerate(usable)}


def _is_usable(key: Any) -> bool:  # noqa: ANN401
    """Whether it is a public key to verify with: no secret one, none meant for encryption."""
    if not isinstance(key, dict) or key.get("kty") not in ("RSA", "EC", "OKP"):
        return False
    operations = key.get("key_ops")
    may_verify = operations is None or (isinstance(operations, list) and "verify" in operations)
    is_long = key["kty"] != "RSA" or _is_long(key.get("n"))
    return key.get("use") in (None, "sig") and may_verify and is_long and "d" not in key


def _is_long(modulus: object) -> bool:
    """Whether an RSA key has 2048 bits (RFC 7518, 3.3); shorter ones were factored."""
    try:
        raw = urlsafe_b64decode(f"{modulus}==")
    except ValueError:
        return False
    return int.from_bytes(raw).bit_length() >= _SHORTEST_RSA


def jwks_of(url: str, name: str, ticks: Callable[[], float] = time.monotonic) -> Jwks:
    """Return the keys of the issuer that the configuration calls `name`."""
    return Jwks(Site(url, f"issuers.{name}.jwks_url", most_bytes=_MOST_BYTES), ticks)
