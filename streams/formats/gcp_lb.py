"""Google Cloud's HTTP load balancers, as Cloud Logging exports them.

https://cloud.google.com/load-balancing/docs/https/https-logging-monitoring
"""

from streams.jsonformat import json_format

FORMAT = json_format(
    name="gcp-lb",
    about="Google Cloud HTTP load balancer, one LogEntry a line",
    log_the_key="""
The load balancer logs no header of a request. Logging itself is switched on by
gcloud compute backend-services update NAME --global --enable-logging --logging-sample-rate=1.0
Keys in the query string are recognised, hashed and reported as exposed. An id that your sink adds
is read from jsonPayload.api_key_id, or from what fields = { key = "…" } names.""",
    samples=(
        (
            b'{"httpRequest":{"requestMethod":"GET","requestUrl":"https://shop.example/v1/invoices?p=2",'
            b'"status":200,"responseSize":"157","userAgent":"invoicer/4.2",'
            b'"remoteIp":"198.51.100.23:5123"},"resource":{"type":"http_load_balancer"},'
            b'"timestamp":"2025-11-03T09:12:44.078651Z"}'
        ),
    ),
    paths={
        "time": "timestamp",
        "key": ("jsonPayload.api_key_id", "labels.api_key_id"),
        "ip": "httpRequest.remoteIp",
        "method": "httpRequest.requestMethod",
        "target": "httpRequest.requestUrl",
        "status": "httpRequest.status",
        "size": "httpRequest.responseSize",
        "agent": "httpRequest.userAgent",
    },
)
