"""Fixtures that several rooms' tests share."""

from hypothesis import settings

from tests.databases import database_url, engine, postgresql_server, postgresql_url
from tests.services import (
    kafka_broker,
    kafka_closes_sockets,
    kafka_service,
    redis_service,
    redis_url,
    spark_environment,
    spark_jars,
)

__all__ = [
    "database_url",
    "engine",
    "kafka_broker",
    "kafka_closes_sockets",
    "kafka_service",
    "postgresql_server",
    "postgresql_url",
    "redis_service",
    "redis_url",
    "spark_environment",
    "spark_jars",
]

# What tests/services/install.sh puts there brings tests of its own.
collect_ignore = ["services/lib"]

# How long an example takes says more of the machine than of the code.
settings.register_profile("keywatch", deadline=None)
settings.load_profile("keywatch")
