"""What somebody who is notified gets to read: JSON, the same bytes at every attempt."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from actions.incident import Incident
from keystore import audit
from vocabulary.action import Decision
from vocabulary.alert import Alert, alert_json
from vocabulary.credential import KnownKey
from vocabulary.moments import rfc3339

_LONGEST = 2000


def message_of(
    alert: Alert,
    decision: Decision,
    key: KnownKey | None,
    incident: Incident,
    now: float,
    exposed: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the message about an alert.

    `type`, `timestamp` and `data` as in Standard Webhooks 1.0. The alert holds no secret; what
    an attacker wrote into a log or a path stays text in a JSON string, and is cut when long.
    `exposed` are sentences on exposures of the key; see `actions.exposed`.
    """
    return {
        "type": "incident.opened" if incident.opened else "incident.updated",
        "timestamp": rfc3339(now),
        "data": {
            "incident": about(incident),
            "alert": _mapped(_cut, msgspec.json.decode(alert_json(alert))),
            "decision": decided(decision),
            "key": _about(key),
            "exposures": list(exposed),
        },
    }


def about(incident: Incident) -> dict[str, Any]:
    """Return what every message says of its incident."""
    return {
        "id": incident.id,
        "severity": incident.severity,
        "state": incident.state,
        "subject": incident.subject,
        "summary": _cut(incident.summary),
        "alerts": incident.alerts,
        "action": incident.action,
        "opened_at": rfc3339(incident.opened_at),
    }


def closing_of(
    incident: Incident, key: dict[str, str] | None, actor: str, note: str, now: float
) -> dict[str, Any]:
    """Return the message that tells what a person said of an incident."""
    return {
        "type": f"incident.{incident.state}",
        "timestamp": rfc3339(now),
        "data": {
            "incident": about(incident),
            "by": _cut(actor),
            "note": _cut(note),
            "key": key,
        },
    }


def decided(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON, for records and messages."""
    shown: dict[str, Any] = msgspec.to_builtins(decision)
    return shown


def _about(key: KnownKey | None) -> dict[str, str] | None:
    if key is None:
        return None
    return {"id": key.key_id, "owner": key.owner, "environment": key.environment}


def storable(alert: Alert) -> Alert:
    """Return the alert as every database takes it: hostile text must not stop a revocation."""
    return msgspec.convert(_mapped(audit.storable, msgspec.to_builtins(alert)), Alert)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _mapped(change: Callable[[str], str], value: Any) -> Any:  # noqa: ANN401  (any JSON)
    """Return the JSON value with every string in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _mapped(change, inner) for name, inner in value.items()}
    return [_mapped(change, inner) for inner in value] if isinstance(value, list | tuple) else value
