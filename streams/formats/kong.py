"""Kong's file-log, http-log, tcp-log and kafka-log plugins.

https://developer.konghq.com/gateway/logs/
"""

from streams.jsonformat import json_format
from streams.readers import EPOCH_MS

FORMAT = json_format(
    name="kong",
    about="Kong's file-log and its like, one JSON object a line",
    log_the_key=(
        "Kong logs authenticated_entity.id, the credential, and consumer.id by itself, on routes "
        "where a plugin\nsuch as key-auth asks for one; of requests that it refused there is none."
    ),
    samples=(
        (
            b'{"request":{"method":"GET","uri":"/v1/invoices?page=2","size":"212",'
            b'"headers":{"user-agent":"invoicer/4.2","x-forwarded-for":"198.51.100.23"}},'
            b'"response":{"status":200,"size":"9982"},"client_ip":"198.51.100.23",'
            b'"authenticated_entity":{"id":"c62c1455-9b1d-4f2d-8797-509ba83b8ae8"},'
            b'"consumer":{"id":"ae974d6c-0f8a-4dc5-b701-fa0aa38592bd","username":"jo"},'
            b'"started_at":1762157564425}'
        ),
        (
            b'{"request":{"method":"GET","uri":"/"},"response":{"status":401,"size":41},'
            b'"client_ip":"198.51.100.23","started_at":1762157564425}'
        ),
    ),
    paths={
        "time": "started_at",
        "key": ("authenticated_entity.id", "consumer.id"),
        "ip": "client_ip",
        "forwarded": "request.headers.x-forwarded-for",
        "method": "request.method",
        "target": "request.uri",
        "status": "response.status",
        "size": "response.size",
        "agent": "request.headers.user-agent",
    },
    clock=EPOCH_MS,
)
