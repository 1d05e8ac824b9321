"""Providers are asked through a client that speaks to nobody else; stand-ins on loopback answer."""

import http.client
import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import ScanOptions, scan
from scanner.verify import Verifier
from scanner.verify.client import Client, RefusedError, is_public
from scanner.verify.providers import HOSTS, PROVIDERS, provider_of
from tests.scanner.secrets import github_token
from vocabulary.finding import Confidence

HOST = "api.github.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    names = ",".join(f"DNS:{host}" for host in sorted(HOSTS))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
         "-days", "2", "-subj", "/CN=stand-in", "-addext", f"subjectAltName={names}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@contextmanager
def stand_in(certificate, answer):
    """Serve HTTPS on loopback; `answer` is given each request."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.command, self.path, dict(self.headers)))
            answer(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def client(certificate, port, **more):
    context = ssl.create_default_context(cafile=certificate[0])
    return Client(
        HOSTS, resolve=lambda _: ["127.0.0.1"], context=context, port=port,
        permitted=lambda address: address == "127.0.0.1", **{"timeout_s": 5.0, **more},
    )  # fmt: skip


def says(status, body=b"{}", **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def line(seed=1):
    return f"t = '{github_token(seed)}'\n"


@pytest.mark.parametrize(
    ("status", "verdict", "severity"),
    [(200, "active", "critical"), (401, "inactive", None), (403, "unknown", None),
     (500, "unknown", None), (302, "unknown", None)],
)  # fmt: skip
def test_the_verdict_is_what_the_provider_says(tmp_path, certificate, status, verdict, severity):
    (tmp_path / "a.txt").write_text(line())
    (plain,) = scan(tmp_path)
    with stand_in(certificate, says(status)) as (port, asked):
        verifier = Verifier(client(certificate, port))
        report = scan(tmp_path, ScanOptions(verifier=verifier))
    (finding,) = report
    assert finding.verdict.provider == verdict
    assert finding.severity == (severity or plain.severity)
    assert HOST in finding.reasons[-1]
    ((method, path, headers),) = asked
    assert (method, path, headers["Host"]) == ("GET", "/user", f"{HOST}:{port}")
    assert headers["Authorization"] == f"Bearer {github_token()}"
    assert report.receipt.asked == {HOST: 1}
    assert github_token() not in repr(finding) + str(report.receipt.json())


def test_nobody_is_asked_unless_it_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text(line())

    def connect(*words):
        raise AssertionError

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    (finding,) = scan(tmp_path)
    assert finding.verdict.provider == "unasked"


def test_each_secret_is_asked_about_once_and_what_is_hidden_not_at_all(tmp_path, certificate):
    (tmp_path / "a.txt").write_text(line(1) * 5 + line(2))
    first, _ = scan(tmp_path)
    with stand_in(certificate, says(401)) as (port, asked):
        options = ScanOptions(
            verifier=Verifier(client(certificate, port)), baseline=frozenset({first.fingerprint})
        )
        scan(tmp_path, options)
    assert len(asked) == 1


def test_a_redirect_is_not_followed(certificate):
    with (
        stand_in(certificate, says(200)) as (other, stolen),
        stand_in(certificate, says(302, Location=f"https://{HOST}:{other}/")) as (port, asked),
    ):
        assert client(certificate, port).ask("GET", HOST, "/", {}).status == 302
    assert asked
    assert not stolen


def test_a_host_that_is_not_listed_is_not_asked(certificate):
    with pytest.raises(RefusedError, match="list"):
        client(certificate, 1).ask("GET", "evil.example", "/", {})


PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0",
    "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "224.0.0.1", "ff02::1", "255.255.255.255", "192.0.2.1",
    "nonsense", "",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_within_a_network_is_refused_before_anything_is_sent(address, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("connected"))
    for addresses in ([address], ["1.1.1.1", address]):
        with pytest.raises(RefusedError, match="not public"):
            Client(HOSTS, resolve=lambda _, a=addresses: a).ask("GET", HOST, "/", {})


@given(st.ip_addresses())
def test_no_address_that_is_reserved_is_public(address):
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(str(address))


def test_public_addresses_are_public():
    assert is_public("140.82.121.6")
    assert is_public("2606:50c0:8000::154")


def test_a_certificate_for_somebody_else_is_no_answer(tmp_path, certificate):
    (tmp_path / "a.txt").write_text(line())
    with stand_in(certificate, says(200)) as (port, asked):
        strict = Client(
            HOSTS,
            resolve=lambda _: ["127.0.0.1"],
            port=port,
            permitted=lambda _: True,
            timeout_s=5.0,
        )
        report = scan(tmp_path, ScanOptions(verifier=Verifier(strict)))
    (finding,) = report
    assert finding.verdict.provider == "unknown"
    assert "could not be asked: SSLCertVerificationError" in report.receipt.warnings[0]
    assert asked == []
    assert report.receipt.exit_code == 1


def test_a_provider_that_never_answers_or_never_ends_is_bounded(certificate):
    released = threading.Event()

    def hang(handler):
        released.wait(20)

    def flood(handler):
        says(200, b"x" * (1 << 20))(handler)

    with stand_in(certificate, hang) as (port, _):
        with pytest.raises(OSError, match="timed out"):
            client(certificate, port, timeout_s=0.3).ask("GET", HOST, "/", {})
        released.set()
    with stand_in(certificate, flood) as (port, _):
        assert len(client(certificate, port).ask("GET", HOST, "/", {}).body) <= 64 << 10


DRIPS = {
    "the head": b"HTTP/1.1 200 OK\r\nX: ",
    "the body": b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n",
}


@pytest.mark.parametrize("name", DRIPS)
def test_an_answer_that_comes_byte_for_byte_is_bounded_as_a_whole(certificate, name):
    released = threading.Event()

    def drip(handler):
        handler.wfile.write(DRIPS[name])
        while not released.wait(0.05):
            handler.wfile.write(b"x")

    with stand_in(certificate, drip) as (port, _):
        with pytest.raises((OSError, http.client.HTTPException)):
            client(certificate, port, whole_s=0.5).ask("GET", HOST, "/", {})
        released.set()


def test_proxies_of_the_environment_are_not_asked(certificate, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with stand_in(certificate, says(200)) as (port, asked):
        assert client(certificate, port).ask("GET", HOST, "/", {}).status == 200
    assert asked


def test_nobody_is_asked_of_what_no_provider_gave_out(tmp_path, certificate):
    """A password that nobody answers for, and a token whose checksum tells that it is made up."""
    wrong = github_token()[:-1] + ("a" if github_token()[-1] != "a" else "b")
    user = "ada:" + github_token(9)[4:24]
    (tmp_path / "a.txt").write_text(f"t = '{wrong}'\nurl = 'postgres://{user}@db.internal/x'\n")
    with stand_in(certificate, says(401)) as (port, asked):
        verifier = Verifier(client(certificate, port))
        report = scan(tmp_path, ScanOptions(verifier=verifier, confidence=Confidence.LOW))
    assert len(list(report)) == 2
    assert {finding.verdict.provider for finding in report} == {"unasked"}
    assert asked == []


def test_no_more_secrets_are_asked_about_than_the_limit_and_that_is_said(
    tmp_path, certificate, monkeypatch
):
    monkeypatch.setattr("scanner.verify.verifier.LIMIT", 2)
    (tmp_path / "a.txt").write_text("".join(map(line, range(4))))
    with stand_in(certificate, says(401)) as (port, asked):
        report = scan(tmp_path, ScanOptions(verifier=Verifier(client(certificate, port))))
    assert len(asked) == 2
    verdicts = sorted(finding.verdict.provider for finding in report)
    assert verdicts == ["inactive", "inactive", "unasked", "unasked"]
    assert report.receipt.warnings == ["providers were asked about 2 secrets and no more"]


def test_after_a_host_that_fails_no_other_secret_is_sent_to_it(tmp_path):
    (tmp_path / "a.txt").write_text("".join(map(line, range(5))))
    tries = []

    def fails(host):
        tries.append(host)
        raise OSError

    report = scan(tmp_path, ScanOptions(verifier=Verifier(Client(HOSTS, resolve=fails))))
    assert len(tries) == 1
    assert len(report.receipt.warnings) == 1
    assert {finding.verdict.provider for finding in report} == {"unknown"}


def test_a_host_that_asks_for_patience_is_asked_no_more(tmp_path, certificate):
    (tmp_path / "a.txt").write_text("".join(map(line, range(5))))
    with stand_in(certificate, says(429)) as (port, asked):
        verifier = Verifier(client(certificate, port))
        report = scan(tmp_path, ScanOptions(verifier=verifier))
    assert len(asked) == 1
    assert report.receipt.warnings == [f"{HOST} asks for patience (429): it was asked no more"]
    assert {finding.verdict.provider for finding in report} == {"unknown"}


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.host)
def test_every_provider_asks_of_rules_that_exist_and_reads_every_answer(engine, provider):
    from scanner.verify.client import Answer  # noqa: PLC0415

    known = {rule.id for rule in engine.ruleset.rules}
    assert provider.rules <= known
    assert "{}" in provider.path + "".join(provider.headers.values())
    for status in (200, 204, 302, 401, 403, 404, 429, 500):
        for body in (
            b"",
            b"{}",
            b'{"ok":true}',
            b'{"ok": false, "error": "invalid_auth"}',
            b"<html>",
        ):
            assert provider.says(Answer(status, body)) in {"active", "inactive", "unknown"}
    assert provider.says(Answer(200, b'{"ok":true}')) == "active"
    assert provider.says(Answer(429, b"")) == provider.says(Answer(302, b"")) == "unknown"


def test_no_rule_has_two_providers():
    rules = [rule for provider in PROVIDERS for rule in provider.rules]
    assert len(rules) == len(set(rules))
    assert provider_of("generic-quoted-password") is None


def test_the_command_says_whom_it_asked(tmp_path):
    """Names do not resolve in this process: nothing leaves the machine."""
    (tmp_path / "a.txt").write_text(line())
    script = (
        "import socket, sys\n"
        "def none(*a, **k): raise socket.gaierror(-2, 'no name')\n"
        "socket.getaddrinfo = none\n"
        "from keywatch.cli import run\n"
        "sys.exit(run(['scan', 'a.txt', '--verify', '--format', 'jsonl']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=False, text=True
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"]["provider"] == "unknown"
    assert f"asked {HOST} about 1" in done.stderr
    assert "could not be asked: gaierror" in done.stderr
