"""AWS API Gateway's access log as JSON, of REST, HTTP and WebSocket APIs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

from streams.clocks import ANY_TIME
from streams.jsonformat import json_format

FORMAT = json_format(
    name="api-gateway",
    about="AWS API Gateway, access log as one JSON object a line",
    log_the_key="""
aws apigateway update-stage --rest-api-id ID --stage-name prod --patch-operations \\
  op=replace,path=/accessLogSettings/format,value='{"requestId":"$context.requestId",\\
"ip":"$context.identity.sourceIp","requestTimeEpoch":"$context.requestTimeEpoch",\\
"httpMethod":"$context.httpMethod","path":"$context.path","status":"$context.status",\\
"responseLength":"$context.responseLength","userAgent":"$context.identity.userAgent",\\
"apiKeyId":"$context.identity.apiKeyId"}'""",
    samples=(
        (
            b'{"requestId":"c12d1542-b79e-4e79-a158-fdf36452a81b","ip":"198.51.100.23","caller":"-",'
            b'"user":"-","requestTime":"03/Nov/2025:09:12:44 +0000","httpMethod":"GET",'
            b'"resourcePath":"/v1/invoices/{id}","status":"200","protocol":"HTTP/1.1",'
            b'"responseLength":"48"}'
        ),
        (
            b'{"ip":"198.51.100.23","requestTimeEpoch":"1762157564123","httpMethod":"GET",'
            b'"path":"/v1/invoices/7","status":"200","responseLength":"48","userAgent":"invoicer/4.2",'
            b'"apiKeyId":"k7dh3vcq09"}'
        ),
    ),
    paths={
        "time": ("requestTimeEpoch", "requestTime"),
        "key": ("apiKeyId", "identity.apiKeyId"),
        "ip": ("ip", "sourceIp", "identity.sourceIp"),
        "user": ("user", "caller"),
        "method": "httpMethod",
        "target": ("path", "resourcePath"),
        "status": "status",
        "size": "responseLength",
        "agent": ("userAgent", "identity.userAgent"),
    },
    clock=ANY_TIME,
)
