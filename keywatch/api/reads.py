"""The operations that read: what each asks the desk, and how the document tells of it."""

from typing import Any

import msgspec

from keystore.query import Filter
from keywatch.api import queries
from keywatch.api.operation import Asked, Operation
from keywatch.desk import contract, looking, people
from keywatch.desk import keys as key_views


def reads() -> list[Operation]:
    """Return the operations in the order in which the document tells them."""

    def read(
        name: str,
        path: str,
        scope: str,
        summary: str,
        answer: Any,  # noqa: ANN401
        call: Any,  # noqa: ANN401
        **more: Any,  # noqa: ANN401
    ) -> Operation:
        return Operation(name, "GET", path, scope, summary, answer, call, **more)

    page = contract.Page
    return [
        read("me", "/me", "", "Who asks, and what they may do.", contract.Me, _me),
        read(
            "overview",
            "/overview",
            "status:read",
            "What needs somebody now, and how it goes.",
            contract.Overview,
            _overview,
        ),
        read(
            "list_incidents",
            "/incidents",
            "incidents:read",
            "Incidents, the ones that changed last first.",
            page[contract.Incident],
            _incidents,
            query=queries.IncidentQuery,
            views="incidents",
        ),
        read(
            "show_incident",
            "/incidents/{id}",
            "incidents:read",
            "An incident with its alerts, actions and timeline.",
            contract.IncidentDetail,
            _incident,
            views="incident {id}",
        ),
        read(
            "list_alerts",
            "/alerts",
            "alerts:read",
            "Alerts, the newest first.",
            page[contract.Alert],
            _alerts,
            query=queries.AlertQuery,
            views="alerts",
        ),
        read(
            "show_alert",
            "/alerts/{id}",
            "alerts:read",
            "An alert, what was decided about it and what was done.",
            contract.AlertDetail,
            _alert,
            views="alert {id}",
        ),
        read(
            "list_keys",
            "/keys",
            "keys:read",
            "Keys and other identities, the newest first.",
            page[contract.Key],
            _keys,
            query=queries.KeyQuery,
        ),
        read("show_key", "/keys/{id}", "keys:read", "How a key stands.", contract.Key, _key),
        read(
            "show_profile",
            "/keys/{id}/profile",
            "keys:read",
            "What the detectors know of a key: as `keywatch keys profile --json`.",
            dict[str, Any],
            _profile,
            views="profile of {id}",
        ),
        read(
            "show_use",
            "/keys/{id}/use",
            "keys:read",
            "How much a key was used, hour by hour.",
            page[contract.Use],
            _use,
            query=queries.UseQuery,
            views="use of {id}",
        ),
        read(
            "show_budgets",
            "/keys/{id}/budgets",
            "keys:read",
            "What AI tokens a key may spend, and has spent.",
            page[contract.Budget],
            _budgets,
            views="use of {id}",
        ),
        read(
            "list_findings",
            "/findings",
            "findings:read",
            "Leaked secrets, redacted, the ones seen last first.",
            page[contract.Finding],
            _findings,
            query=queries.FindingQuery,
            views="findings",
        ),
        read(
            "list_leak_places",
            "/leak-places",
            "findings:read",
            "Repositories and other places with leaks, the newest leak first.",
            page[contract.LeakPlace],
            _leak_places,
            query=queries.Query,
            views="findings",
        ),
        read(
            "show_finding",
            "/findings/{id}",
            "findings:read",
            "A leaked secret, redacted, and what to do about it.",
            contract.FindingDetail,
            _finding,
            views="findings",
        ),
        read(
            "list_actions",
            "/actions",
            "actions:read",
            "What was done to keys, the newest first.",
            page[contract.Action],
            _actions,
            query=queries.ActionQuery,
        ),
        read(
            "show_action",
            "/actions/{id}",
            "actions:read",
            "All that is known of an action.",
            contract.ActionDetail,
            _action,
        ),
        read(
            "list_sources",
            "/sources",
            "sources:read",
            "Where events come from, and how far they were read.",
            page[contract.Source],
            _sources,
        ),
        read(
            "list_dead_letters",
            "/dead-letters",
            "sources:read",
            "Lines that were no events, redacted, the newest first.",
            page[contract.DeadLetter],
            _dead_letters,
            query=queries.SourceQuery,
            views="dead letters",
        ),
        read(
            "show_policy",
            "/policy",
            "policy:read",
            "The policy, and which keys each case would have met lately.",
            contract.Policy,
            _policy,
        ),
        read(
            "list_audit",
            "/audit",
            "audit:read",
            "The audit log, the newest row first.",
            page[contract.AuditRow],
            _audit,
            query=queries.AuditQuery,
            views="audit log",
        ),
        read(
            "list_users",
            "/users",
            "people:read",
            "Accounts, by name.",
            page[contract.Account],
            _users,
            views="people",
        ),
        read(
            "list_tokens",
            "/tokens",
            "people:read",
            "Tokens of programs, the newest first; never what their holders show.",
            page[contract.Token],
            _tokens,
            views="people",
        ),
    ]


def _me(asked: Asked) -> contract.Me:
    person = asked.person
    return contract.Me(actor=person.actor, role=person.role, scopes=tuple(sorted(person.scopes)))


def _overview(asked: Asked) -> contract.Overview:
    return asked.desk.overview()


def _incidents(asked: Asked) -> contract.Page[contract.Incident]:
    with asked.desk.reading() as connection:
        return looking.list_incidents(connection, **_fields(asked))


def _incident(asked: Asked) -> contract.IncidentDetail:
    with asked.desk.reading() as connection:
        return looking.show_incident(connection, asked.at)


def _alerts(asked: Asked) -> contract.Page[contract.Alert]:
    fields = _fields(asked)
    feedback = "" if fields.pop("new") else None
    with asked.desk.reading() as connection:
        return looking.list_alerts(connection, feedback=feedback, **fields)


def _alert(asked: Asked) -> contract.AlertDetail:
    with asked.desk.reading() as connection:
        return looking.show_alert(connection, asked.at)


def _keys(asked: Asked) -> contract.Page[contract.Key]:
    query = asked.query
    wanted = Filter(owner=query.owner, state=query.state, environment=query.environment)
    paging = {"find": query.find, "after": query.after, "limit": query.limit}
    with asked.desk.reading() as connection:
        return key_views.list_keys(connection, asked.desk.clock(), wanted, **paging)


def _key(asked: Asked) -> contract.Key:
    return asked.desk.key(asked.at)


def _profile(asked: Asked) -> dict[str, Any]:
    return asked.desk.profile(asked.at)


def _use(asked: Asked) -> contract.Page[contract.Use]:
    asked.desk.key(asked.at)
    since = asked.desk.clock() - asked.query.days * 86_400
    with asked.desk.reading() as connection:
        return key_views.use_of(connection, asked.at, since)


def _budgets(asked: Asked) -> contract.Page[contract.Budget]:
    with asked.desk.reading() as connection:
        return key_views.budgets_of(connection, asked.at, asked.desk.clock())


def _findings(asked: Asked) -> contract.Page[contract.Finding]:
    with asked.desk.reading() as connection:
        return looking.list_findings(connection, **_fields(asked))


def _leak_places(asked: Asked) -> contract.Page[contract.LeakPlace]:
    with asked.desk.reading() as connection:
        return looking.leak_places(connection, asked.query.limit)


def _finding(asked: Asked) -> contract.FindingDetail:
    with asked.desk.reading() as connection:
        return looking.show_finding(connection, asked.at)


def _actions(asked: Asked) -> contract.Page[contract.Action]:
    with asked.desk.reading() as connection:
        return looking.list_actions(connection, **_fields(asked))


def _action(asked: Asked) -> contract.ActionDetail:
    if not (asked.at.isascii() and asked.at.isdigit() and len(asked.at) < 16):  # noqa: PLR2004
        raise looking.MissingError(f"there is no action {asked.at!r}")
    with asked.desk.reading() as connection:
        return looking.show_action(connection, int(asked.at))


def _sources(asked: Asked) -> contract.Page[contract.Source]:
    with asked.desk.reading() as connection:
        return looking.list_sources(connection, asked.desk.clock())


def _dead_letters(asked: Asked) -> contract.Page[contract.DeadLetter]:
    with asked.desk.reading() as connection:
        return looking.list_dead_letters(connection, **_fields(asked))


def _policy(asked: Asked) -> contract.Policy:
    return asked.desk.policy()


def _audit(asked: Asked) -> contract.Page[contract.AuditRow]:
    with asked.desk.reading() as connection:
        return looking.list_audit(connection, **_fields(asked))


def _users(asked: Asked) -> contract.Page[contract.Account]:
    with asked.desk.reading() as connection:
        return people.list_users(connection)


def _tokens(asked: Asked) -> contract.Page[contract.Token]:
    with asked.desk.reading() as connection:
        return people.list_tokens(connection, asked.desk.clock())


def _fields(asked: Asked) -> dict[str, Any]:
    return msgspec.structs.asdict(asked.query)
