"""Tables of who looks and acts: accounts of people, their sessions, tokens of programs."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    Table,
    Text,
)

from database.schema.base import metadata

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
    # the account whose programs show it; NULL for nobody's
    Column("owner", Text, ForeignKey("users.name"), nullable=True),
    Column("scopes", JSON, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),
    Column("revoked_at", Float, nullable=True),
    Column("last_used_at", Float, nullable=True),
)
