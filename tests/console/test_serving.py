"""`keywatch serve`: the console alone, and all parts as processes of their own."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from database.transaction import open_database, transaction
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.cli import run
from keywatch.people import users
from tests.certificates import certificate
from tests.console.house import PASSWORD, hashed

PATIENCE_S = 60.0


@contextmanager
def serving(folder, *words, lines):
    """Run `keywatch serve`; yield the process and the addresses that it told."""
    environ = {**os.environ, "KEYWATCH_DATABASE": f"sqlite:///{folder / 'k.db'}"}
    command = [sys.executable, "-m", "keywatch", "serve", *words]
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            command, env=environ, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            told = {}
            while len(told) < lines:
                line = process.stdout.readline()
                assert line, (folder / "stderr").read_text()
                if found := re.match(r"keywatch (\w+) listening on \w+://([^:]+):(\d+)", line):
                    told[found[1]] = (found[2], int(found[3]))
            yield process, told
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
            process.stdout.close()


def get(address, path, **headers):
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def eventually(condition):
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def children(pid):
    """Return the ids of the processes that one has started, by the part they run."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_text().split("\0")
        except (OSError, ValueError):
            continue
        if parent == pid and "serve" in words:
            found[words[words.index("serve") + 1]] = int(folder.name)
    return found


def test_the_console_answers_api_health_and_metrics(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KEYWATCH_DATABASE", f"sqlite:///{tmp_path / 'k.db'}")
    assert run(["tokens", "create", "t", "--scope", "read", "--json"]) == 0
    token = json.loads(capsys.readouterr().out)["token"]
    with serving(tmp_path, "console", "--port", "0", lines=1) as (process, told):
        console = told["console"]
        assert get(console, "/healthz")[0] == 200
        ready = get(console, "/readyz")
        assert (ready[0], json.loads(ready[2])) == (200, {"status": "ok", "failed_sources": 0})
        assert get(console, "/api/v1/overview")[0] == 401
        bearer = {"Authorization": f"Bearer {token}"}
        assert get(console, "/api/v1/overview", **bearer)[0] == 200
        status, headers, body = get(console, "/metrics")
        assert status == 200
        assert b'keywatch_incidents_open{severity="critical"} 0' in body
        assert "default-src 'none'" in headers["content-security-policy"]
        # a page of a foreign name that resolves to this machine is not this machine asking
        assert get(console, "/metrics", Host="evil.example")[0] == 401
        assert get(console, "/metrics", **{"X-Forwarded-For": "192.0.2.1"})[0] == 401
        assert get(console, "/metrics", Host="evil.example", **bearer)[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_a_console_on_a_network_without_tls_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["serve", "console", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "in clear" in capsys.readouterr().err


def test_over_tls_nothing_is_said_in_clear_nor_by_what_is_broken(tmp_path):
    certificate(tmp_path)
    pem = str(tmp_path / "server.pem")
    (tmp_path / "keywatch.toml").write_text(
        f"[console]\ntls_certificate = {json.dumps(pem)}\ntls_key = {json.dumps(pem)}\n"
    )
    with serving(tmp_path, "console", "--port", "0", lines=1) as (_, told):
        host, port = told["console"]
        told_on_stderr = (tmp_path / "stderr").read_text()
        assert "nobody can log in yet: keywatch users add" in told_on_stderr
        engine = open_database(f"sqlite:///{tmp_path / 'k.db'}")
        with transaction(engine) as connection:
            users.add(connection, "ada", "admin", hashed(PASSWORD), actor="x", now=time.time())
        engine.dispose()
        known = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        secured = http.client.HTTPSConnection(host, port, context=known, timeout=PATIENCE_S)
        form = urlencode({"name": "ada", "password": PASSWORD})
        kind = {"content-type": "application/x-www-form-urlencoded"}
        secured.request("POST", "/login", form, kind)
        answer = secured.getresponse()
        assert answer.status == 303
        cookie = answer.getheader("set-cookie")
        assert cookie.startswith("__Host-keywatch=")
        assert {"httponly", "path=/", "secure"} <= set(cookie.lower().split("; "))
        assert answer.getheader("strict-transport-security")
        secured.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            get((host, port), "/login")
        assert refusal_of(host, port, ssl.TLSVersion.TLSv1_1) in REFUSED_BY_THE_SERVER
        assert refusal_of(host, port, ssl.TLSVersion.TLSv1_2) == ""


REFUSED_BY_THE_SERVER = {
    "TLSV1_ALERT_PROTOCOL_VERSION",
    # asyncio hangs up without a word
    "UNEXPECTED_EOF_WHILE_READING",
    "reset",
}


def refusal_of(host, port, most):
    """Return why a client that speaks TLS up to a version is refused; empty when it is let in."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    # OpenSSL offers nothing older by itself
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, most
    try:
        with (
            socket.create_connection((host, port), PATIENCE_S) as raw,
            client.wrap_socket(raw) as secured,
        ):
            assert secured.version()
            return ""
    except ssl.SSLError as error:
        return error.reason
    except ConnectionResetError:
        return "reset"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_all_parts_run_apart_feed_one_another_and_rise_again(tmp_path):
    ports = ("--port", "0", "--console-port", "0")
    with serving(tmp_path, "all", *ports, lines=2) as (process, told):
        engine = open_database(f"sqlite:///{tmp_path / 'k.db'}")
        secret = KeyStore(engine).create(KeyOrder(environment="live"), actor="t").secret
        status, _, body = get(told["gateway"], "/v1/things", **{"X-API-Key": secret})
        assert status == 200, body

        def committed():
            body = get(told["console"], "/metrics")[2].decode()
            return re.search(r'events_total\{result="committed"\} [1-9]', body)

        eventually(committed)
        parts = eventually(lambda: len(c := children(process.pid)) == 3 and c)
        os.kill(parts["pipeline"], signal.SIGKILL)
        risen = eventually(lambda: len(c := children(process.pid)) == 3 and c)
        eventually(lambda: children(process.pid).get("pipeline") not in {None, parts["pipeline"]})
        assert risen["gateway"] == parts["gateway"]
        assert "signal 9" in (tmp_path / "stderr").read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert not children(process.pid)
        engine.dispose()
