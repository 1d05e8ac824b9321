"""Tables of the pipeline: how far it has come, what it could not read, what it knows of keys."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from database.schema.base import Serial, metadata

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
    # what was taken in over HTTP and is committed: a hash of source, token and idempotency key
    Column("key", Text, primary_key=True),
    # of the lines, so that a key that is used for others is refused
    Column("fingerprint", Text, nullable=False, server_default=""),
    Column("at", Float, nullable=False, index=True),
)

read_objects = Table(
    "read_objects",
    metadata,
    # the objects of a folder that are read and have no position of their own any more
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("folder", Text, nullable=False, index=True),
    # eight bytes of a hash of each name
    Column("names", LargeBinary, nullable=False),
)

failures = Table(
    "failures",
    metadata,
    # a source that cannot be read just now, and why; `at` is repeated while it lasts
    Column("source", Text, primary_key=True),
    Column("error", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("at", Float, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("position", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    # the raw bytes, redacted
    Column("raw", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
    # dead, or again: the pipeline is to read it once more
    Column("state", Text, nullable=False, server_default="dead", index=True),
)

repo_events = Table(
    "repo_events",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("delivery", Text, nullable=False, unique=True),
    Column("body", JSON, nullable=False),
    # waiting, done or dead
    Column("state", Text, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Column("received_at", Float, nullable=False),
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
    # whose profiles: "" of the only worker's, else of a partition or a part of a job
    Column("shard", Text, primary_key=True, server_default=""),
    Column("batch", Serial, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

endpoint_names = Table(
    "endpoint_names",
    metadata,
    # as profiles keep it: a hash of the method and the path without ids
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
)

side_inputs = Table(
    "side_inputs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
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
