"""Keys that came in queries: said once an hour of each, since other logs hold them by then."""

import logging

from gateway.asked import Verdict
from gateway.cache import Generations
from gateway.options import Ticks

AGAIN_NS = 3600 * 1_000_000_000
"""Ticks after which it is said of the same key again."""

_MOST = 10_000
_log = logging.getLogger(__name__)


class QueryWarnings:
    """Whom it was said of lately; one thread.

    Args:
        ticks: nanoseconds that never go back.
    """

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self._said: Generations[int] = Generations(_MOST)

    def note(self, verdict: Verdict) -> None:
        """Say that a key came in the query; of credentials that nobody knows nothing is said."""
        key_id = verdict.standing.key_id
        if not key_id:
            return
        now, said = self._ticks(), self._said.get(key_id.encode())
        if said is not None and now - said < AGAIN_NS:
            return
        self._said.put(key_id.encode(), now)
        _log.warning(
            "key %s came in the query of a request from %s: URLs stand in logs and histories, "
            "replace it",
            key_id,
            verdict.client,
        )
