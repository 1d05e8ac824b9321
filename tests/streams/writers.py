"""For every format, an event as a line of it: the other half of a round trip."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote


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


def request_of(event):
    return f"{event['method']} {event['path']}?page=2 HTTP/1.1"


def epoch_s(event):
    return event["ts_ms"] / 1000


def clf_time(event):
    return moment(event).strftime("%d/%b/%Y:%H:%M:%S +0000")


def apache(event):
    return (
        f"shop:443 {event['ip']} - {event['key'] or '-'} [{clf_time(event)}] "
        f'"{request_of(event)}" {event["status"]} {event["size"]} "-" "{event["agent"] or "-"}"'
    ).encode()


def nginx(event):
    return (
        f'{event["ip"]} - {event["key"] or "-"} [{clf_time(event)}] "{request_of(event)}" '
        f'{event["status"]} {event["size"]} "-" "{event["agent"] or "-"}" 3 0.1 [u] [] '
        "10.0.0.1:80 1 0.1 200 id"
    ).encode()


def envoy(event):
    return (
        f'[{iso(event)}] "{request_of(event)}" {event["status"]} - 0 {event["size"]} 1 - '
        f'"203.0.113.1,{event["ip"]}" "{event["agent"] or "-"}" "id" "shop" "10.0.0.1:80"'
    ).encode()


def envoy_json(event):
    return line(
        {
            "start_time": iso(event),
            "method": event["method"],
            "path": f"{event['path']}?page=2",
            "response_code": event["status"],
            "bytes_sent": event["size"],
            "user_agent": event["agent"] or None,
            "downstream_remote_address": f"{event['ip']}:4711",
            "api_key_id": event["key"] or None,
        }
    )


def traefik(event):
    return (
        f'{event["ip"]} - {event["key"] or "-"} [{clf_time(event)}] "{request_of(event)}" '
        f'{event["status"]} {event["size"]} "-" "{event["agent"] or "-"}" 1 "api" "http://a" 3ms'
    ).encode()


def traefik_json(event):
    return line(
        {
            "StartUTC": iso(event),
            "ClientHost": event["ip"],
            "ClientUsername": "-",
            "RequestMethod": event["method"],
            "RequestPath": event["path"],
            "DownstreamStatus": event["status"],
            "DownstreamContentSize": event["size"],
            "request_User-Agent": event["agent"],
            "request_X-Api-Key-Id": event["key"],
        }
    )


def caddy(event):
    headers = {"User-Agent": [event["agent"]]} if event["agent"] else {}
    return line(
        {
            "ts": iso(event),
            "request": {
                "remote_ip": event["ip"],
                "method": event["method"],
                "uri": event["path"],
                "headers": headers,
            },
            "status": event["status"],
            "size": event["size"],
            "api_key_id": event["key"],
        }
    )


def aws_alb(event):
    return (
        f"h2 {iso(event)} app/a/1 {event['ip']}:80 10.0.0.1:80 0.0 0.1 -1 {event['status']} 200 5 "
        f'{event["size"]} "{event["method"]} https://a:443{event["path"]}?x=1 HTTP/2.0" '
        f'"{event["agent"] or "-"}" - - arn "Root=1" "-" "-" 0'
    ).encode()


def cloudfront(event):
    date, time = moment(event).strftime("%Y-%m-%d %H:%M:%S").split()
    date = f"{moment(event).year:04d}{date[-6:]}"
    words = [date, time, "FRA", event["size"], event["ip"], event["method"], "host", event["path"]]
    words += [event["status"], "-", quote(event["agent"]) or "-", "page=2", "-", *["-"] * 20]
    return "\t".join(map(str, words)).encode()


def iis(event):
    date, time = moment(event).strftime("%Y-%m-%d %H:%M:%S").split()
    date = f"{moment(event).year:04d}{date[-6:]}"
    words = [date, time, "10.0.0.1", event["method"], event["path"], "-", 443, event["key"] or "-"]
    words += [event["ip"], event["agent"].replace(" ", "+") or "-", "-", event["status"], 0, 0, 5]
    return " ".join(map(str, words)).encode()


def haproxy(event):
    time = moment(event).strftime("%d/%b/%Y:%H:%M:%S.") + f"{event['ts_ms'] % 1000:03d}"
    return (
        f"{event['ip']}:80 [{time}] in a/b 0/0/0/1/1 {event['status']} {event['size']} - - ---- "
        f'1/1/1/1/0 0/0 "{request_of(event)}"'
    ).encode()


def api_gateway(event):
    return line(
        {
            "requestTime": clf_time(event),
            "ip": event["ip"],
            "httpMethod": event["method"],
            "path": event["path"],
            "status": str(event["status"]),
            "responseLength": str(event["size"]),
            "userAgent": event["agent"],
            "apiKeyId": event["key"] or "-",
        }
    )


def cloudflare(event):
    return line(
        {
            "EdgeStartTimestamp": iso(event),
            "ClientIP": event["ip"],
            "ClientRequestMethod": event["method"],
            "ClientRequestURI": event["path"],
            "EdgeResponseStatus": event["status"],
            "EdgeResponseBytes": event["size"],
            "ClientRequestUserAgent": event["agent"],
            "RequestHeaders": {"x-api-key-id": event["key"]},
        }
    )


def gcp_lb(event):
    return line(
        {
            "timestamp": iso(event),
            "httpRequest": {
                "remoteIp": event["ip"],
                "requestMethod": event["method"],
                "requestUrl": f"https://shop.example{event['path']}",
                "status": event["status"],
                "responseSize": str(event["size"]),
                "userAgent": event["agent"],
            },
            "jsonPayload": {"api_key_id": event["key"]},
        }
    )


def kong(event, *, time="started_at", key="authenticated_entity"):
    told = {
        "request": {
            "method": event["method"],
            "uri": event["path"],
            "headers": {"user-agent": event["agent"]},
        },
        "response": {"status": event["status"], "size": event["size"]},
        "client_ip": event["ip"],
        time: event["ts_ms"],
    }
    return line({**told, key: {"id": event["key"]}} if event["key"] else told)


def apisix(event):
    told = json.loads(kong(event, time="start_time", key="consumer"))
    told["start_time"] = iso(event)
    if event["key"]:
        told["consumer"] = {"username": event["key"]}
    return line(told)


def ecs_json(event):
    return line(
        {
            "@timestamp": iso(event),
            "client": {"ip": event["ip"]},
            "http": {
                "request": {"method": event["method"]},
                "response": {"status_code": event["status"], "body": {"bytes": event["size"]}},
            },
            "url": {"path": event["path"]},
            "user_agent": {"original": event["agent"]},
            "labels": {"api_key_id": event["key"]},
        }
    )


def otlp_json(event):
    told = {
        "http.request.method": event["method"],
        "url.path": event["path"],
        "client.address": event["ip"],
        "http.response.status_code": event["status"],
        "http.response.body.size": event["size"],
        "user_agent.original": event["agent"],
        "api_key.id": event["key"],
    }
    attributes = [
        {"key": name, "value": {"intValue" if isinstance(value, int) else "stringValue": value}}
        for name, value in told.items()
    ]
    time = f"{event['ts_ms'] * 1_000_000}"
    return line({"timeUnixNano": "0", "observedTimeUnixNano": time, "attributes": attributes})


def custom_json(event):
    return line({**event, "time": iso(event), "key_id": event["key"]})


def custom_regex(event):
    return (
        f"{iso(event)} {event['ip']} {event['key'] or '-'} "
        f"{event['method'].replace('-', '')} {event['path']} {event['status']} {event['size']} "
        f'"{event["agent"] or "-"}"'
    ).encode()


WRITERS = {
    "apache": apache,
    "apache-combined": combined,
    "apache-common": apache_common,
    "api-gateway": api_gateway,
    "apisix": apisix,
    "aws-alb": aws_alb,
    "caddy": caddy,
    "cloudflare": cloudflare,
    "cloudfront": cloudfront,
    "cloudtrail": cloudtrail,
    "custom-json": custom_json,
    "custom-regex": custom_regex,
    "ecs-json": ecs_json,
    "envoy": envoy,
    "envoy-json": envoy_json,
    "gcp-lb": gcp_lb,
    "haproxy": haproxy,
    "iis": iis,
    "keywatch-json": line,
    "kong": kong,
    "nginx": nginx,
    "nginx-combined": combined,
    "nginx-json": nginx_json,
    "otlp-json": otlp_json,
    "traefik": traefik,
    "traefik-json": traefik_json,
}

WHOLE_SECONDS = {
    "apache",
    "apache-combined",
    "apache-common",
    "api-gateway",
    "cloudfront",
    "iis",
    "nginx",
    "nginx-combined",
    "nginx-json",
    "traefik",
}
UNTOLD = {
    "apache-common": {"agent"},
    "aws-alb": {"key"},
    "cloudfront": {"key"},
    "cloudtrail": {"size", "path", "method", "status"},
    "custom-regex": {"method"},
    "envoy": {"key"},
    "haproxy": {"key", "agent"},
    "iis": {"agent", "size"},
}
"""Fields that a format cannot tell, or tells in its own way."""
