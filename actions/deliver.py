"""Sending notifications: each receiver's in order, none holding up another."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Row

from actions.notify import Notifier
from actions.queue import NOTIFICATIONS
from vocabulary.errors import KeywatchError, ServiceError

ROUND_S = 15.0
"""After this time no further message of a round is begun."""

_THREADS = 8

Kept = Mapping[str, Any]
"""What a notifier wants to be given with the next message about the same incident."""

Settle = Callable[[Row[Any], KeywatchError | None, Kept], None]
"""Is told how each attempt ended, at once and from any thread: why it failed, or None."""

Thread = Callable[[Row[Any]], Kept | None]
"""Returns what the notifier kept of the last message about the same incident."""


def deliver(
    rows: Sequence[Row[Any]],
    notifiers: Mapping[str, Notifier],
    now: float,
    settle: Settle,
    thread: Thread,
    stopped: Callable[[], bool],
) -> int:
    """Send what was leased; a name without a notifier is told by `log`.

    Args:
        rows: of the outbox.
        notifiers: name → notifier; `log` is among them.
        now: epoch seconds, for signatures.
        settle: see there.
        thread: see there.
        stopped: says that no further message is to be begun.

    Returns:
        How many were tried; the rest was not begun.
    """
    by_lane = sorted(rows, key=attrgetter("lane", "id"))
    lanes = [list(lane) for _, lane in groupby(by_lane, key=attrgetter("lane"))]
    if not lanes:
        return 0
    end = time.monotonic() + ROUND_S

    def send_all(lane: Sequence[Row[Any]]) -> int:
        for tried, row in enumerate(lane):
            if stopped() or time.monotonic() > end:
                return tried
            notifier = notifiers.get(row.lane.removeprefix(NOTIFICATIONS), notifiers["log"])
            settle(row, *_send(notifier, row, now, thread))
        return len(lane)

    with ThreadPoolExecutor(min(_THREADS, len(lanes)), "notify") as threads:
        return sum(threads.map(send_all, lanes))


def _send(
    notifier: Notifier, row: Row[Any], now: float, thread: Thread
) -> tuple[KeywatchError | None, Kept]:
    try:
        before = (thread(row),) if getattr(notifier, "threaded", False) else ()
        again = {"again": _may_have_been_sent(row)} if getattr(notifier, "looks", False) else {}
        kept = notifier(row.arguments, row.idempotency_key, now, *before, **again)
    except KeywatchError as error:
        return error, {}
    except Exception as error:  # noqa: BLE001  (one notifier's defect must not stop the others)
        return ServiceError(f"the notifier failed: {type(error).__name__}"), {}
    return None, kept or {}


def _may_have_been_sent(row: Row[Any]) -> bool:
    """Say whether somebody has begun on it before: whose lease ran out, or who got no answer."""
    return bool(row.state == "leased" or row.attempts > 0)
