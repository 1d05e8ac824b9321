"""From an alert to what is written down about it, in one call and one transaction."""

from msgspec.structs import replace
from sqlalchemy import Connection

from actions import trail
from actions.blast import Called, nobody_knows
from actions.brakes import Situation, braked
from actions.decide import decide
from actions.hook import Hook
from actions.incident import subject_of, weighed
from actions.leaks import epoch_s
from actions.outbox import record
from actions.policy import Policy
from vocabulary.alert import Alert
from vocabulary.credential import KnownKey


def respond(  # noqa: PLR0913, PLR0917  (what it is made of)
    connection: Connection,
    alert: Alert,
    key: KnownKey | None,
    policy: Policy,
    enabled: frozenset[str],
    now: float,
    hook: Hook | None = None,
    called: Called = nobody_knows,
) -> Alert:
    """Weigh an alert against what came before, decide, brake, and record.

    Args:
        connection: in the transaction that also holds what led to the alert.
        alert: what a detector or the scanner says.
        key: what the key store knows of the alert's key; None when it knows nothing.
        policy: which case leads to which action.
        enabled: actions that may be carried out; the others are recorded as dry run.
        now: epoch seconds, of the machine's clock.
        hook: the user's own say in decisions; see `actions.hook`.
        called: key id → the endpoints that it calls, for the blast radius.

    Returns:
        The alert with its weight and with what was decided.
    """
    alert = weighed(connection, alert)
    decision = decide(alert, key, policy, enabled, hook)
    source = alert.ip if alert.key else ""
    began_at = epoch_s(alert.events.first)
    situation = Situation(subject_of(alert), alert.kind, source, key, began_at, alert.severity)
    decision = braked(connection, decision, situation, policy.guards, now)
    window_s = policy.incident_window_s or 1.0
    trail.adopted(connection, policy.digest, policy.text, now)
    record(connection, alert, decision, key, now, incident_window_s=window_s, called=called)
    return replace(alert, action=decision.action.value, dry_run=decision.dry_run)
