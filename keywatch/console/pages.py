"""The pages that are looked at: each asks the desk and hands its template what it shows."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.responses import Response

from actions import afterlife
from actions.blast import blast_of
from database import counters
from keystore.query import Filter
from keywatch.console import charts, worldmap
from keywatch.console.drawing import moment
from keywatch.console.visit import Visit
from keywatch.desk import contract, looking
from keywatch.desk import keys as key_views
from keywatch.desk import people as people_views
from keywatch.people.roles import Role

_WEEK_S = 7 * 86_400
_MONTH_S = 30 * 86_400
_ENDPOINTS = 12


def overview(visit: Visit) -> Response:
    """What needs me now."""
    found = visit.desk.overview()
    with visit.desk.reading() as connection:
        going = looking.list_incidents(connection, state="going-on", limit=10)
    parts = {"overview": found, "incidents": going, "chart": charts.days(found.days)}
    return visit.show("overview.html", "Overview", live=True, **parts)


def incidents(visit: Visit) -> Response:
    """The list of incidents; those going on unless another state is asked for."""
    state = visit.asked("state", "going-on", *contract.INCIDENT_STATES)
    if "state" not in visit.request.query_params:
        state = "going-on"
    severity = visit.asked("severity", *contract.SEVERITIES)
    with visit.desk.reading() as connection:
        page = looking.list_incidents(
            connection, state=state, severity=severity, after=visit.asked("after")
        )
    query = urlencode({"state": state, "severity": severity})
    parts = {"page": page, "state": state, "severity": severity, "query": query}
    return visit.show("incidents.html", "Incidents", live=True, **parts)


def incident(visit: Visit) -> Response:
    """One incident with its evidence, actions and timeline."""
    with visit.desk.reading() as connection:
        one = looking.show_incident(connection, visit.about)
    parts = {"may_close": _may(visit, "incidents"), "may_act": _may(visit, "actions")}
    return visit.show("incident.html", f"Incident {one.id}", live=True, one=one, **parts)


def keys(visit: Visit) -> Response:
    """The list of keys."""
    find, state = visit.asked("find"), visit.asked("state", *contract.KEY_STATES)
    with visit.desk.reading() as connection:
        page = key_views.list_keys(
            connection,
            visit.desk.clock(),
            Filter(state=state),
            find=find,
            after=visit.asked("after"),
        )
    query = urlencode({"find": find, "state": state})
    return visit.show("keys.html", "Keys", page=page, find=find, state=state, query=query)


def key(visit: Visit) -> Response:
    """One key: its life, use, profile, and what happened to it."""
    desk, key_id = visit.desk, visit.about
    shown = desk.key(key_id)
    profile = _profile(visit, key_id)
    now = desk.clock()
    is_over = shown.state == "revoked"
    with desk.reading() as connection:
        tried = afterlife.still_tried(connection, now - _MONTH_S, key_id) if is_over else []
        blast = blast_of(connection, key_id, now, _called(profile)).sentence()
        used = key_views.use_of(connection, key_id, now - _WEEK_S).items
        parts: dict[str, Any] = {
            "budgets": key_views.budgets_of(connection, key_id, now).items,
            "incidents": looking.list_incidents(connection, subject=key_id, limit=10),
            "actions": looking.list_actions(connection, key=key_id, limit=20),
            "findings": looking.list_findings(connection, key=key_id, limit=20),
            "history": looking.list_audit(connection, subject=key_id, limit=30).items
            if visit.person.may("audit:read")
            else (),
        }
    hours = _hours(used, now)
    chart = charts.use(hours, _usual(hours, profile, shown.tz)) if used else ""
    return visit.show(
        "key.html",
        f"Key {key_id}",
        live=True,
        key=shown,
        profile=profile,
        heat=charts.week(profile["hours"]["week"]) if profile else "",
        places=_places(profile) if profile else [],
        endpoints=profile["endpoints"]["named"][:_ENDPOINTS] if profile else [],
        world=worldmap.world(profile["countries"]) if profile else "",
        use_chart=chart,
        blast=blast,
        tried=tried[0].sentence() if tried else "",
        facts=list(_facts(shown)),
        may_change=_may(visit, "keys"),
        may_act=_may(visit, "actions"),
        may_rotate=visit.person.may("keys:rotate") and shown.kind == "key",
        may_force=visit.person.may("keys:force"),
        **parts,
    )


def actions(visit: Visit) -> Response:
    """What was done, and what waits for somebody."""
    state = visit.asked("state", *contract.ACTION_STATES)
    before = _row(visit.asked("before"))
    with visit.desk.reading() as connection:
        page = looking.list_actions(
            connection, state=state, notifications=state == "dead", before=before, limit=100
        )
    parts = {"page": page, "state": state, "query": urlencode({"state": state})}
    may = _may(visit, "actions")
    return visit.show("actions.html", "Actions", live=not before, may_act=may, **parts)


def leaks(visit: Visit) -> Response:
    """Leaked secrets by place."""
    source = visit.asked("source")
    with visit.desk.reading() as connection:
        page = looking.list_findings(connection, source=source, after=visit.asked("after"))
        places = looking.leak_places(connection).items
    query = urlencode({"source": source})
    parts = {"page": page, "places": places, "source": source, "query": query}
    return visit.show("leaks.html", "Leaks", **parts)


def leak(visit: Visit) -> Response:
    """One leak, and what to do about it."""
    with visit.desk.reading() as connection:
        one = looking.show_finding(connection, visit.about)
    return visit.show("leak.html", f"Leak {one.fingerprint}", one=one)


def sources(visit: Visit) -> Response:
    """Where events come from, and what of them was lost."""
    source = visit.asked("source")
    with visit.desk.reading() as connection:
        page = looking.list_sources(connection, visit.desk.clock())
        letters = looking.list_dead_letters(connection, source=source, limit=30)
        lag_s = counters.all_of(connection).get("lag_ms", 0) / 1000
    parts = {"page": page, "letters": letters, "source": source, "lag_s": lag_s}
    return visit.show("sources.html", "Sources", **parts)


def policy(visit: Visit) -> Response:
    """The policy, and what it would have done."""
    return visit.show("policy.html", "Policy", policy=visit.desk.policy())


def audit(visit: Visit) -> Response:
    """The audit log."""
    subject, actor = visit.asked("subject"), visit.asked("actor")
    before = _row(visit.asked("before"))
    with visit.desk.reading() as connection:
        page = looking.list_audit(connection, subject=subject, actor=actor, before=before)
    query = urlencode({"subject": subject, "actor": actor})
    parts = {"page": page, "subject": subject, "actor": actor, "query": query}
    return visit.show("audit.html", "Audit log", **parts)


def people(visit: Visit) -> Response:
    """Accounts and tokens."""
    with visit.desk.reading() as connection:
        accounts = people_views.list_users(connection).items
        held = people_views.list_tokens(connection, visit.desk.clock()).items
    parts = {"accounts": accounts, "tokens": held, "roles": [one.value for one in Role]}
    return visit.show("people.html", "People", **parts)


def _row(before: str) -> int:
    """Return the number of the row of which the page before was the end; 0 for none."""
    return int(before) if before.isascii() and before.isdigit() and len(before) < 16 else 0  # noqa: PLR2004


def _may(visit: Visit, thing: str) -> bool:
    return visit.person.may(f"{thing}:write")


def _profile(visit: Visit, key_id: str) -> dict[str, Any] | None:
    try:
        return visit.desk.profile(key_id)
    except looking.MissingError:
        return None


def _hours(used: tuple[contract.Use, ...], now: float) -> list[tuple[str, int, int]]:
    """Return the last week hour by hour, those without use too."""
    known = {use.hour[:13]: use for use in used}
    last = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
    hours = []
    for back in range(167, -1, -1):
        at = f"{last - timedelta(hours=back):%Y-%m-%dT%H}"
        use = known.get(at)
        hours.append((f"{at}:00Z", use.requests if use else 0, use.refused if use else 0))
    return hours


def _usual(
    hours: list[tuple[str, int, int]], profile: Mapping[str, Any] | None, tz: str
) -> list[float]:
    """Return what is usual in each of the hours, on the clock of the key's owner."""
    if profile is None:
        return []
    try:
        zone = ZoneInfo(tz or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    per_hour = profile["rate"]["per_hour"]
    usual = []
    for at, _, _ in hours:
        local = datetime.fromisoformat(at).astimezone(zone)
        kind = "weekend" if local.weekday() >= 5 else "weekday"  # noqa: PLR2004
        usual.append(float(per_hour[kind][local.hour]))
    return usual


def _places(profile: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the key is used from, in one list."""
    rows = []
    for kind, names in (("network", "networks"), ("country", "countries"), ("prefix", "prefixes")):
        for one in profile[names][:12]:
            said = str(one.get("kind") or (kind if kind != "network" else ""))
            name = str(one[kind])
            rows.append({**one, "name": worldmap.names().get(name, name), "kind": said})
    return rows


def _called(profile: Mapping[str, Any] | None) -> list[str]:
    return [one["endpoint"] for one in profile["endpoints"]["named"]] if profile else []


def _when(at: object) -> str:
    return f"{moment(str(at))} UTC" if at else ""


def _facts(key: contract.Key) -> list[tuple[str, str]]:
    """Return what is said of a key, without what it lacks."""
    listed = {
        "scopes": key.scopes,
        "networks": key.networks,
        "endpoints": key.endpoints,
        "models": key.models,
        "must come with": key.requires,
        "limits": key.limits,
    }
    said = {
        "kind": key.kind,
        "class": key.class_,
        "account": key.account,
        "plan": key.plan,
        "time zone": key.tz,
        **{name: ", ".join(values) for name, values in listed.items()},
        "tokens": ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in key.tokens.items() if n),
        "lives in": f"{key.store} as {key.external_id}" if key.store else "",
        "made": _when(key.created_at),
        "last used": _when(key.last_used_at) or "never",
        "expires": _when(key.expires_at) or "never",
        "deprecated": _when(key.deprecated_at),
        "grace until": _when(key.grace_until),
        "suspended until": _when(key.suspended_until),
        "throttled until": _when((key.throttle or {}).get("until")),
        "replaces": key.rotated_from or "",
        "replaced by": key.rotated_to or "",
    }
    return [(name, value) for name, value in said.items() if value]
