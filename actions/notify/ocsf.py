"""OCSF 1.3, class Detection Finding (2004), to a file, an address or a Kafka topic.

https://schema.ocsf.io/1.3.0/classes/detection_finding
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from actions.telling.facts import facts
from actions.telling.sink import sink_of
from vocabulary.moments import moment_of

_SEVERITY = {"low": 2, "medium": 3, "high": 4, "critical": 5}
_CREATE, _UPDATE, _CLOSE = 1, 2, 3
_ACTIVITY = {"opened": _CREATE, "resolved": _CLOSE, "false": _CLOSE}
_STATUS = {"acknowledged": (2, "In Progress"), "contained": (2, "In Progress"),
           "false": (3, "Suppressed"), "resolved": (4, "Resolved")}  # fmt: skip
_CLASS = 2004


def make(options: Mapping[str, Any]) -> "Ocsf":
    """Return the notifier of a `url`; see `sink_of`."""
    return Ocsf(options)


class Ocsf:
    """Puts findings into one sink."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._sink = sink_of(options, "application/json; charset=utf-8")

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Put the message."""
        del now
        finding = finding_of(message, idempotency_key)
        about = finding["resources"][0]["uid"] if finding["resources"] else ""
        self._sink.put(msgspec.json.encode(finding), about, idempotency_key)


def finding_of(message: Mapping[str, Any], idempotency_key: str) -> dict[str, Any]:
    """Return the finding."""
    said = facts(message)
    activity = _ACTIVITY.get(said.get("event", ""), _UPDATE)
    status_id, status = _STATUS.get(said.get("state", ""), (1, "New"))
    severity = said.get("severity") or "low"
    return {
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": ("Create", "Update", "Close")[activity - 1],
        "type_uid": _CLASS * 100 + activity,
        "time": _ms(said["time"]),
        "severity_id": _SEVERITY.get(severity, 2),
        "severity": severity.capitalize(),
        "status_id": status_id,
        "status": status,
        "message": said.get("summary", ""),
        "metadata": {
            "version": "1.3.0",
            "uid": idempotency_key,
            "product": {
                "name": "keywatch",
                "vendor_name": "keywatch",
                "version": version("keywatch"),
            },
        },
        "finding_info": {
            "uid": said.get("incident") or idempotency_key,
            "title": said["what"],
            "desc": said.get("summary", ""),
            "types": [said["kind"]] if said.get("kind") else [],
            "created_time": _ms(said.get("since") or said["time"]),
        },
        "resources": _resources(said),
        "evidences": [{"data": _evidence(message)}],
        "unmapped": {"action": said.get("action", ""), "policy_line": said.get("line", "")},
    }


def _resources(said: Mapping[str, str]) -> list[dict[str, Any]]:
    about = said.get("key") or said.get("ip")
    if not about:
        return []
    kind = "API key" if said.get("key") else "IP address"
    owner = {"owner": {"name": said["owner"]}} if said.get("owner") else {}
    return [{"uid": about, "type": kind, **owner}]


def _evidence(message: Mapping[str, Any]) -> dict[str, Any]:
    data = message.get("data")
    alert = data.get("alert") if isinstance(data, dict) else None
    return alert if isinstance(alert, dict) else {}


def _ms(moment: str) -> int:
    return round(moment_of(moment, 0.0) * 1000) if moment else 0
