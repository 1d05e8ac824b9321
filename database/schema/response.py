"""Tables of what is done about it: incidents, alerts, what people said of them, the outbox."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
)

from database.schema.base import Serial, metadata

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False, index=True),
    # open, acknowledged, contained, resolved or false
    Column("state", Text, nullable=False),
    # the worst so far
    Column("severity", Text, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    # of the key, when the newest alert came
    Column("owner", Text, nullable=False, server_default=""),
    Column("environment", Text, nullable=False, server_default=""),
    # of the worst alert
    Column("summary", Text, nullable=False, server_default=""),
    Column("alerts", Integer, nullable=False, server_default="0"),
    # the strongest so far, and the decision that it comes from
    Column("action", Text, nullable=False, server_default="none"),
    Column("decision", JSON, nullable=False, server_default="{}"),
    Index("ix_incidents_newest", "updated_at", "id"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident_id", Text, ForeignKey("incidents.id"), nullable=True, index=True),
    Column("ts", Float, nullable=False, index=True),
    Column("subject", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    # the alert as its JSON contract says
    Column("body", JSON, nullable=False),
    # what was decided, by which line of the policy, and what a guard changed
    Column("decision", JSON, nullable=False),
    # "", acknowledged, false or confirmed
    Column("feedback", Text, nullable=False, server_default=""),
    Column("recorded_at", Float, nullable=False),
    Index("ix_alerts_newest", "recorded_at", "id"),
)

lessons = Table(
    "lessons",
    metadata,
    # what people said of alerts, until the pipeline has taken it into the keys' profiles
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("alert_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    # acknowledged, false or confirmed
    Column("verdict", Text, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("idempotency_key", Text, nullable=False, unique=True),
    Column("alert_id", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    # "effect", or the name of who is notified: rows of one subject and lane go in order of id
    Column("lane", Text, nullable=False),
    # throttle, suspend, rotate, reissue, revoke, restore, undo or notify
    Column("effect", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    # waiting, leased, held (needs a person), kept (for a digest), scheduled (for later), done,
    # dead, dry_run, undone, rejected or skipped (did not follow)
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("lease_owner", Text, nullable=False, server_default=""),
    Column("lease_until", Float, nullable=False, server_default="0"),
    Column("created_at", Float, nullable=False),
    Column("done_at", Float, nullable=True),
    # what the effect reported, and what undoes it
    Column("result", JSON, nullable=True),
    Column("error", Text, nullable=False, server_default=""),
    Index("ix_outbox_due", "state", "not_before"),
    Index("ix_outbox_order", "subject", "lane", "state", "id"),
    Index("ix_outbox_recent", "lane", "created_at"),
)
