"""The shipped snippets in a real Caddy, Traefik and Envoy, in front of a real application."""

import json
import os
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from streams import formats
from tests.gateway.conftest import Served, refuses_forged, until
from tests.gateway.test_nginx import FORGED, Application, application, let_in, listens
from tests.services import program, tool

__all__ = ["Application", "application"]

DEPLOY = Path(__file__).parents[2] / "deploy"
PROBLEM = "application/problem+json"
LOG = "access.json"
PUBLIC = """
    public:
      rule: Path(`/299`)
      priority: 1000
      service: api
"""

CADDYFILE = """
{{
	admin off
	auto_https off
}}
import {snippet}
http://127.0.0.1:{port} {{
	log {{
		output file {log}
		format json
	}}
	handle /299 {{
		reverse_proxy 127.0.0.1:{app}
	}}
	route {{
		import keywatch
		reverse_proxy 127.0.0.1:{app}
	}}
}}
"""

pytestmark = pytest.mark.service


class Ports(NamedTuple):
    """Where the proxy listens, and what is behind it."""

    own: int
    gateway: int
    app: int


def caddy(folder, ports):
    snippet = DEPLOY / "caddy" / "keywatch.caddy"
    log = folder / LOG
    text = CADDYFILE.format(snippet=snippet, port=ports.own, app=ports.app, log=log)
    (folder / "Caddyfile").write_text(text)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def traefik(folder, ports):
    snippet = (DEPLOY / "traefik" / "keywatch.yml").read_text()
    for was, now in ((":8790/", f":{ports.gateway}/"), (":8000", f":{ports.app}")):
        assert was in snippet
        snippet = snippet.replace(was, now)
    (folder / "keywatch.yml").write_text(snippet.replace("  routers:\n", f"  routers:{PUBLIC}"))
    return [
        "traefik",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
        f"--entryPoints.web.address=127.0.0.1:{ports.own}",
        f"--providers.file.filename={folder / 'keywatch.yml'}",
        "--entryPoints.web.http.middlewares=keywatch-strip@file",
        f"--accessLog.filePath={folder / LOG}",
        "--accessLog.format=json",
        "--accessLog.fields.headers.names.X-Api-Key-Id=keep",
    ]


def envoy(folder, ports):
    snippet = yaml.safe_load((DEPLOY / "envoy" / "keywatch.yaml").read_text())
    told = json.dumps(snippet)
    assert "8790" in told
    snippet = json.loads(told.replace("8790", str(ports.gateway)))
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    authz = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
    file = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
    fields = {
        "start_time": "%START_TIME%",
        "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "method": "%REQ(:METHOD)%",
        "path": "%REQ(:PATH)%",
        "response_code": "%RESPONSE_CODE%",
        "bytes_sent": "%BYTES_SENT%",
        "api_key_id": "%REQ(X-API-KEY-ID)%",
    }
    log = {"@type": file, "path": str(folder / LOG), "log_format": {"json_format": fields}}
    public = {
        "match": {"path": "/299"},
        "route": {"cluster": "app"},
        "typed_per_filter_config": {
            "envoy.filters.http.ext_authz": {"@type": authz, "disabled": True}
        },
    }
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager"
        ".v3.HttpConnectionManager",
        "stat_prefix": "web",
        **snippet["connection_manager"],
        "access_log": [{"name": "envoy.access_loggers.file", "typed_config": log}],
        "http_filters": [
            *snippet["http_filters"],
            {"name": "envoy.filters.http.router", "typed_config": {"@type": router}},
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [public, {"match": {"prefix": "/"}, "route": {"cluster": "app"}}],
                }
            ]
        },
    }
    name = "envoy.filters.network.http_connection_manager"
    listener = {
        "name": "web",
        "address": address_of(ports.own),
        "filter_chains": [{"filters": [{"name": name, "typed_config": manager}]}],
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address_of(ports.app)}}]}]
    app = {
        "name": "app",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "app", "endpoints": endpoints},
    }
    config = {
        "static_resources": {"listeners": [listener], "clusters": [*snippet["clusters"], app]}
    }
    (folder / "envoy.json").write_text(json.dumps(config))
    options = (
        "--disable-hot-restart --concurrency 1 --log-level warning --file-flush-interval-msec 50"
    )
    return ["envoy", "-c", str(folder / "envoy.json"), *options.split()]


def address_of(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


class Proxy(NamedTuple):
    """A proxy, what it answers while the gateway is away, how it tells of certificates, its log."""

    command: Callable[[Path, Ports], list[str]]
    closed: int
    tells_limits: bool = True
    certificates: str = "client-cert"
    log: str = ""


PROXIES = {
    "caddy": Proxy(caddy, 502, log="caddy"),
    # it hands nothing of the gateway's yes on to the client
    "traefik": Proxy(traefik, 500, tells_limits=False, log="traefik-json"),
    "envoy": Proxy(envoy, 503, certificates="x-forwarded-client-cert", log="envoy-json"),
}


@pytest.fixture(params=PROXIES)
def behind(request, make_place, application):
    """Give a place, its gateway, the proxy in front of both, and what is known of the proxy."""
    proxy = PROXIES[request.param]
    found = program("caddy") if request.param == "caddy" else tool(request.param)
    # Envoy names its own address among those that a request came by
    own = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout
    trusted = ["127.0.0.1", *own.split()] if request.param == "envoy" else ["127.0.0.1"]
    place = make_place(
        f"[gateway]\ntrusted_proxies = {json.dumps(trusted)}\n"
        f'certificate_header = "{proxy.certificates}"\n'
    )
    with place.serving() as served, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        _, *words = proxy.command(place.folder, Ports(port, served.port, application))
        environ = {
            **os.environ,
            "KEYWATCH": f"127.0.0.1:{served.port}",
            "XDG_DATA_HOME": str(place.folder),
            "XDG_CONFIG_HOME": str(place.folder),
        }
        with (
            (place.folder / "proxy.log").open("w") as log,
            subprocess.Popen(
                [found, *words], env=environ, stdout=log, stderr=log, cwd=place.folder
            ) as process,
        ):
            try:
                front = Served(process, "127.0.0.1", port)
                until(lambda: process.poll() is not None or is_up(front))
                assert process.poll() is None, (place.folder / "proxy.log").read_text()
                yield place, served, front, proxy
            finally:
                process.terminate()


def is_up(front):
    """Whether it listens and knows its way: Traefik listens before it has read its file."""
    with suppress(OSError):
        return listens(front.port) and front.get().status != 404
    return False


def test_lets_through_throttles_and_denies_as_the_gateway_says(behind):
    place, _, front, proxy = behind
    issued = place.issue(limits=("1000/h",))

    forged = {"X-Api-Key-Id": "key_forged", "X-Keywatch-Status": "200"}
    answer = front.get(issued.secret, headers=forged)
    assert answer.status == 200
    seen = json.loads(answer.body)
    assert seen["x-api-key-id"] == issued.key.id
    assert "x-keywatch-status" not in seen
    if proxy.tells_limits:
        assert answer.headers["x-key-status"] == "active"
        assert answer.headers["x-ratelimit-limit"] == "1000"
        assert answer.headers["ratelimit-policy"] == '"h";q=1000;w=3600'
        assert not front.get(place.issue().secret).headers.get("x-ratelimit-limit")

    answer = front.get(headers=forged)
    assert answer.status == 401
    assert json.loads(answer.body)["error"]["code"] == "missing_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert front.get(headers={"Accept": PROBLEM}).headers["content-type"] == PROBLEM

    place.store.throttle(issued.key.id, per_min=1, actor="test")
    answer = until(lambda: (a := front.get(issued.secret)).status == 429 and a)
    assert int(answer.headers["retry-after"]) > 0
    assert json.loads(answer.body)["error"]["details"]["limit"] == 1

    place.store.revoke(issued.key.id, actor="test")
    answer = until(lambda: (a := front.get(issued.secret)).status == 401 and a)
    assert answer.headers["x-key-status"] == "revoked"


def test_the_application_cannot_be_told_another_identity(behind):
    place, _, front, _ = behind
    issued = place.issue()
    # what a server in Python, PHP or Ruby folds into the name of the real one
    forged = dict.fromkeys(("X_Api_Key_Id", "X-Api_Key-Id", "x-api-key-id"), "key_forged")
    seen = json.loads(front.get(issued.secret, headers=forged).body)
    folded = [value for name, value in seen.items() if name.replace("_", "-") == "x-api-key-id"]
    assert folded == [issued.key.id]


def test_nobody_writes_the_key_of_another_into_the_log(behind):
    place, _, front, proxy = behind
    issued, forged = place.issue(), {"X-Api-Key-Id": "key_forged"}
    assert front.get(issued.secret, "/201", forged).status == 201
    assert front.get(path="/202", headers=forged).status == 401
    assert front.get(path="/203", headers=forged | {"X-Long": "x" * 50_000}).status >= 400
    assert front.get(path="/299", headers=forged).status == 299
    log = place.folder / LOG
    until(lambda: "/299" in log.read_text())
    found = formats.find(proxy.log).parse(log.read_bytes().splitlines())
    assert len(found) >= 4
    assert set(found.key) <= {"", issued.key.id}


def test_nobody_becomes_a_certificate_by_writing_headers(behind):
    place, _, front, _ = behind
    let_in(place)
    refuses_forged(place, front, FORGED)


def test_the_gateway_judges_the_request_and_the_client_that_it_is_told_of(behind):
    place, _, front, _ = behind
    narrow = place.issue(endpoints=("GET /20*",), networks=("127.0.0.1/32",))
    away = place.issue(networks=("192.0.2.0/24",))
    forged = {
        "X-Forwarded-Uri": "/200",
        "X-Forwarded-Method": "GET",
        "X-Forwarded-For": "192.0.2.1",
    }
    assert front.get(narrow.secret, "/200?a=b").status == 200
    assert front.get(narrow.secret, "/300", forged).status == 403
    assert front.get(away.secret, "/200", forged).status == 403

    def told():
        lines = place.log.read_text().splitlines() if place.log.exists() else []
        return [json.loads(line) for line in lines if "/200?a=b" in line]

    (line,) = until(told)
    assert line["request"] == "GET /200?a=b HTTP/1.1"
    assert line["remote_addr"] == "127.0.0.1"


def test_fails_closed_without_the_gateway(behind):
    place, served, front, proxy = behind
    issued = place.issue()
    assert front.get(issued.secret).status == 200
    served.process.terminate()
    served.process.wait()
    assert front.get(issued.secret).status == proxy.closed
