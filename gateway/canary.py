"""A key of the gateway's own that is suspended and resumed again and again, in the real store.

It measures what matters most: how long after a change is in the store the gateway refuses. It asks
as every client does, over HTTP, so that load, cache and feed are all in the figure.
"""

import http.client
import logging
import time
from collections.abc import Callable
from threading import Event, Thread
from urllib.parse import urlsplit

from keystore.issue import Issued, KeyOrder
from keystore.store import KeyStore
from vocabulary.errors import KeyNotFoundError, KeywatchError

_log = logging.getLogger(__name__)

_ACTOR = "gateway canary"
_PATIENCE_S = 10.0
_STEP_S = 0.002
_UNLIMITED = "100000/s"
"""The canary asks all the time: what each key may do in a minute would be used up at once."""
_THROTTLED = 429


class Canary:
    """Sings in a thread of its own.

    Args:
        store: the key store.
        url: of the gateway.
        heard: is told the seconds of each lockout.
        every_s: seconds between two.
    """

    def __init__(
        self, store: KeyStore, url: str, heard: Callable[[float], None], every_s: float
    ) -> None:
        self._store, self._heard, self._every_s = store, heard, every_s
        self._address = urlsplit(url)
        self._stopped = Event()
        self._last = 0
        self._thread = Thread(target=self._run, name="canary", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and revoke the key."""
        self._stopped.set()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        issued: Issued | None = None
        while not self._stopped.is_set():
            try:
                issued = issued or self._store.create(
                    KeyOrder(name="canary", life_s=None, limits=(_UNLIMITED,)), actor=_ACTOR
                )
                self._sing(issued)
            except (KeywatchError, OSError, http.client.HTTPException) as error:
                if not self._stopped.is_set():
                    _log.warning("the canary could not measure: %s", type(error).__name__)
                if isinstance(error, KeyNotFoundError):
                    issued = None
            self._stopped.wait(self._every_s)
        if issued is not None:
            try:
                self._store.revoke(issued.key.id, actor=_ACTOR)
            except KeywatchError as error:
                _log.warning("the canary's key could not be revoked: %s", error)

    def _sing(self, issued: Issued) -> None:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=_PATIENCE_S
        )
        try:
            if not self._becomes(connection, issued.secret, 200):
                raise TimeoutError
            self._store.suspend(issued.key.id, actor=_ACTOR)
            begin = time.perf_counter()
            found = self._becomes(connection, issued.secret, 403)
            spent_s = time.perf_counter() - begin
            is_known = found or self._last != _THROTTLED
            if is_known and (found or not self._stopped.is_set()):
                self._heard(spent_s)
            self._store.resume(issued.key.id, actor=_ACTOR)
            if not is_known:
                _log.warning("the canary could not measure: a limit refused what it asked")
        finally:
            connection.close()

    def _becomes(self, connection: http.client.HTTPConnection, secret: str, status: int) -> bool:
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end and not self._stopped.is_set():
            connection.request("GET", "/verify", headers={"X-API-Key": secret})
            response = connection.getresponse()
            response.read()
            self._last = response.status
            if response.status == status:
                return True
            time.sleep(_STEP_S)
        return False
