"""CloudEvents 1.0 in JSON, to a file, an address or a Kafka topic.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from actions.telling.facts import facts
from actions.telling.sink import sink_of


def make(options: Mapping[str, Any]) -> "CloudEvents":
    """Return the notifier of a `url`; see `sink_of`."""
    return CloudEvents(options)


class CloudEvents:
    """Puts events into one sink."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._sink = sink_of(options, "application/cloudevents+json; charset=utf-8")

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Put the message."""
        del now
        event = event_of(message, idempotency_key)
        self._sink.put(msgspec.json.encode(event), event.get("subject", ""), idempotency_key)


def event_of(message: Mapping[str, Any], idempotency_key: str) -> dict[str, Any]:
    """Return the event; `id` and `source` together name it for good."""
    said = facts(message)
    about = said.get("key") or said.get("ip") or ""
    event = {
        "specversion": "1.0",
        "id": idempotency_key,
        "source": "/keywatch",
        "type": f"keywatch.{message.get('type', '')}",
        "time": said["time"],
        "datacontenttype": "application/json",
        "data": message.get("data", {}),
    }
    return event | ({"subject": about} if about else {})
