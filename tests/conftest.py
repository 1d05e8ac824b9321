"""Fixtures that several rooms' tests share."""

from os import cpu_count

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


def pytest_xdist_auto_num_workers() -> int:
    """Start one process more than there are cores: tests wait for services a third of the time."""
    return min(cpu_count() or 1, 4) + 1


# How long an example takes says more of the machine than of the code.
settings.register_profile("keywatch", deadline=None)
settings.load_profile("keywatch")
