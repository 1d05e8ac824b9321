"""Fixtures that several rooms' tests share."""

import pytest
from hypothesis import settings

from tests.databases import database_url, postgresql_server, postgresql_url
from tests.services import kafka_broker, kafka_service, redis_service, redis_url

__all__ = [
    "database_url",
    "kafka_broker",
    "kafka_service",
    "postgresql_server",
    "postgresql_url",
    "redis_service",
    "redis_url",
]

# How long an example takes says more of the machine than of the code.
settings.register_profile("keywatch", deadline=None)
settings.load_profile("keywatch")

_ONE_HALF = {"database", "detectors", "rules", "scanner", "vocabulary"}


def pytest_collection_modifyitems(items):
    """Deal the tests out to two processes by their room: the same ones in the same order always."""
    for item in items:
        room = item.path.relative_to(item.config.rootpath / "tests").parts[0]
        half = "one" if room in _ONE_HALF else "other"
        item.add_marker(pytest.mark.xdist_group(half))
