"""Apache APISIX's logger plugins: file-logger, http-logger, kafka-logger and their like.

https://apisix.apache.org/docs/apisix/plugins/file-logger/
"""

from streams.clocks import ANY_TIME
from streams.jsonformat import json_format

FORMAT = json_format(
    name="apisix",
    about="Apache APISIX's loggers, one JSON object a line",
    log_the_key="""
APISIX logs consumer.username by itself. To tell a consumer's credentials apart, let key-auth
(hide_credentials: true) pass X-Credential-Identifier on and log the request's headers, as the
loggers do without a log_format of their own.""",
    samples=(
        (
            b'{"client_ip":"198.51.100.23","start_time":1762157564819,"latency":13.2,'
            b'"consumer":{"username":"jo"},"request":{"method":"GET","uri":"/v1/invoices?page=2",'
            b'"url":"http://shop.example:9080/v1/invoices?page=2","size":85,'
            b'"headers":{"user-agent":"invoicer/4.2","host":"shop.example"}},'
            b'"response":{"status":200,"size":307,"headers":{"server":"APISIX"}},"route_id":"1"}'
        ),
    ),
    paths={
        "time": ("start_time", "@timestamp"),
        "key": ("request.headers.x-credential-identifier", "api_key_id"),
        "ip": "client_ip",
        "forwarded": "request.headers.x-forwarded-for",
        "user": "consumer.username",
        "method": "request.method",
        "target": "request.uri",
        "status": "response.status",
        "size": "response.size",
        "agent": "request.headers.user-agent",
    },
    clock=ANY_TIME,
)
