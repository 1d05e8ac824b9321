from tests.services import kafka_broker, kafka_service

__all__ = ["kafka_broker", "kafka_service"]
