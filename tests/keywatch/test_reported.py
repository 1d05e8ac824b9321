"""Secrets that others report: who is believed, and what follows for a key of ours."""

import base64
import hashlib
import http.client
import json
import random
import threading

import pytest
import uvicorn
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from database.schema import alerts, findings, outbox, repo_events
from database.transaction import reading
from gateway.server import config_of, listening
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch import wiring
from keywatch.config import Settings
from keywatch.fetching import fetched
from keywatch.keybook import KeyBook
from keywatch.reported import Judge
from keywatch.status import status
from keywatch.voice import Voice
from streams.disclosure import PublicKeys
from streams.webhook import Reports, app
from tests.httpd import serving
from vocabulary.errors import ServiceError, SignatureError

REPORTER = "of a test"
STRANGER = "unknown-" + "".join(random.Random(3).choices("abcdef0123456789", k=30))


@pytest.fixture
def signer():
    return ec.generate_private_key(ec.SECP256R1())


def published(*signers, name="one"):
    keys = [
        {
            "key_identifier": f"{name}{number or ''}",
            "key": one.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode(),
            "is_current": True,
        }
        for number, one in enumerate(signers)
    ]
    return json.dumps({"public_keys": keys}).encode()


@pytest.fixture
def github(signer):
    with serving(lambda _: (200, {}, published(signer))) as server:
        yield server


@pytest.fixture
def spoken():
    return []


@pytest.fixture
def judge(engine, spoken):
    settings = Settings()
    book = KeyBook(engine, settings.keys)
    respond = wiring.responder(
        wiring.policy(settings), frozenset({"revoke"}), book.known_key, lambda _: 7.0
    )
    return Judge(engine, book, respond, Voice(spoken.append, spoken.append), lambda: None)


@pytest.fixture
def port(engine, github, spoken, judge):
    reports = Reports(judge, PublicKeys(github.url, fetched), [REPORTER])
    listener = listening("127.0.0.1", 0)
    server = uvicorn.Server(config_of(app(engine, {}, reports=reports, tell=spoken.append)))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def ask(port, path, body, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def signed(signer, body, name="one"):
    mark = base64.b64encode(signer.sign(body, ec.ECDSA(hashes.SHA256()))).decode()
    return {"Github-Public-Key-Identifier": name, "Github-Public-Key-Signature": mark}


def report(*tokens):
    kind, url = "acme_key", "https://git.example/a/blob/main/x.py?token=1"
    told = [{"token": one, "type": kind, "url": url, "source": "content"} for one in tokens]
    return json.dumps(told).encode()


def rows(engine, table):
    with reading(engine) as connection:
        return connection.execute(table.select()).mappings().all()


def labels(answer):
    return [one["label"] for one in answer]


def test_a_partner_alert_about_our_key_is_answered_and_acted_on(
    engine, port, signer, spoken, judge
):
    key = KeyStore(engine).create(KeyOrder(owner="shop"), actor="test")
    body = report(key.secret, STRANGER)
    code, answer = ask(port, "/alerts/github", body, signed(signer, body))
    assert (code, labels(answer)) == (200, ["true_positive", "false_positive"])
    assert answer[0]["token_hash"] == hashlib.sha256(key.secret.encode()).hexdigest()
    assert not rows(engine, alerts)  # who waits for an answer waits for nothing else
    waits = rows(engine, repo_events)
    queued = {"waiting": 0, "reported": 1, "unsure": 0, "given_up": 0}
    assert status(engine)["repositories"] == queued
    judge.work_off()
    assert not rows(engine, repo_events)
    (alert,) = rows(engine, alerts)
    assert (alert["subject"], alert["severity"]) == (key.key.id, "critical")
    (done,) = (one for one in rows(engine, outbox) if one["effect"] == "revoke")
    assert done["subject"] == key.key.id
    said = str(
        [*spoken, answer, waits, rows(engine, alerts), rows(engine, findings), rows(engine, outbox)]
    )
    assert key.secret not in said
    assert STRANGER not in said


@pytest.mark.parametrize("worked_off", [True, False])
def test_a_replayed_alert_changes_nothing(engine, port, signer, judge, worked_off):
    key = KeyStore(engine).create(KeyOrder(owner="shop"), actor="test")
    body = report(key.secret)
    for _ in range(3):
        assert ask(port, "/alerts/github", body, signed(signer, body))[0] == 200
        if worked_off:
            judge.work_off()
    judge.work_off()
    assert len(rows(engine, alerts)) == len(rows(engine, findings)) == 1
    assert len([one for one in rows(engine, outbox) if one["effect"] == "revoke"]) == 1


def test_nobody_but_github_is_believed(engine, port, signer):
    key = KeyStore(engine).create(KeyOrder(owner="shop"), actor="test")
    body = report(key.secret)
    stranger = ec.generate_private_key(ec.SECP256R1())
    good = signed(signer, body)
    for headers in (
        {},
        signed(stranger, body),
        signed(signer, body + b" "),
        signed(signer, body, name="never published"),
        {**good, "Github-Public-Key-Signature": "no base64"},
    ):
        assert ask(port, "/alerts/github", body, headers)[0] == 401
    assert not rows(engine, alerts)


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"[[", b'[{"token":""}]'])
def test_what_is_no_alert_is_refused(port, signer, body):
    assert ask(port, "/alerts/github", body, signed(signer, body))[0] == 400


def test_what_waits_is_bounded_and_nothing_of_it_is_lost(engine, port, signer, judge, monkeypatch):
    monkeypatch.setattr("streams.reportqueue.MOST_WAITING", 3)
    monkeypatch.setattr("keywatch.reported._AT_ONCE", 2)
    keys = [KeyStore(engine).create(KeyOrder(owner="shop"), actor="test") for _ in range(5)]
    first, second = report(*(key.secret for key in keys[:3])), report(keys[3].secret)
    assert ask(port, "/alerts/github", first, signed(signer, first))[0] == 200
    assert ask(port, "/alerts/github", second, signed(signer, second))[0] == 503
    # Who was answered and is killed then goes on from what is kept.
    with judge.running():
        while rows(engine, repo_events):
            pass
        assert ask(port, "/alerts/github", second, signed(signer, second))[0] == 200
        while rows(engine, repo_events):
            pass
    assert {row["subject"] for row in rows(engine, alerts)} == {key.key.id for key in keys[:4]}


def test_who_reports_while_others_are_looked_up_does_not_wait_for_ever(judge, monkeypatch):
    monkeypatch.setattr("keywatch.reported.TURN_S", 0.01)
    with judge._lock, pytest.raises(ServiceError, match="at once"):
        judge([])


def test_anybody_with_a_token_may_report_a_leak(engine, port, judge):
    key = KeyStore(engine).create(KeyOrder(owner="shop"), actor="test")
    body = json.dumps({"token": f" {key.secret}\n", "source": "a mail"}).encode()
    assert ask(port, "/leaks", body, {})[0] == 401
    assert ask(port, "/leaks", body, {"Authorization": "Bearer wrong"})[0] == 401
    code, answer = ask(port, "/leaks", body, {"Authorization": f"Bearer {REPORTER}"})
    assert (code, labels(answer)) == (200, ["true_positive"])
    judge.work_off()
    assert rows(engine, findings)[0]["body"]["path"] == "a mail"


def test_what_is_not_configured_is_not_there(port):
    assert ask(port, "/webhooks/nobody", b"", {})[0] == 404
    assert ask(port, "/", b"", {})[0] == 404


def test_keys_are_fetched_anew_when_one_is_not_known_and_after_an_hour(signer):
    now, told = [0.0], [published(signer)]
    asked = []

    def fetch(url):
        asked.append(url)
        return told[0]

    keys = PublicKeys("https://keys.example/", fetch, lambda: now[0])
    first = keys.find("one")
    assert keys.find("one") == first
    assert len(asked) == 1
    with pytest.raises(SignatureError):
        keys.find("two")
    assert len(asked) == 1  # not for every forged alert
    told[0] = published(signer, name="two")
    now[0] = 61.0
    assert keys.find("two")
    with pytest.raises(SignatureError):  # it was taken back
        keys.find("one")
    told[0] = b"nothing"
    now[0] = 4000.0
    with pytest.raises(ServiceError):
        keys.find("two")


@pytest.mark.parametrize("url", ["http://keys.example/", "file:///etc/passwd", "ftp://127.0.0.1/"])
def test_only_https_is_asked_or_this_machine(url):
    with pytest.raises(ServiceError, match="only https"):
        fetched(url)


def test_what_is_fetched_is_bounded_and_leads_nowhere_else():
    answers = [
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (500, {}, b""),
        (200, {}, b"x" * 99),
    ]
    with serving(lambda _: answers.pop(0)) as server:
        for _ in range(2):
            with pytest.raises(ServiceError, match="answers"):
                fetched(server.url)
        assert fetched(server.url) == b"x" * 99
