"""Every table of the one database, for SQLite and PostgreSQL alike.

Times are epoch seconds (REAL) unless a name ends in `_ms`. Secrets are in no column: keys are
known by their hashes.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Serial = BigInteger().with_variant(Integer, "sqlite")

organisations = Table(
    "organisations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # lists of limits such as 600/min:50, for each key, for each account, for all together
    Column("key_limits", JSON, nullable=False),
    Column("account_limits", JSON, nullable=False),
    Column("plan_limits", JSON, nullable=False),
    # of each key that has no budget of its own
    Column("tokens_per_min", BigInteger, nullable=True),
    Column("tokens_per_day", BigInteger, nullable=True),
    Column("tokens_per_month", BigInteger, nullable=True),
    Column("created_at", Float, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("owner", Text, nullable=False, server_default=""),
    Column("organisation_id", Text, ForeignKey("organisations.id"), nullable=True, index=True),
    Column("plan_id", Text, ForeignKey("plans.id"), nullable=True, index=True),
    # overlays over each of its keys
    Column("throttle_per_min", Integer, nullable=True),
    Column("throttle_until", Float, nullable=True),
    Column("suspended", Boolean, nullable=False, server_default=false()),
    Column("suspended_until", Float, nullable=True),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    # key, oauth-client, token or certificate
    Column("kind", Text, nullable=False, server_default="key"),
    # hex; what of is said by `pepper_id`: "" for the SHA-256 of the full key, "public-id" for
    # one of the public id alone, "name" for one of an identity's kind and name, else the HMAC of
    # an imported low-entropy key under that pepper
    Column("hash", Text, nullable=False, unique=True),
    Column("pepper_id", Text, nullable=False, server_default=""),
    Column("public_id", Text, nullable=False, server_default="", index=True),
    Column("prefix", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("publishable", Boolean, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("owner", Text, nullable=False, server_default=""),
    Column("account_id", Text, ForeignKey("accounts.id"), nullable=True, index=True),
    Column("key_class", Text, nullable=False, server_default=""),
    Column("tz", Text, nullable=False, server_default=""),
    Column("scopes", JSON, nullable=False),
    # what narrows it; an empty list narrows nothing
    Column("networks", JSON, nullable=False, server_default="[]"),
    Column("endpoints", JSON, nullable=False, server_default="[]"),
    Column("models", JSON, nullable=False, server_default="[]"),
    # what must come with it: token, certificate
    Column("requires", JSON, nullable=False, server_default="[]"),
    # instead of its account's
    Column("plan_id", Text, ForeignKey("plans.id"), nullable=True, index=True),
    # instead of its plan's
    Column("limits", JSON, nullable=False, server_default="[]"),
    Column("tokens_per_min", BigInteger, nullable=True),
    Column("tokens_per_day", BigInteger, nullable=True),
    Column("tokens_per_month", BigInteger, nullable=True),
    # what its owner said it would do: countries, hours, days, rate_per_h; {} for nothing
    Column("declared", JSON, nullable=False, server_default="{}"),
    # a key that lives elsewhere: which of the configured stores, and what it is called there
    Column("store", Text, nullable=False, server_default=""),
    Column("external_id", Text, nullable=False, server_default=""),
    # active, deprecated or revoked; expiry and the end of a grace follow from their times
    Column("state", Text, nullable=False),
    Column("previous_state", Text, nullable=False, server_default=""),
    Column("leak_proven", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),
    Column("deprecated_at", Float, nullable=True),
    Column("grace_until", Float, nullable=True),
    Column("rotated_from", Text, nullable=True),
    Column("rotated_to", Text, nullable=True),
    # overlays: reversible, beside the state
    Column("throttle_per_min", Integer, nullable=True),
    Column("throttle_until", Float, nullable=True),
    Column("suspended", Boolean, nullable=False),
    Column("suspended_until", Float, nullable=True),
    Column("last_used_at", Float, nullable=True),
    # sequence number of the last change of this key in `changes`
    Column("change_seq", BigInteger, nullable=False),
    Index("ix_keys_newest", "created_at", "id"),
    Index("ix_keys_external", "store", "external_id"),
    Index("ix_keys_state", "state", "grace_until"),
    Index("ix_keys_expires", "expires_at", "state"),
    Index("ix_keys_owner", "owner", "created_at"),
)

# what is refused although it is genuine: tokens and certificates
denials = Table(
    "denials",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    # jti, subject, issuer, fingerprint or serial
    Column("kind", Text, nullable=False),
    # of tokens its `iss`, of serials the CA's name; empty for any
    Column("issuer", Text, nullable=False, server_default=""),
    Column("value", Text, nullable=False),
    # only what was issued before it; for none, whenever it was issued
    Column("issued_before", Float, nullable=True),
    # after it nothing is left that could be refused
    Column("until", Float, nullable=True),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("kind", "issuer", "value"),
)

# how much each key was used; rows are added up, never one a request
usage = Table(
    "usage",
    metadata,
    Column("key_id", Text, primary_key=True),
    # epoch seconds of its beginning
    Column("hour", _Serial, primary_key=True, autoincrement=False),
    Column("method", Text, primary_key=True),
    # 2 for 200 to 299; 0 when unknown
    Column("status_class", Integer, primary_key=True, autoincrement=False),
    # an address block, /24 or /48; empty when unknown
    Column("network", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Index("ix_usage_hour", "hour"),
)

# how far bulk imports have come
imports = Table(
    "imports",
    metadata,
    Column("name", Text, primary_key=True),
    # SHA-256 of what is imported
    Column("source", Text, nullable=False),
    # rows that were read
    Column("position", BigInteger, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("done_at", Float, nullable=True),
)

changes = Table(
    "changes",
    metadata,
    # assigned inside the writing transaction, in commit order
    Column("seq", _Serial, primary_key=True, autoincrement=False),
    # or one of the words of keystore.feed for a change of more than a key
    Column("key_id", Text, nullable=False),
    Column("at", Float, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("actor", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

positions = Table(
    "positions",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", JSON, nullable=False),
    Column("updated_at", Float, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    # what was taken in over HTTP and is committed, by its idempotency key
    Column("key", Text, primary_key=True),
    Column("at", Float, nullable=False, index=True),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("position", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    # the raw bytes, redacted
    Column("raw", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
    # dead, or again: the pipeline is to read it once more
    Column("state", Text, nullable=False, server_default="dead", index=True),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

profiles = Table(
    "profiles",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    # the batch after which this row was written
    Column("as_of", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

profile_deltas = Table(
    "profile_deltas",
    metadata,
    Column("batch", _Serial, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

side_inputs = Table(
    "side_inputs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

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
    Column("id", _Serial, primary_key=True, autoincrement=True),
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
    Column("id", _Serial, primary_key=True, autoincrement=True),
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

repo_events = Table(
    "repo_events",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("delivery", Text, nullable=False, unique=True),
    Column("body", JSON, nullable=False),
    # waiting, done or dead
    Column("state", Text, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Column("received_at", Float, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("key_id", Text, nullable=False, server_default="", index=True),
    # the finding as its JSON contract says, redacted
    Column("body", JSON, nullable=False),
    Column("first_seen_at", Float, nullable=False),
    Column("last_seen_at", Float, nullable=False),
    Index("ix_findings_newest", "last_seen_at", "fingerprint"),
)

# people who use the console
users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    # viewer, operator or admin
    Column("role", Text, nullable=False),
    # argon2id; empty for who logs in elsewhere
    Column("hash", Text, nullable=False),
    # issuer and subject of who logs in elsewhere, else empty
    Column("origin", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("last_login_at", Float, nullable=True),
)

sessions = Table(
    "sessions",
    metadata,
    # SHA-256 of the cookie
    Column("hash", Text, primary_key=True),
    Column("name", Text, ForeignKey("users.name"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
)

# wrong guesses of passwords
logins = Table(
    "logins",
    metadata,
    # a user, a place, or a user at a place
    Column("subject", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", Float, nullable=False, index=True),
    Column("blocked_until", Float, nullable=False),
)

# programs that use the API
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    # SHA-256 of the token
    Column("hash", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),
    Column("revoked_at", Float, nullable=True),
    Column("last_used_at", Float, nullable=True),
)
