"""What the policy in force would have done with the alerts of the last days, were all enabled."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, Text, cast, select

from actions.decide import ALL, decide
from actions.explain import rows
from actions.policy import Policy
from database.schema import alerts
from keystore import query
from keywatch.desk import contract
from vocabulary.alert import Alert
from vocabulary.credential import KnownKey

DAYS = 30
_MOST = 2000


def policy_shown(
    connection: Connection, policy: Policy, enabled: tuple[str, ...], now: float
) -> contract.Policy:
    """Return the policy case by case, each with the keys that it would have met.

    Keys are taken as they are now; of the newest 2000 alerts those of the last 30 days are
    looked at, and none that somebody called a false alarm.
    """
    recent = (
        select(cast(alerts.c.body, Text))
        .where(alerts.c.recorded_at >= now - DAYS * 86_400, alerts.c.feedback != "false")
        .order_by(alerts.c.recorded_at.desc())
        .limit(_MOST)
    )
    decoder = msgspec.json.Decoder(Alert)
    seen = [decoder.decode(body) for body in connection.execute(recent).scalars()]
    found = query.by_ids(connection, {alert.key for alert in seen if alert.key})
    known = {key_id: key.known(now) for key_id, key in found.items()}
    met, counts = _met(seen, known, policy)
    cases = tuple(
        contract.Case(
            **case, hit=tuple(met.get(case["line"], ())), alerts=counts.get(case["line"], 0)
        )
        for case in rows(policy)
    )
    return contract.Policy(
        digest=policy.digest, enabled=enabled, days=DAYS, cases=cases, looked_at=len(seen)
    )


def _met(
    seen: Iterable[Alert], known: dict[str, KnownKey], policy: Policy
) -> tuple[dict[str, dict[str, None]], dict[str, int]]:
    met: dict[str, dict[str, None]] = {}
    counts: dict[str, int] = {}
    for alert in seen:
        decision = decide(alert, known.get(alert.key), policy, ALL)
        met.setdefault(decision.line, {})[alert.key or alert.ip] = None
        counts[decision.line] = counts.get(decision.line, 0) + 1
    return met, counts
