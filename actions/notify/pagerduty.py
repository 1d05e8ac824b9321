"""PagerDuty, by its Events API v2: an incident of ours is one of theirs, and ends with it.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from actions.telling.web import Site
from actions.telling.words import Words, writer_of
from vocabulary.errors import ConfigError

URL = "https://events.pagerduty.com/v2/enqueue"
_SEVERITY = {"low": "info", "medium": "warning", "high": "error", "critical": "critical"}
_ACTION = {"acknowledged": "acknowledge", "resolved": "resolve", "false": "resolve"}
_SUMMARY = 1024
_DETAIL = 2000


def make(options: Mapping[str, Any]) -> "PagerDuty":
    """Return the notifier of a routing key as `secret`.

    Raises:
        ConfigError: when it is missing.
    """
    return PagerDuty(options)


class PagerDuty:
    """Sends to one service's integration."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        where = f"notify.{options.get('name', '')}"
        self._routing_key = options.get("secret", "")
        if not self._routing_key:
            raise ConfigError("PagerDuty needs a routing key as `secret`", where=where)
        self._site = Site(options.get("url") or URL, where)
        self._writer = writer_of(options)

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Trigger, acknowledge or resolve.

        Raises:
            ServiceError: when PagerDuty did not take it.
        """
        del now
        words = self._writer.write(message)
        event: dict[str, Any] = {
            "routing_key": self._routing_key,
            "event_action": _ACTION.get(words.event, "trigger"),
            "dedup_key": words.incident or idempotency_key,
        }
        if event["event_action"] == "trigger":
            event |= _payload(words, message)
        self._site.send(msgspec.json.encode(event), {"Content-Type": "application/json"})


def _payload(words: Words, message: Mapping[str, Any]) -> dict[str, Any]:
    links = [{"href": words.link, "text": "Open"}] if words.link else []
    return {
        "client": "keywatch",
        "links": links,
        "payload": {
            "summary": f"{words.title}: {words.body.partition(chr(10))[0]}"[:_SUMMARY],
            "source": "keywatch",
            "severity": _SEVERITY.get(words.severity, "info"),
            "timestamp": message.get("timestamp", ""),
            "component": words.owner or "unknown",
            "class": str(message.get("type", "")),
            "custom_details": {"text": words.body[:_DETAIL]},
        },
    }
