"""A message of the outbox → what a template may name. Pure, and for any JSON object."""

from collections.abc import Mapping
from typing import Any

FIELDS = (
    "what", "event", "summary", "severity", "state", "incident", "alerts", "since", "key", "owner",
    "environment", "ip", "kind", "family", "evidence", "events", "action", "done", "todo", "line",
    "policy", "guard", "by", "note", "time", "exposed",
)  # fmt: skip

_TITLES = {
    "opened": "an API key is in trouble",
    "updated": "the trouble with an API key has grown",
    "acknowledged": "somebody is on it",
    "resolved": "it is over",
    "false": "it was a false alarm",
}
_SHOWN = 20


def facts(message: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of a message; texts are as they came.

    Args:
        message: `incident.…`, `key.…` or `digest`, of the outbox.
    """
    kind, _, event = str(message.get("type", "")).partition(".")
    found: dict[str, Any] = {"time": message.get("timestamp", "")}
    data = _table(message.get("data"))
    if kind == "digest":
        found |= _of_digest(data)
    elif kind == "key":
        found |= _of_key(event, data)
    else:
        found |= _of_incident(event, data)
    return {name: "" if value is None else str(value) for name, value in found.items()}


def _of_incident(event: str, data: Mapping[str, Any]) -> dict[str, Any]:
    names = ("incident", "alert", "key", "decision")
    incident, alert, key, decision = (_table(data.get(name)) for name in names)
    subject = str(incident.get("subject", ""))
    return {
        "event": event,
        "what": _TITLES.get(event, "about an API key"),
        "summary": alert.get("summary") or incident.get("summary"),
        "severity": incident.get("severity"),
        "state": incident.get("state"),
        "incident": incident.get("id"),
        "alerts": incident.get("alerts"),
        "since": incident.get("opened_at"),
        "key": key.get("id") or ("" if subject.startswith("ip:") else subject),
        "owner": key.get("owner"),
        "environment": key.get("environment"),
        "ip": alert.get("ip") or (subject[3:] if subject.startswith("ip:") else ""),
        "kind": alert.get("kind"),
        "family": alert.get("family"),
        "evidence": _evidence(alert),
        "exposed": _exposed(data),
        "events": _events(alert),
        "action": decision.get("action"),
        "done": _done(decision),
        "todo": _todo(alert, decision),
        "line": decision.get("line"),
        "policy": decision.get("policy"),
        "guard": decision.get("guard"),
        "by": data.get("by"),
        "note": data.get("note"),
    }


def _of_key(event: str, data: Mapping[str, Any]) -> dict[str, Any]:
    reason = data.get("reason")
    return {
        "event": "key",
        "what": f"{event} of an API key",
        "summary": f"{event} by {data.get('actor')}" + (f": {reason}" if reason else ""),
        "severity": "low",
        "key": data.get("key"),
        "by": data.get("actor"),
        "note": reason,
    }


def _of_digest(data: Mapping[str, Any]) -> dict[str, Any]:
    messages = data.get("messages")
    tables = messages if isinstance(messages, list) else []
    lines = [_line(one) for one in tables if isinstance(one, dict)]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return {
        "event": "digest",
        "what": f"{data.get('count', len(lines))} messages that could wait",
        "summary": "; ".join(lines[:_SHOWN] + more),
        "severity": data.get("severity", "low"),
        "since": data.get("since"),
    }


def _line(message: Mapping[str, Any]) -> str:
    said = facts(message)
    about = said.get("key") or said.get("ip") or ""
    short = said.get("summary", "")[:120]
    return f"{said.get('severity')} {said.get('event')} {about}: {short}"


def _evidence(alert: Mapping[str, Any]) -> str:
    rows = alert.get("evidence")
    tables = [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []
    return "; ".join(
        f"{one.get('detector')} saw {one.get('observed')}, expected {one.get('expected')}"
        for one in tables
    )


def _exposed(data: Mapping[str, Any]) -> str:
    stood = data.get("exposures")
    return " / ".join(str(one) for one in stood) if isinstance(stood, list) else ""


def _events(alert: Mapping[str, Any]) -> str:
    span = alert.get("events")
    if not isinstance(span, list | tuple) or len(span) != 3:  # noqa: PLR2004
        return ""
    return f"{span[2]} from {span[0]} to {span[1]}"


def _done(decision: Mapping[str, Any]) -> str:
    if not decision:
        return ""
    action = decision.get("action", "none")
    if action == "none":
        return "nothing; it is written down"
    words = {
        "throttle": f"let through at {decision.get('rate_per_min')} requests a minute",
        "suspend": "let nothing through",
        "rotate": "let it work for a grace only",
        "reissue": "let nothing through until its owner has replaced it",
        "revoke": "ended it for good",
    }
    lasts_s = float(decision.get("duration_s") or 0)
    said = words.get(action, str(action)) + (f", for {_duration(lasts_s)}" if lasts_s else "")
    if decision.get("dry_run"):
        return f"nothing yet, this action is not switched on; it would have: {said}"
    return f"waits for a person to approve: {said}" if decision.get("held") else said


def _todo(alert: Mapping[str, Any], decision: Mapping[str, Any]) -> str:
    if not alert:
        return ""
    steps = []
    if alert.get("kind") in {"leak", "exposed-in-log"}:
        steps.append("take the key out of where it stands, and out of its history")
    acts = decision.get("action") in {"rotate", "reissue", "revoke"}
    if acts or steps:
        steps.append("make a new key, put it where the old one is used")
    if not acts:
        steps.append("if this was you, say so to your security team; if not, rotate the key")
    return "; ".join(steps)


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
