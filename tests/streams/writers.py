"""For every format, an event as a line of it: the other half of a round trip."""

import json
from datetime import UTC, datetime, timedelta


def moment(event):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=event["ts_ms"])


def iso(event):
    return moment(event).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line(fields):
    return json.dumps(fields, ensure_ascii=False).encode()


def clf(event, *, combined):
    time = moment(event).strftime("%d/%b/%Y:%H:%M:%S +0000")
    request = f"{event['method']} {event['path']}?page=2 HTTP/1.1"
    text = (
        f'{event["ip"]} - - [{time}] "{request}" {event["status"]} {event["size"] or "-"}'
        + f' "-" "{event["agent"] or "-"}" "-" "{event["key"] or "-"}"' * combined
    )
    return text.encode()


def apache_common(event):
    return clf(event, combined=False).replace(b" - - ", b" - %b " % (event["key"] or "-").encode())


def combined(event):
    return clf(event, combined=True)


def nginx_json(event):
    return line(
        {
            "time_iso8601": moment(event).isoformat(timespec="seconds"),
            "remote_addr": event["ip"],
            "request": f"{event['method']} {event['path']}?page=2 HTTP/1.1",
            "status": event["status"],
            "body_bytes_sent": str(event["size"]),
            "http_user_agent": event["agent"],
            "request_id": "0",
            "api_key_id": event["key"],
        }
    )


def cloudtrail(event):
    return line(
        {
            "eventTime": iso(event),
            "eventSource": f"{event['path'].split('/')[1]}.amazonaws.com",
            "eventName": event["method"],
            "sourceIPAddress": event["ip"],
            "userAgent": event["agent"],
            "userIdentity": {"accessKeyId": event["key"]},
            "errorCode": {200: None, 400: "ValidationException", 401: "InvalidClientTokenId"}.get(
                event["status"], "AccessDenied"
            ),
        }
    )


WRITERS = {
    "apache-combined": combined,
    "apache-common": apache_common,
    "cloudtrail": cloudtrail,
    "keywatch-json": line,
    "nginx-combined": combined,
    "nginx-json": nginx_json,
}

WHOLE_SECONDS = {"apache-combined", "apache-common", "nginx-combined", "nginx-json"}
UNTOLD = {
    "apache-common": {"agent"},
    "cloudtrail": {"size", "path", "method", "status"},
}
"""Fields that a format cannot tell, or tells in its own way."""
