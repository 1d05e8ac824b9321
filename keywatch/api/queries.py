"""What may be asked for with each operation that reads."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from keywatch.desk.paging import MOST

Id = Annotated[str, Meta(max_length=256)]
Limit = Annotated[int, Meta(ge=1, le=MOST)]
After = Annotated[str, Meta(max_length=400, description="`next` of the page before")]
Before = Annotated[int, Meta(ge=0, le=2**53, description="only rows before this one")]
_Severity = Literal["", "low", "medium", "high", "critical"]


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters of a list."""

    limit: Limit = 50


class IncidentQuery(Query, frozen=True):
    """Which incidents."""

    state: Literal["", "going-on", "open", "acknowledged", "contained", "resolved", "false"] = ""
    severity: _Severity = ""
    subject: Id = ""
    after: After = ""


class AlertQuery(Query, frozen=True):
    """Which alerts."""

    key: Id = ""
    severity: _Severity = ""
    new: Annotated[bool, Meta(description="only those that nobody has judged")] = False
    after: After = ""


class KeyQuery(Query, frozen=True):
    """Which keys."""

    find: Annotated[Id, Meta(description="beginning of an id, or a whole owner")] = ""
    state: Literal["", "active", "deprecated", "revoked", "expired"] = ""
    owner: Id = ""
    environment: Id = ""
    after: After = ""


class FindingQuery(Query, frozen=True):
    """Which leaks."""

    key: Id = ""
    source: Annotated[Id, Meta(description="a repository, or another place")] = ""
    after: After = ""


class ActionQuery(Query, frozen=True):
    """Which actions."""

    key: Id = ""
    state: Literal[
        "",
        "waiting",
        "leased",
        "held",
        "kept",
        "scheduled",
        "done",
        "dead",
        "dry_run",
        "undone",
        "rejected",
        "skipped",
    ] = ""
    notifications: bool = False
    before: Before = 0


class SourceQuery(Query, frozen=True):
    """Of which source."""

    source: Id = ""


class UseQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of how many days."""

    days: Annotated[int, Meta(ge=1, le=400)] = 7


class AuditQuery(Query, frozen=True):
    """Which rows of the audit log."""

    subject: Id = ""
    actor: Id = ""
    before: Before = 0
