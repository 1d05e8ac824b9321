"""Elastic Common Schema, to a file, an address or a Kafka topic.

https://www.elastic.co/docs/reference/ecs
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from actions.telling.facts import facts
from actions.telling.sink import sink_of

_SEVERITY = {"low": 21, "medium": 47, "high": 73, "critical": 99}
_ENDS = {"resolved", "false"}


def make(options: Mapping[str, Any]) -> "Ecs":
    """Return the notifier of a `url`; see `sink_of`."""
    return Ecs(options)


class Ecs:
    """Puts documents into one sink."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._sink = sink_of(options, "application/json; charset=utf-8")

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Put the message."""
        del now
        document = document_of(message, idempotency_key)
        about = document["labels"].get("key", "")
        self._sink.put(msgspec.json.encode(document), about, idempotency_key)


def document_of(message: Mapping[str, Any], idempotency_key: str) -> dict[str, Any]:
    """Return the document."""
    said = facts(message)
    names = ("incident", "key", "environment", "state", "policy", "line", "guard")
    labels = {name: said[name] for name in names if said.get(name)}
    document: dict[str, Any] = {
        "@timestamp": said["time"],
        "ecs": {"version": "8.17.0"},
        "message": said.get("summary", ""),
        "event": {
            "kind": "alert",
            "category": ["iam", "intrusion_detection"],
            "type": ["end"] if said.get("event") in _ENDS else ["info"],
            "dataset": "keywatch.incidents",
            "module": "keywatch",
            "action": str(message.get("type", "")),
            "id": idempotency_key,
            "severity": _SEVERITY.get(said.get("severity", ""), 21),
            "reason": said.get("evidence", ""),
        },
        "rule": {"name": said.get("kind", ""), "category": said.get("family", "")},
        "labels": labels,
        "observer": {"product": "keywatch", "type": "ids"},
    }
    if said.get("owner"):
        document["user"] = {"name": said["owner"]}
    if said.get("ip"):
        document |= {"source": {"ip": said["ip"]}, "related": {"ip": [said["ip"]]}}
    return document
