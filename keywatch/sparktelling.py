"""What a person is told of a Spark job."""

from collections.abc import Callable, Sequence
from typing import Any

Tell = Callable[[str], None]


def say(rows: Sequence[Any], tell: Tell, what: str) -> None:
    """Tell what rows of `shards.DONE` came to."""
    lines, events, alerts = (
        sum(row[name] for row in rows) for name in ("lines", "events", "alerts")
    )
    tell(f"{what}: {lines} lines, {events} events, {alerts} alerts")
