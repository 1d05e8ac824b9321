"""The shipped nginx snippets in a real nginx, in front of a real application."""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from keystore.identities import Name
from keystore.issue import KeyOrder
from keystore.keys import Kind
from tests.certificates import certificate as own_certificate
from tests.gateway.authority import Authority
from tests.gateway.conftest import Served, refuses_forged, until
from tests.gateway.issuer import certificate, der, pem

SNIPPETS = Path(__file__).parents[2] / "deploy" / "nginx"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")

CONF = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  include {folder}/keywatch-http.conf;
  access_log {folder}/nginx.log keywatch;
  server {{
    listen 127.0.0.1:{port};
    include {snippets}/keywatch-server.conf;
    location / {{
      include {snippets}/keywatch-location.conf;
      proxy_pass http://127.0.0.1:{app};
    }}
  }}
  server {{
    listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {folder}/ca.pem;
    ssl_certificate_key {folder}/server.pem;
    ssl_client_certificate {folder}/clients.pem;
    ssl_verify_client optional;
    include {snippets}/keywatch-server.conf;
    location / {{
      include {snippets}/keywatch-location.conf;
      proxy_pass http://127.0.0.1:{app};
    }}
  }}
}}
"""

ROBOT = certificate(name="robot", spiffe="spiffe://prod/robot")
FORGED = [
    {"X-Forwarded-Client-Cert": f"Hash={'a' * 64};URI=spiffe://prod/robot"},
    {"X-Forwarded-Client-Cert": f'Hash={"a" * 64};Cert="{quote(pem(ROBOT))}"'},
    {"Client-Cert": f":{b64encode(der(ROBOT)).decode()}:"},
    {"X-SSL-Client-Cert": quote(pem(ROBOT)), "X-SSL-Client-Verify": "SUCCESS"},
    {"X_SSL_Client_Cert": quote(pem(ROBOT)), "X_SSL_Client_Verify": "SUCCESS"},
    {"X-SSL-Client-S-DN": "CN=robot", "X-Original-URL": "/200", "X-Rewrite-URL": "/200"},
]
"""What clients may write who have no certificate; it is public, and proves nothing."""

pytestmark = pytest.mark.service


class Application(BaseHTTPRequestHandler):
    """Answers with the headers that it was sent, or with the status that the path asks for."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.do_GET()

    def do_GET(self):
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(int(self.path.partition("?")[0].strip("/") or 200))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def application():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def behind_nginx(make_place, application):
    """Give a place, its gateway, and the nginx in front of both."""
    if NGINX is None:
        missing = "nginx is not installed (apt-get install nginx): its snippets are not tested"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    place = make_place(
        '[gateway]\ntrusted_proxies = ["127.0.0.1/32"]\ncertificate_header = "x-ssl-client-cert"\n'
    )
    own_certificate(place.folder)
    clients = Authority("Clients")
    (place.folder / "clients.pem").write_bytes(clients.pem())
    with (
        place.serving() as served,
        socket.create_server(("127.0.0.1", 0)) as free,
        socket.create_server(("127.0.0.1", 0)) as free_too,
    ):
        port, tls_port = free.getsockname()[1], free_too.getsockname()[1]
        free.close()
        free_too.close()
        http = (SNIPPETS / "keywatch-http.conf").read_text()
        http = http.replace("127.0.0.1:8790", f"127.0.0.1:{served.port}")
        (place.folder / "keywatch-http.conf").write_text(http)
        (place.folder / "nginx.conf").write_text(
            CONF.format(
                user="user root;" if os.geteuid() == 0 else "",
                folder=place.folder,
                snippets=SNIPPETS,
                port=port,
                tls_port=tls_port,
                app=application,
            )
        )
        errors = place.folder / "error.log"
        command = [NGINX, "-p", place.folder, "-c", place.folder / "nginx.conf", "-e", errors]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                until(lambda: process.poll() is not None or listens(port))
                assert process.poll() is None, errors.read_text()
                place.clients, place.tls_port = clients, tls_port
                yield place, served, Served(process, "127.0.0.1", port)
            finally:
                process.terminate()


def listens(port):
    with socket.socket() as peer:
        return peer.connect_ex(("127.0.0.1", port)) == 0


def test_nginx_lets_through_throttles_and_denies_as_the_gateway_says(behind_nginx):
    place, _, nginx = behind_nginx
    issued = place.issue()

    names = "X-Api-Key-Id X_Api_Key_Id X-Keywatch-Status".split()
    answer = nginx.get(issued.secret, headers=dict.fromkeys(names, "key_forged"))
    assert answer.status == 200
    seen = json.loads(answer.body)
    assert seen["x-api-key-id"] == issued.key.id
    assert "key_forged" not in seen.values()
    assert answer.headers["x-key-status"] == "active"
    assert "retry-after" not in answer.headers

    answer = nginx.get()
    assert answer.status == 401
    assert json.loads(answer.body)["error"]["code"] == "missing_api_key"
    assert answer.headers["www-authenticate"]

    place.store.throttle(issued.key.id, per_min=1, actor="test")
    answer = until(lambda: (a := nginx.get(issued.secret)).status == 429 and a)
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["x-ratelimit-limit"] == "1"
    error = json.loads(answer.body)["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert error["details"] == {
        "limit": 1,
        "window": 60,
        "reset_at": int(answer.headers["x-ratelimit-reset"]),
    }

    place.store.suspend(issued.key.id, actor="test")
    answer = until(lambda: (a := nginx.get(issued.secret)).status == 403 and a)
    assert json.loads(answer.body)["error"]["code"] == "api_key_suspended"

    place.store.revoke(issued.key.id, actor="test")
    answer = until(lambda: (a := nginx.get(issued.secret)).status == 401 and a)
    assert answer.headers["x-key-status"] == "revoked"


def test_the_applications_own_refusals_stay_its_own(behind_nginx):
    place, _, nginx = behind_nginx
    issued = place.issue()
    for status in (403, 401, 500):
        answer = nginx.get(issued.secret, f"/{status}")
        assert answer.status == status
        assert b"x-api-key-id" in answer.body


def test_both_logs_tell_the_clients_request(behind_nginx):
    place, _, nginx = behind_nginx
    issued = place.issue()
    nginx.get(issued.secret, "/204?a=b")
    for log in (place.log, place.folder / "nginx.log"):
        lines = until(lambda log=log: log.exists() and log.read_text().splitlines())
        entry = json.loads(lines[-1])
        assert entry["request"] == "GET /204?a=b HTTP/1.1"
        assert entry["api_key_id"] == issued.key.id


def let_in(place):
    """Register the robot whose certificate the tests forge and show."""
    return place.store.identities.register(
        Name(Kind.CERTIFICATE, "cn:robot"), KeyOrder(), actor="test"
    )


def test_nobody_becomes_a_certificate_by_writing_headers(behind_nginx):
    place, _, nginx = behind_nginx
    let_in(place)
    refuses_forged(place, nginx, FORGED)


def test_a_certificate_that_nginx_verified_is_who_shows_it(behind_nginx):
    place, _, _ = behind_nginx
    robot = let_in(place)

    def get(authority, headers):
        context = ssl.create_default_context(cafile=place.folder / "ca.pem")
        if authority is not None:
            key = ec.generate_private_key(ec.SECP256R1())
            shown = place.folder / "robot.pem"
            private = key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            shown.write_bytes(pem(authority.issue("robot", key)) + private)
            context.load_cert_chain(shown)
        connection = http.client.HTTPSConnection("127.0.0.1", place.tls_port, context=context)
        connection.request("GET", "/", headers=headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body

    for headers in ({}, *FORGED):
        status, body = get(place.clients, headers)
        assert (status, json.loads(body)["x-api-key-id"]) == (200, robot.id)
        assert get(None, headers)[0] == 401
    # nginx itself answers 400 to what no CA of its list signed
    assert get(Authority("Else"), {})[0] == 400


def test_fails_closed_without_the_gateway(behind_nginx):
    place, served, nginx = behind_nginx
    issued = place.issue()
    assert nginx.get(issued.secret).status == 200
    served.process.terminate()
    served.process.wait()
    assert nginx.get(issued.secret).status == 500
