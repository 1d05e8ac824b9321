"""Fixtures that several rooms' tests share."""

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
