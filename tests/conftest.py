"""Fixtures that several rooms' tests share."""

import gc
from pathlib import Path

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

# They take longest of the rooms that come last: begun last they would run alone, on one core.
FIRST = ("streams/test_kafka_source.py", "streams/test_kafka_secure.py", "scanner/test_archives.py")


def pytest_collection_modifyitems(items):
    """Put the files that are named first, in their order; the others keep theirs."""
    here = Path(__file__).parent
    place = {here / name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish():
    """Spare the garbage collector what stays to the end: all modules and thousands of tests."""
    gc.collect()
    gc.freeze()
