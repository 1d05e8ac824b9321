"""Sending notifications: each receiver's in order, none holding up another."""

import time
from collections.abc import Iterator, Mapping, Sequence
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

Outcomes = dict[int, KeywatchError | None]
"""Id of the row → why it failed, None when it was taken; rows that were not begun are missing."""


def deliver(rows: Sequence[Row[Any]], notifiers: Mapping[str, Notifier], now: float) -> Outcomes:
    """Send what was leased; a name without a notifier is told by `log`.

    Args:
        rows: of the outbox.
        notifiers: name → notifier; `log` is among them.
        now: epoch seconds, for signatures.
    """
    by_lane = sorted(rows, key=attrgetter("lane", "id"))
    lanes = [list(lane) for _, lane in groupby(by_lane, key=attrgetter("lane"))]
    if not lanes:
        return {}
    end = time.monotonic() + ROUND_S
    with ThreadPoolExecutor(min(_THREADS, len(lanes)), "notify") as threads:
        rounds = threads.map(lambda lane: dict(_lane(lane, notifiers, now, end)), lanes)
        return {row_id: outcome for outcomes in rounds for row_id, outcome in outcomes.items()}


def _lane(
    rows: Sequence[Row[Any]], notifiers: Mapping[str, Notifier], now: float, end: float
) -> Iterator[tuple[int, KeywatchError | None]]:
    for row in rows:
        if time.monotonic() > end:
            return
        name = row.lane.removeprefix(NOTIFICATIONS)
        yield row.id, _send(notifiers.get(name, notifiers["log"]), row, now)


def _send(notifier: Notifier, row: Row[Any], now: float) -> KeywatchError | None:
    try:
        notifier(row.arguments, row.idempotency_key, now)
    except KeywatchError as error:
        return error
    except Exception as error:  # noqa: BLE001  (one notifier's defect must not stop the others)
        return ServiceError(f"the notifier failed: {type(error).__name__}")
    return None
