"""Tables of the key store: keys, whose they are, what changed, and the log of it all."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from database.schema.base import Serial, metadata
from database.schema.keeping import keep

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

# what is refused although it is genuine: tokens, certificates, secrets of whoever's
denials = Table(
    "denials",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    # jti, subject, issuer, fingerprint, serial, name, credential, or pace, which only slows down
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
    # of a pace
    Column("per_min", Integer, nullable=True),
    UniqueConstraint("kind", "issuer", "value"),
)

# how much each key was used; rows are added up, never one a request
usage = Table(
    "usage",
    metadata,
    Column("key_id", Text, primary_key=True),
    # epoch seconds of its beginning
    Column("hour", Serial, primary_key=True, autoincrement=False),
    Column("method", Text, primary_key=True),
    # 2 for 200 to 299; 0 when unknown
    Column("status_class", Integer, primary_key=True, autoincrement=False),
    # an address block, /24 or /48; empty when unknown
    Column("network", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    # epoch seconds of the earliest of these requests; unknown of rows from before it was kept
    Column("first_at", Float, nullable=True),
    Index("ix_usage_hour", "hour"),
)

# AI tokens that keys have spent and that are not drained away yet, whoever let them
budgets = Table(
    "budgets",
    metadata,
    Column("key_id", Text, primary_key=True),
    # seconds of the window that the budget is given for
    Column("window_s", Integer, primary_key=True, autoincrement=False),
    # tokens, at that moment
    Column("level", Float, nullable=False),
    # epoch seconds
    Column("at", Float, nullable=False),
    Index("ix_budgets_at", "at"),
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
    Column("seq", Serial, primary_key=True, autoincrement=False),
    # or one of the words of keystore.feed for a change of more than a key
    Column("key_id", Text, nullable=False),
    Column("at", Float, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("actor", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
keep(audit)
