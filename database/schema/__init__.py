"""Every table of the one database, for SQLite and PostgreSQL alike.

Times are epoch seconds (REAL) unless a name ends in `_ms`. Secrets are in no column: keys are
known by their hashes.
"""

from database.schema.base import metadata
from database.schema.keystore import (
    accounts,
    audit,
    budgets,
    changes,
    denials,
    imports,
    keys,
    organisations,
    plans,
    usage,
)
from database.schema.people import (
    api_tokens,
    logins,
    sessions,
    users,
)
from database.schema.pipeline import (
    counters,
    dead_letters,
    deliveries,
    endpoint_names,
    failures,
    findings,
    positions,
    profile_deltas,
    profiles,
    read_objects,
    repo_events,
    side_inputs,
)
from database.schema.response import (
    alerts,
    incidents,
    lessons,
    outbox,
)

__all__ = [
    "accounts",
    "alerts",
    "api_tokens",
    "audit",
    "budgets",
    "changes",
    "counters",
    "dead_letters",
    "deliveries",
    "denials",
    "endpoint_names",
    "failures",
    "findings",
    "imports",
    "incidents",
    "keys",
    "lessons",
    "logins",
    "metadata",
    "organisations",
    "outbox",
    "plans",
    "positions",
    "profile_deltas",
    "profiles",
    "read_objects",
    "repo_events",
    "sessions",
    "side_inputs",
    "usage",
    "users",
]
