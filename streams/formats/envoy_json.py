"""Envoy's JSON log, and Istio's.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
https://istio.io/latest/docs/tasks/observability/logs/access-log/
"""

from streams.assemble import appended
from streams.jsonformat import json_format

FORMAT = json_format(
    name="envoy-json",
    about="Envoy or Istio, one JSON object a line",
    log_the_key="""
# access_log, log_format; behind the filters of deploy/envoy: the first removes X-Api-Key-Id of
# clients, ext_authz sets it
json_format:
  start_time: "%START_TIME%"
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
  x_forwarded_for: "%REQ(X-FORWARDED-FOR)%"
  method: "%REQ(:METHOD)%"
  path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"
  response_code: "%RESPONSE_CODE%"
  bytes_sent: "%BYTES_SENT%"
  user_agent: "%REQ(USER-AGENT)%"
  api_key_id: "%REQ(X-API-KEY-ID)%"
# Istio, in meshConfig: accessLogEncoding: JSON, accessLogFormat: the same as one JSON object""",
    samples=(
        (
            b'{"start_time":"2025-11-03T09:12:44.310Z","method":"POST","path":"/v1/invoices",'
            b'"protocol":"HTTP/2","response_code":201,"bytes_sent":512,"user_agent":"invoicer/4.2",'
            b'"x_forwarded_for":"198.51.100.23","downstream_remote_address":"10.8.0.4:53210",'
            b'"api_key_id":"key_abcdefgh234567ab"}'
        ),
        (
            b'{"start_time":"2025-11-03T09:12:44.310Z","method":"GET","path":"/","response_code":0,'
            b'"bytes_sent":0,"user_agent":null,"x_forwarded_for":"198.51.100.23"}'
        ),
    ),
    paths={
        "time": ("start_time", "timestamp"),
        "key": ("api_key_id", "x_api_key_id"),
        "ip": ("downstream_direct_remote_address", "downstream_remote_address"),
        "forwarded": "x_forwarded_for",
        "method": "method",
        "target": ("path", "x_envoy_original_path"),
        "status": "response_code",
        "size": "bytes_sent",
        "agent": "user_agent",
    },
    adjust=appended,
)
