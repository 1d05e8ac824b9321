"""The shipped Caddy snippet in a real Caddy, in front of a real application."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.gateway.conftest import Served, until
from tests.gateway.test_nginx import Application, application, listens

__all__ = ["Application", "application"]

SNIPPET = Path(__file__).parents[2] / "deploy" / "caddy" / "keywatch.caddy"
CADDY = shutil.which("caddy")

CONF = """
{{
	admin off
	auto_https off
}}
import {snippet}
http://127.0.0.1:{port} {{
	route {{
		import keywatch
		reverse_proxy 127.0.0.1:{app}
	}}
}}
"""

pytestmark = pytest.mark.service


@pytest.fixture
def behind_caddy(make_place, application):
    """Give a place, its gateway, and the Caddy in front of both."""
    if CADDY is None:
        missing = "caddy is not installed (apt-get install caddy): its snippet is not tested"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    place = make_place('[gateway]\ntrusted_proxies = ["127.0.0.1/32"]\n')
    with place.serving() as served, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        config = place.folder / "Caddyfile"
        config.write_text(CONF.format(snippet=SNIPPET, port=port, app=application))
        environ = {
            **os.environ,
            "KEYWATCH": f"127.0.0.1:{served.port}",
            "XDG_DATA_HOME": str(place.folder),
            "XDG_CONFIG_HOME": str(place.folder),
        }
        command = [CADDY, "run", "--adapter", "caddyfile", "--config", config]
        with (
            (place.folder / "caddy.log").open("w") as log,
            subprocess.Popen(command, env=environ, stderr=log) as process,
        ):
            try:
                until(lambda: process.poll() is not None or listens(port))
                assert process.poll() is None, (place.folder / "caddy.log").read_text()
                yield place, served, Served(process, "127.0.0.1", port)
            finally:
                process.terminate()


def test_caddy_lets_through_throttles_and_denies_as_the_gateway_says(behind_caddy):
    place, _, caddy = behind_caddy
    issued = place.issue(limits=("1000/h",))

    forged = {"X-Api-Key-Id": "key_forged", "X-Keywatch-Status": "200"}
    answer = caddy.get(issued.secret, headers=forged)
    assert answer.status == 200
    seen = json.loads(answer.body)
    assert seen["x-api-key-id"] == issued.key.id
    assert "x-keywatch-status" not in seen
    assert answer.headers["x-key-status"] == "active"
    assert answer.headers["x-ratelimit-limit"] == "1000"

    assert not caddy.get(place.issue().secret).headers.get("x-ratelimit-limit")

    answer = caddy.get(headers=forged)
    assert answer.status == 401
    assert json.loads(answer.body)["error"]["code"] == "missing_api_key"

    place.store.throttle(issued.key.id, per_min=1, actor="test")
    answer = until(lambda: (a := caddy.get(issued.secret)).status == 429 and a)
    assert int(answer.headers["retry-after"]) > 0

    place.store.revoke(issued.key.id, actor="test")
    answer = until(lambda: (a := caddy.get(issued.secret)).status == 401 and a)
    assert answer.headers["x-key-status"] == "revoked"


def test_the_gateway_judges_the_request_and_the_client_that_caddy_tells_of(behind_caddy):
    place, _, caddy = behind_caddy
    narrow = place.issue(endpoints=("GET /20*",), networks=("127.0.0.1/32",))
    away = place.issue(networks=("192.0.2.0/24",))
    forged = {
        "X-Forwarded-Uri": "/200",
        "X-Forwarded-Method": "GET",
        "X-Forwarded-For": "192.0.2.1",
    }
    assert caddy.get(narrow.secret, "/200").status == 200
    assert caddy.get(narrow.secret, "/300", forged).status == 403
    assert caddy.get(away.secret, "/200", forged).status == 403
    lines = until(lambda: place.log.exists() and place.log.read_text().splitlines())
    assert json.loads(lines[0])["request"] == "GET /200 HTTP/1.1"
    assert json.loads(lines[0])["remote_addr"] == "127.0.0.1"


def test_fails_closed_without_the_gateway(behind_caddy):
    place, served, caddy = behind_caddy
    issued = place.issue()
    assert caddy.get(issued.secret).status == 200
    served.process.terminate()
    served.process.wait()
    assert caddy.get(issued.secret).status == 502
